"""What the farm remembers to keep what it was given: names of orders, takers of chores, and PostgreSQL's upkeep."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
CHURNING = ("jobs", "chores")
"""Tables whose rows change with every result, beside those that were known to churn from the first."""


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "order_keys",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_order_keys_account_id_accounts"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_order_keys_job_id_jobs"),
        sa.PrimaryKeyConstraint("account_id", "key", name="pk_order_keys"),
    )
    op.add_column("chores", sa.Column("taken_by", sa.Text(), nullable=False, server_default=""))
    if op.get_bind().dialect.name == "postgresql":
        for table in CHURNING:
            op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02,"
                       " autovacuum_vacuum_cost_delay = 0, fillfactor = 70)")
