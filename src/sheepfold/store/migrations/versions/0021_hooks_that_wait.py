"""What is sent next is looked up hook by hook, however much waits for each; tests are found by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    waits = sa.text("next_at IS NOT NULL")
    is_new_test = sa.text("topic = 'test' AND attempts = 0 AND next_at IS NOT NULL")
    op.drop_index("ix_hook_deliveries_due", table_name="hook_deliveries")
    op.create_index("ix_hook_deliveries_waiting", "hook_deliveries", ["hook_id", "attempts", "id"],
                    sqlite_where=waits, postgresql_where=waits)
    op.create_index("ix_hook_deliveries_tests", "hook_deliveries", ["hook_id", "id"],
                    sqlite_where=is_new_test, postgresql_where=is_new_test)
