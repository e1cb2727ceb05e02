"""What customers send: a scenario's steps prepared for a target, words filled in, Python users."""

__all__: list[str] = []
