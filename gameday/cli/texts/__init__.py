"""What longer verbs print at their end."""

__all__: list[str] = []
