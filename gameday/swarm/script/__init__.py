"""What customers send: a scenario's steps prepared for a target, template variables, Python users."""

__all__: list[str] = []
