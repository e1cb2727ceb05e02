"""How a ledger of an older version becomes one of today's: Alembic's folder."""

__all__: list[str] = []
