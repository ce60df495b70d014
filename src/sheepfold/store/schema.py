"""The one schema, for SQLite and PostgreSQL alike.

Times are Unix seconds in `…_at` columns, credit is millipoints, virtual time is cost in milliseconds over weight. A
state is text of the model's StrEnum. Specs, figures and details are JSON text, read by nothing in SQL.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sheepfold.model.jobs import FIRST_JOB_ID

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts rows up only in a column that is exactly INTEGER."""

CHURN = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_cost_delay": "0",
    "fillfactor": "70",
}
"""PostgreSQL's storage settings of the tables that churn: with the defaults the claim rate halves in 15 seconds."""


def _id(first: int = 1) -> Column[int]:
    return Column("id", Id, Identity(start=first), primary_key=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Id, ForeignKey(f"{target}.id"), nullable=nullable)


def _at(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


accounts = Table(
    "accounts",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("weight", Integer, nullable=False, server_default="100"),
    Column("password_hash", Text, nullable=False, server_default=""),
    _at("created_at"),
)

machines = Table(
    "machines",
    metadata,
    _id(),
    _ref("account_id", "accounts"),
    Column("name", Text, nullable=False, unique=True),
    _at("created_at"),
    _at("last_seen_at"),
    _at("suspended_at", nullable=True),
    Column("rules", Text, nullable=False, server_default="{}"),
    _at("stopped_at", nullable=True),
    Index(None, "account_id"),
)

machine_keys = Table(
    "machine_keys",
    metadata,
    _id(),
    _ref("machine_id", "machines"),
    Column("scope", Text, nullable=False),
    _at("created_at"),
    _at("revoked_at", nullable=True),
    Index(None, "machine_id"),
)

key_verifiers = Table(
    "key_verifiers",
    metadata,
    _id(),
    _ref("key_id", "machine_keys"),
    Column("scheme", Text, nullable=False),
    Column("value", Text, nullable=False),
    UniqueConstraint("scheme", "value"),
    Index(None, "key_id"),
)

sessions = Table(
    "sessions",
    metadata,
    _id(),
    Column("token_hash", Text, nullable=False, unique=True),
    _ref("machine_id", "machines"),
    _ref("account_id", "accounts"),
    Column("protocol", Text, nullable=False),
    Column("abilities", Text, nullable=False),
    Column("opened_by", Text, nullable=False, server_default=""),
    _at("opened_at"),
    _at("last_seen_at"),
    _at("ended_at", nullable=True),
    Index(None, "machine_id"),
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("md5", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    _at("kept_at"),
    Index(None, "md5"),
)


def _digest(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, ForeignKey("blobs.digest"), nullable=nullable)


needs = Table("needs", metadata, _id(), Column("canonical", Text, nullable=False, unique=True))

jobs = Table(
    "jobs",
    metadata,
    _id(FIRST_JOB_ID),
    _ref("account_id", "accounts"),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("priority", Integer, nullable=False),
    Column("quorum", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("state", Text, nullable=False),
    _at("private_at", nullable=True),
    Column("tasks_total", Integer, nullable=False),
    Column("tasks_done", Integer, nullable=False, server_default="0"),
    Column("tasks_failed", Integer, nullable=False, server_default="0"),
    _at("created_at"),
    _at("ended_at", nullable=True),
    Index(None, "account_id", "id"),
    # what walls and lists leave out
    Index("ix_jobs_private", "id",
          sqlite_where=text("private_at IS NOT NULL"), postgresql_where=text("private_at IS NOT NULL")),
    sqlite_autoincrement=True,
    postgresql_with=CHURN,
)

# what was ordered under a name that the customer gave the request, so that sending it again orders nothing more
order_keys = Table(
    "order_keys",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("job_id", Id, ForeignKey("jobs.id"), nullable=False),
    Column("fingerprint", Text, nullable=False),
    _at("ordered_at"),
)

# links that show a private job to whoever has one
shares = Table(
    "shares",
    metadata,
    _id(),
    _ref("job_id", "jobs"),
    Column("token_hash", Text, nullable=False, unique=True),
    _at("made_at"),
    _at("revoked_at", nullable=True),
    Index(None, "job_id"),
)

job_inputs = Table(
    "job_inputs",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    _digest("digest"),
)

lanes = Table(
    "lanes",
    metadata,
    _id(),
    _ref("needs_id", "needs"),
    _ref("account_id", "accounts"),
    Column("priority", Integer, nullable=False),
    Column("virtual_time", BigInteger, nullable=False),
    _at("drained_at", nullable=True),
    UniqueConstraint("needs_id", "account_id", "priority"),
    postgresql_with=CHURN,
)
# everybody's lanes, in the order in which a claim walks them
Index("ix_lanes_open", lanes.c.needs_id, lanes.c.priority.desc(), lanes.c.virtual_time,
      sqlite_where=text("drained_at IS NULL"), postgresql_where=text("drained_at IS NULL"))

lane_charges = Table(
    "lane_charges",
    metadata,
    _id(),
    _ref("lane_id", "lanes"),
    Column("charge", BigInteger, nullable=False),
    postgresql_with=CHURN,
)

tasks = Table(
    "tasks",
    metadata,
    _id(),
    _ref("job_id", "jobs"),
    _ref("lane_id", "lanes"),
    Column("frame", Integer, nullable=False),
    Column("part", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("openings", Integer, nullable=False),
    Column("cost_ms", BigInteger, nullable=False),
    _digest("input", nullable=True),
    _at("ended_at", nullable=True),
    Column("past_lease", Id, nullable=False, server_default="0"),
    UniqueConstraint("job_id", "frame", "part"),
    CheckConstraint("openings >= 0", name="openings"),
    # the claim's second step: the first task of a lane that has an opening
    Index("ix_tasks_open", "lane_id", "id",
          sqlite_where=text("openings > 0"), postgresql_where=text("openings > 0")),
    postgresql_with=CHURN,
)

leases = Table(
    "leases",
    metadata,
    _id(),
    _ref("task_id", "tasks"),
    _ref("machine_id", "machines"),
    _ref("account_id", "accounts"),
    _ref("session_id", "sessions", nullable=True),
    Column("protocol", Text, nullable=False),
    Column("state", Text, nullable=False),
    _at("granted_at"),
    _at("deadline_at"),
    _at("ended_at", nullable=True),
    Column("reason", Text, nullable=False, server_default=""),
    Column("figures", Text, nullable=False, server_default="{}"),
    _digest("log", nullable=True),
    Index(None, "task_id"),
    Index(None, "machine_id", "id"),
    # what a session holds and has earned; wires without sessions cost nothing
    Index("ix_leases_session_id", "session_id",
          sqlite_where=text("session_id IS NOT NULL"), postgresql_where=text("session_id IS NOT NULL")),
    Index("uq_leases_active", "machine_id", "task_id", unique=True,
          sqlite_where=text("state = 'active'"), postgresql_where=text("state = 'active'")),
    Index("ix_leases_deadline", "deadline_at",
          sqlite_where=text("state = 'active'"), postgresql_where=text("state = 'active'")),
    postgresql_with=CHURN,
)

results = Table(
    "results",
    metadata,
    _id(),
    _ref("task_id", "tasks"),
    _ref("lease_id", "leases"),
    _ref("machine_id", "machines"),
    _ref("account_id", "accounts"),
    _digest("digest"),
    Column("like_id", Id, nullable=True),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("soundness", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    _at("submitted_at"),
    UniqueConstraint("lease_id", "digest"),
    Index(None, "task_id"),
    Index(None, "machine_id", "id"),
    Index(None, "digest"),
)

# jobs that a machine cannot render, or whose owner does not want to; a claim passes over them until then
refusals = Table(
    "refusals",
    metadata,
    Column("machine_id", Id, ForeignKey("machines.id"), primary_key=True),
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True),
    _at("until_at"),
)

ledger = Table(
    "ledger",
    metadata,
    _id(),
    Column("result_id", Id, ForeignKey("results.id"), nullable=False, unique=True),
    _ref("account_id", "accounts"),
    _ref("job_id", "jobs"),
    Column("millipoints", BigInteger, nullable=False),
    _at("earned_at"),
    Index(None, "account_id"),
)

events = Table(
    "events",
    metadata,
    _id(),
    _at("at"),
    Column("job_id", Id, nullable=False),
    Column("task_id", Id, nullable=True),
    Column("what", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index(None, "job_id", "id"),
    Index(None, "task_id", "id"),
)

chores = Table(
    "chores",
    metadata,
    _id(),
    Column("what", Text, nullable=False),
    _ref("job_id", "jobs"),
    _ref("task_id", "tasks", nullable=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False, server_default=""),
    _at("queued_at"),
    _at("due_at"),
    Column("taken_by", Text, nullable=False, server_default=""),
    Index("ix_chores_due", "due_at",
          sqlite_where=text("state = 'queued'"), postgresql_where=text("state = 'queued'")),
    postgresql_with=CHURN,
)

products = Table(
    "products",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    _digest("digest"),
    Column("media_type", Text, nullable=False),
    _at("made_at"),
)

# of each page that an account watches, the order whose pictures were accepted last
baselines = Table(
    "baselines",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    _ref("job_id", "jobs"),
    _at("accepted_at"),
)

previews = Table(
    "previews",
    metadata,
    Column("task_id", Id, ForeignKey("tasks.id"), primary_key=True),
    Column("width", Integer, primary_key=True),
    _digest("digest"),
)

sheep = Table(
    "sheep",
    metadata,
    Column("generation", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("job_id", Id, ForeignKey("jobs.id"), nullable=False, unique=True),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("retired_at", BigInteger),
    CheckConstraint("number >= 0 AND number < 100000", name="number"),
)

parents = Table(
    "parents",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True),
    Column("parent_id", Id, ForeignKey("jobs.id"), primary_key=True),
)

votes = Table(
    "votes",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True),
    Column("voter", Text, primary_key=True),
    Column("value", Integer, nullable=False),
    _at("cast_at"),
    CheckConstraint("value IN (-1, 1)", name="value"),
)

renderers = Table(
    "renderers",
    metadata,
    _id(),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("os", Text, nullable=False),
    Column("bits", Integer, nullable=False),
    _digest("digest"),
    Column("made", Text, nullable=False),
    _at("added_at"),
    UniqueConstraint("name", "version", "os", "bits"),
)

archives = Table(
    "archives",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    _digest("digest"),
    Column("main", Text, nullable=False),
    _at("made_at"),
    Index(None, "digest"),
)

# what Browsershots knows of a machine: the screenshot factory that it is
factories = Table(
    "factories",
    metadata,
    Column("machine_id", Id, ForeignKey("machines.id"), primary_key=True, autoincrement=False),
    Column("platform", Text, nullable=False),
    _at("polled_at", nullable=True),
    _at("uploaded_at", nullable=True),
    Column("queue_estimate_s", Integer, nullable=True),
)

browsers = Table(
    "browsers",
    metadata,
    _id(),
    _ref("machine_id", "machines"),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("javascript", Text, nullable=False),
    Column("java", Text, nullable=False),
    Column("flash", Text, nullable=False),
    _at("added_at"),
    _at("uploaded_at", nullable=True),
    _at("failed_at", nullable=True),
    Column("fault", Text, nullable=False, server_default=""),
    Index(None, "machine_id"),
)

screens = Table(
    "screens",
    metadata,
    Column("machine_id", Id, ForeignKey("machines.id"), primary_key=True, autoincrement=False),
    Column("width", Integer, primary_key=True),
    Column("height", Integer, primary_key=True),
    Column("bpp", Integer, primary_key=True),
)

nonces = Table(
    "nonces",
    metadata,
    Column("nonce", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("owner_id", Id, nullable=False),
    Column("address", Text, nullable=False),
    _at("issued_at"),
    Index(None, "owner", "owner_id", "issued_at"),
    Index(None, "issued_at"),
    postgresql_with=CHURN,
)

# what an order of screenshots is beside a job: where it leads, and until when it is worth making
visits = Table(
    "visits",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True, autoincrement=False),
    _ref("account_id", "accounts"),
    Column("url", Text, nullable=False),
    Column("domain", Text, nullable=False),
    _at("submitted_at"),
    _at("expires_at", nullable=True),
    _at("closed_at", nullable=True),
    Index(None, "account_id", "submitted_at"),
    Index(None, "domain", "submitted_at"),
    # what upkeep still has to end
    Index("ix_visits_expires_at", "expires_at",
          sqlite_where=text("closed_at IS NULL"), postgresql_where=text("closed_at IS NULL")),
)

screenshots = Table(
    "screenshots",
    metadata,
    Column("hashkey", Text, primary_key=True),
    Column("result_id", Id, ForeignKey("results.id"), nullable=False, unique=True),
    Column("browser", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("user_agent", Text, nullable=False),
    _at("uploaded_at"),
    Index(None, "uploaded_at"),
)

thumbnails = Table(
    "thumbnails",
    metadata,
    Column("source", Text, ForeignKey("blobs.digest"), primary_key=True),
    Column("width", Integer, primary_key=True),
    _digest("digest"),
    Index(None, "digest"),
)

# what a person is beside an account: where letters go, and since when nobody may sign in
people = Table(
    "people",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("email", Text, nullable=False, server_default=""),
    _at("verified_at", nullable=True),
    _at("closed_at", nullable=True),
    Column("closed_why", Text, nullable=False, server_default=""),
)

web_sessions = Table(
    "web_sessions",
    metadata,
    _id(),
    Column("token_hash", Text, nullable=False, unique=True),
    _ref("account_id", "accounts"),
    Column("browser", Text, nullable=False),
    _at("opened_at"),
    _at("last_seen_at"),
    _at("ended_at", nullable=True),
    Index(None, "account_id"),
)

# secrets that work once: invitations, resets of a password, proofs of an address
tickets = Table(
    "tickets",
    metadata,
    _id(),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("purpose", Text, nullable=False),
    _ref("account_id", "accounts"),
    Column("role", Text, nullable=False, server_default=""),
    _at("made_at"),
    _at("expires_at"),
    _at("used_at", nullable=True),
)

# who changed what of people and machines, for the owner
audit = Table(
    "audit",
    metadata,
    _id(),
    _at("at"),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("about", Text, nullable=False, server_default=""),
)
