"""The reference engine: customers and services on SimPy, which defines what a scenario means."""

__all__: list[str] = []
