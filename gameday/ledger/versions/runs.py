"""Version 1: runs, and what each found and asked for. Ledgers from before versions have these tables."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make the tables that are not there."""
    op.create_table(
        "runs",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("started_utc", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("exit_code", sa.Integer, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        if_not_exists=True,
    )
    for table, name, said in (
        ("findings", "finding", "severity"),
        ("requests", "request", "state"),
    ):
        op.create_table(
            table,
            *(sa.Column(key, sa.Text, primary_key=True) for key in ("run_id", name)),
            *(sa.Column(column, sa.Text, nullable=False) for column in (said, "body")),
            if_not_exists=True,
        )
