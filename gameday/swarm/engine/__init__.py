"""The open-arrival engine of one worker: sessions, steps and replies, on the plan's clock."""

__all__: list[str] = []
