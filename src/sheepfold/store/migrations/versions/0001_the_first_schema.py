"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
CHURN = {"autovacuum_vacuum_scale_factor": "0.02", "autovacuum_vacuum_cost_delay": "0", "fillfactor": "70"}


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "accounts",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("weight", sa.Integer(), server_default="100", nullable=False),
        sa.Column("password_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("name", name="uq_accounts_name"),
    )
    op.create_table(
        "blobs",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("md5", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_blobs"),
    )
    op.create_index("ix_blobs_md5", "blobs", ["md5"])

    op.create_table(
        "events",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=True),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    )
    op.create_index("ix_events_job_id_id", "events", ["job_id", "id"])
    op.create_index("ix_events_task_id_id", "events", ["task_id", "id"])

    op.create_table(
        "needs",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_needs"),
        sa.UniqueConstraint("canonical", name="uq_needs_canonical"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", ID, sa.Identity(always=False, start=1000), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), server_default="0", nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("quorum", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tasks_total", sa.Integer(), nullable=False),
        sa.Column("tasks_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tasks_failed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_jobs_account_id_accounts"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_account_id_id", "jobs", ["account_id", "id"])

    op.create_table(
        "lanes",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("needs_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("virtual_time", sa.BigInteger(), nullable=False),
        sa.Column("drained_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_lanes_account_id_accounts"),
        sa.ForeignKeyConstraint(["needs_id"], ["needs.id"], name="fk_lanes_needs_id_needs"),
        sa.PrimaryKeyConstraint("id", name="pk_lanes"),
        sa.UniqueConstraint("needs_id", "account_id", "priority", name="uq_lanes_needs_id_account_id_priority"),
        postgresql_with=CHURN,
    )
    op.create_index(
        "ix_lanes_open",
        "lanes",
        ["needs_id", sa.literal_column("priority DESC"), "virtual_time"],
        sqlite_where=sa.text("drained_at IS NULL"),
        postgresql_where=sa.text("drained_at IS NULL"),
    )

    op.create_table(
        "machines",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("suspended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_machines_account_id_accounts"),
        sa.PrimaryKeyConstraint("id", name="pk_machines"),
        sa.UniqueConstraint("name", name="uq_machines_name"),
    )
    op.create_index("ix_machines_account_id", "machines", ["account_id"])

    op.create_table(
        "job_inputs",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_job_inputs_digest_blobs"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_inputs_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "name", name="pk_job_inputs"),
    )
    op.create_table(
        "lane_charges",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("lane_id", ID, nullable=False),
        sa.Column("charge", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.id"], name="fk_lane_charges_lane_id_lanes"),
        sa.PrimaryKeyConstraint("id", name="pk_lane_charges"),
        postgresql_with=CHURN,
    )
    op.create_table(
        "machine_keys",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("machine_id", ID, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name="fk_machine_keys_machine_id_machines"),
        sa.PrimaryKeyConstraint("id", name="pk_machine_keys"),
    )
    op.create_index("ix_machine_keys_machine_id", "machine_keys", ["machine_id"])

    op.create_table(
        "products",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_products_digest_blobs"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_products_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "name", name="pk_products"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("machine_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("abilities", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sessions_account_id_accounts"),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name="fk_sessions_machine_id_machines"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_sessions_token_hash"),
    )
    op.create_index("ix_sessions_machine_id", "sessions", ["machine_id"])

    op.create_table(
        "sheep",
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.CheckConstraint("number >= 0 AND number < 100000", name="ck_sheep_number"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_sheep_job_id_jobs"),
        sa.PrimaryKeyConstraint("generation", "number", name="pk_sheep"),
        sa.UniqueConstraint("job_id", name="uq_sheep_job_id"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("lane_id", ID, nullable=False),
        sa.Column("frame", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("openings", sa.Integer(), nullable=False),
        sa.Column("cost_ms", sa.BigInteger(), nullable=False),
        sa.Column("input", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("openings >= 0", name="ck_tasks_openings"),
        sa.ForeignKeyConstraint(["input"], ["blobs.digest"], name="fk_tasks_input_blobs"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_tasks_job_id_jobs"),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.id"], name="fk_tasks_lane_id_lanes"),
        sa.PrimaryKeyConstraint("id", name="pk_tasks"),
        sa.UniqueConstraint("job_id", "frame", "part", name="uq_tasks_job_id_frame_part"),
        postgresql_with=CHURN,
    )
    op.create_index(
        "ix_tasks_open",
        "tasks",
        ["lane_id", "id"],
        sqlite_where=sa.text("openings > 0"),
        postgresql_where=sa.text("openings > 0"),
    )

    op.create_table(
        "votes",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("voter", sa.Text(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("cast_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("value IN (-1, 1)", name="ck_votes_value"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_votes_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "voter", name="pk_votes"),
    )
    op.create_table(
        "chores",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_chores_job_id_jobs"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_chores_task_id_tasks"),
        sa.PrimaryKeyConstraint("id", name="pk_chores"),
    )
    op.create_index(
        "ix_chores_due",
        "chores",
        ["due_at"],
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    )

    op.create_table(
        "key_verifiers",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("key_id", ID, nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["machine_keys.id"], name="fk_key_verifiers_key_id_machine_keys"),
        sa.PrimaryKeyConstraint("id", name="pk_key_verifiers"),
        sa.UniqueConstraint("scheme", "value", name="uq_key_verifiers_scheme_value"),
    )
    op.create_index("ix_key_verifiers_key_id", "key_verifiers", ["key_id"])

    op.create_table(
        "leases",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("machine_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("session_id", ID, nullable=True),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("figures", sa.Text(), server_default="{}", nullable=False),
        sa.Column("log", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_leases_account_id_accounts"),
        sa.ForeignKeyConstraint(["log"], ["blobs.digest"], name="fk_leases_log_blobs"),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name="fk_leases_machine_id_machines"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_leases_session_id_sessions"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_leases_task_id_tasks"),
        sa.PrimaryKeyConstraint("id", name="pk_leases"),
        postgresql_with=CHURN,
    )
    op.create_index(
        "ix_leases_deadline",
        "leases",
        ["deadline_at"],
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index("ix_leases_machine_id_id", "leases", ["machine_id", "id"])
    op.create_index("ix_leases_task_id", "leases", ["task_id"])
    op.create_index(
        "uq_leases_active",
        "leases",
        ["machine_id", "task_id"],
        unique=True,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )

    op.create_table(
        "previews",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_previews_digest_blobs"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_previews_task_id_tasks"),
        sa.PrimaryKeyConstraint("task_id", "width", name="pk_previews"),
    )
    op.create_table(
        "results",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("lease_id", ID, nullable=False),
        sa.Column("machine_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("like_id", ID, nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("soundness", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_results_account_id_accounts"),
        sa.ForeignKeyConstraint(["digest"], ["blobs.digest"], name="fk_results_digest_blobs"),
        sa.ForeignKeyConstraint(["lease_id"], ["leases.id"], name="fk_results_lease_id_leases"),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name="fk_results_machine_id_machines"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="fk_results_task_id_tasks"),
        sa.PrimaryKeyConstraint("id", name="pk_results"),
        sa.UniqueConstraint("lease_id", "digest", name="uq_results_lease_id_digest"),
    )
    op.create_index("ix_results_digest", "results", ["digest"])
    op.create_index("ix_results_machine_id_id", "results", ["machine_id", "id"])
    op.create_index("ix_results_task_id", "results", ["task_id"])

    op.create_table(
        "ledger",
        sa.Column("id", ID, sa.Identity(), nullable=False),
        sa.Column("result_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=False),
        sa.Column("millipoints", sa.BigInteger(), nullable=False),
        sa.Column("earned_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_ledger_account_id_accounts"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_ledger_job_id_jobs"),
        sa.ForeignKeyConstraint(["result_id"], ["results.id"], name="fk_ledger_result_id_results"),
        sa.PrimaryKeyConstraint("id", name="pk_ledger"),
        sa.UniqueConstraint("result_id", name="uq_ledger_result_id"),
    )
    op.create_index("ix_ledger_account_id", "ledger", ["account_id"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('jobs', 999)")
