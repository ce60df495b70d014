"""Points are spent as well as earned: each row of the ledger names who pays, for what, and how long it took."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply the change; of what was paid before, payer, cost and time are drawn from the job and the lease."""
    op.add_column("accounts", sa.Column("favour", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("ledger", sa.Column("payer_id", ID, nullable=True))
    op.add_column("ledger", sa.Column("cost_ms", sa.BigInteger(), nullable=True))
    op.add_column("ledger", sa.Column("taken_s", sa.BigInteger(), nullable=True))
    op.execute("""
        UPDATE ledger SET
            payer_id = (SELECT j.account_id FROM jobs j WHERE j.id = ledger.job_id),
            cost_ms = millipoints,
            taken_s = (SELECT CASE WHEN r.submitted_at > l.granted_at THEN r.submitted_at - l.granted_at ELSE 0 END
                       FROM results r JOIN leases l ON l.id = r.lease_id WHERE r.id = ledger.result_id)
    """)
    with op.batch_alter_table("ledger") as batch:
        batch.alter_column("payer_id", existing_type=ID, nullable=False)
        batch.alter_column("cost_ms", existing_type=sa.BigInteger(), nullable=False)
        batch.alter_column("taken_s", existing_type=sa.BigInteger(), nullable=False)
        batch.create_foreign_key("fk_ledger_payer_id_accounts", "accounts", ["payer_id"], ["id"])
    op.drop_index("ix_ledger_account_id", "ledger")
    op.create_index("ix_ledger_account_id_millipoints", "ledger", ["account_id", "millipoints"])
    op.create_index("ix_ledger_payer_id_millipoints", "ledger", ["payer_id", "millipoints"])
