"""Votes that older servers went on to cast by accounts' names bear numbers, too; of two the newer counts."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_OLDER = sa.text("""
    DELETE FROM votes WHERE voter LIKE 'account %' AND EXISTS (
        SELECT 1 FROM votes o JOIN accounts a ON a.name = o.voter
        WHERE o.job_id = votes.job_id AND votes.voter = 'account ' || a.id AND o.cast_at > votes.cast_at)
""")
_NUMBERED = sa.text("""
    UPDATE votes SET voter = 'account ' || (SELECT a.id FROM accounts a WHERE a.name = votes.voter)
    WHERE voter IN (SELECT name FROM accounts) AND NOT EXISTS (
        SELECT 1 FROM votes o JOIN accounts a ON o.voter = 'account ' || a.id
        WHERE o.job_id = votes.job_id AND a.name = votes.voter)
""")
_SECOND = sa.text("DELETE FROM votes WHERE voter IN (SELECT name FROM accounts)")


def upgrade() -> None:
    """Apply the change."""
    op.execute(_OLDER)
    op.execute(_NUMBERED)
    op.execute(_SECOND)
