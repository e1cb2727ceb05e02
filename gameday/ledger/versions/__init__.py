"""The versions of the ledger, each with the step from the one before."""

__all__: list[str] = []
