"""One replay while it goes on: its order, its folder, its load, and what the model is asked afterwards."""

__all__: list[str] = []
