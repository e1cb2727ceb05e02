"""Version 2: what lives over runs (requests, findings), and the chain of everything that was done to it."""

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "2"
down_revision = "1"


_SUBJECTS = ("event", "kind", "subject")
_ENTRIES = ("event", "kind", "subject", "act", "state", "body", "kept", "previous", "sha256")


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "subjects",
        *(sa.Column(name, sa.Text, primary_key=True) for name in _SUBJECTS),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("state", "body")),
    )
    op.create_table(
        "entries",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in _ENTRIES),
    )
    op.create_index("entries_of_subject", "entries", [*_SUBJECTS])
