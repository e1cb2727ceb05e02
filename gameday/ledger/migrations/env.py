"""What Alembic runs: the steps from the ledger's version to the newest, in the transaction it is given."""

from alembic import context

__all__: list[str] = []

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=None,
    transactional_ddl=True,
)
context.run_migrations()
