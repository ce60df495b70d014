"""Browsers of machines, nonces, and screenshots as Browsershots knows them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
CHURN = {"autovacuum_vacuum_scale_factor": "0.02", "autovacuum_vacuum_cost_delay": "0", "fillfactor": "70"}


def upgrade() -> None:
    """Apply the change."""
    _add_factories()
    _add_browsers()
    _add_visits()


def _add_factories() -> None:
    op.create_table(
        "nonces",
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name="pk_nonces"),
        postgresql_with=CHURN,
    )
    op.create_index("ix_nonces_issued_at", "nonces", ["issued_at"])
    op.create_index("ix_nonces_owner_owner_id_issued_at", "nonces", ["owner", "owner_id", "issued_at"])
    op.create_table(
        "factories",
        sa.Column("machine_id", ID, nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("polled_at", sa.BigInteger(), nullable=True),
        sa.Column("uploaded_at", sa.BigInteger(), nullable=True),
        sa.Column("queue_estimate_s", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name="fk_factories_machine_id_machines"),
        sa.PrimaryKeyConstraint("machine_id", name="pk_factories"),
    )
    op.create_table(
        "screens",
        sa.Column("machine_id", ID, nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("bpp", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name="fk_screens_machine_id_machines"),
        sa.PrimaryKeyConstraint("machine_id", "width", "height", "bpp", name="pk_screens"),
    )


def _add_browsers() -> None:
    op.create_table(
        "browsers",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("machine_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("javascript", sa.Text(), nullable=False),
        sa.Column("java", sa.Text(), nullable=False),
        sa.Column("flash", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_at", sa.BigInteger(), nullable=True),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("fault", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name="fk_browsers_machine_id_machines"),
        sa.PrimaryKeyConstraint("id", name="pk_browsers"),
    )
    op.create_index("ix_browsers_machine_id", "browsers", ["machine_id"])


def _add_visits() -> None:
    op.create_table(
        "visits",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_visits_account_id_accounts"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_visits_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", name="pk_visits"),
    )
    op.create_index("ix_visits_account_id_submitted_at", "visits", ["account_id", "submitted_at"])
    op.create_index("ix_visits_domain_submitted_at", "visits", ["domain", "submitted_at"])
    op.create_index("ix_visits_expires_at", "visits", ["expires_at"],
                    sqlite_where=sa.text("closed_at IS NULL"),
                    postgresql_where=sa.text("closed_at IS NULL"))
    op.create_table(
        "screenshots",
        sa.Column("hashkey", sa.Text(), nullable=False),
        sa.Column("result_id", ID, nullable=False),
        sa.Column("browser", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("uploaded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["result_id"], ["results.id"], name="fk_screenshots_result_id_results"),
        sa.PrimaryKeyConstraint("hashkey", name="pk_screenshots"),
        sa.UniqueConstraint("result_id", name="uq_screenshots_result_id"),
    )
    op.create_index("ix_screenshots_uploaded_at", "screenshots", ["uploaded_at"])
    op.create_table(
        "thumbnails",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_thumbnails_digest_blobs"),
        sa.ForeignKeyConstraint(["source"], ["blobs.digest"], name="fk_thumbnails_source_blobs"),
        sa.PrimaryKeyConstraint("source", "width", name="pk_thumbnails"),
    )
    op.create_index("ix_thumbnails_digest", "thumbnails", ["digest"])
