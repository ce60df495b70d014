"""A vote that an account cast over REST or at a shell bears the account's number, as those of the pages do."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

# no UID of a client is an account's name: these have capital letters alone, and names have none
_NUMBERED = sa.text("""
    UPDATE votes SET voter = 'account ' || (SELECT a.id FROM accounts a WHERE a.name = votes.voter)
    WHERE voter IN (SELECT name FROM accounts) AND NOT EXISTS (
        SELECT 1 FROM votes o JOIN accounts a ON o.voter = 'account ' || a.id
        WHERE o.job_id = votes.job_id AND a.name = votes.voter)
""")
_SECOND = sa.text("DELETE FROM votes WHERE voter IN (SELECT name FROM accounts)")


def upgrade() -> None:
    """Apply the change."""
    op.execute(_NUMBERED)
    op.execute(_SECOND)
