"""What came of it: samples of workers and of the target, folded into one RunRecord."""

__all__: list[str] = []
