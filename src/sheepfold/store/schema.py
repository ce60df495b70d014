"""The one schema, for SQLite and PostgreSQL alike; `columns.py` says what its columns are made of.

Times are Unix seconds in `…_at` columns, credit is millipoints, virtual time is cost in milliseconds over weight. A
state is text of the model's StrEnum. Specs, figures and details are JSON text, read by nothing in SQL.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from sheepfold.model.jobs import FIRST_JOB_ID
from sheepfold.store import (
    hook_tables,  # noqa: F401 -- tables of this schema
    screenshot_tables,  # noqa: F401 -- they are of the one schema, too
)
from sheepfold.store.columns import CHURN, Id, at, digest, metadata, partial_index, ref, row_id

__all__ = ["metadata"]  # which holds all tables once this module is imported

CLEARABLE = "ended_at IS NOT NULL AND cleared_at IS NULL AND kept_at IS NULL"
EMPTIABLE = "cleared_at IS NOT NULL AND emptied_at IS NULL"

accounts = Table(
    "accounts",
    metadata,
    row_id(),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("weight", Integer, nullable=False, server_default="100"),
    Column("favour", Integer, nullable=False, server_default="1"),
    Column("password_hash", Text, nullable=False, server_default=""),
    at("created_at"),
)

machines = Table(
    "machines",
    metadata,
    row_id(),
    ref("account_id", "accounts"),
    Column("name", Text, nullable=False, unique=True),
    at("created_at"),
    at("last_seen_at"),
    at("suspended_at", nullable=True),
    Column("rules", Text, nullable=False, server_default="{}"),
    at("stopped_at", nullable=True),
    Index(None, "account_id"),
)

machine_keys = Table(
    "machine_keys",
    metadata,
    row_id(),
    ref("machine_id", "machines"),
    Column("scope", Text, nullable=False),
    at("created_at"),
    at("revoked_at", nullable=True),
    Index(None, "machine_id"),
)

key_verifiers = Table(
    "key_verifiers",
    metadata,
    row_id(),
    ref("key_id", "machine_keys"),
    Column("scheme", Text, nullable=False),
    Column("value", Text, nullable=False),
    UniqueConstraint("scheme", "value"),
    Index(None, "key_id"),
)

sessions = Table(
    "sessions",
    metadata,
    row_id(),
    Column("token_hash", Text, nullable=False, unique=True),
    ref("machine_id", "machines"),
    ref("account_id", "accounts"),
    Column("protocol", Text, nullable=False),
    Column("abilities", Text, nullable=False),
    Column("opened_by", Text, nullable=False, server_default=""),
    at("opened_at"),
    at("last_seen_at"),
    at("ended_at", nullable=True),
    Index(None, "machine_id"),
    partial_index("ix_sessions_alive", "last_seen_at", where="ended_at IS NULL"),
)

blobs = Table(
    "blobs",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("md5", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    at("kept_at"),
    at("cleared_at", nullable=True),
)


needs = Table("needs", metadata, row_id(), Column("canonical", Text, nullable=False, unique=True))

jobs = Table(
    "jobs",
    metadata,
    row_id(FIRST_JOB_ID),
    ref("account_id", "accounts"),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("spec", Text, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("priority", Integer, nullable=False),
    Column("quorum", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("state", Text, nullable=False),
    at("private_at", nullable=True),
    Column("tasks_total", Integer, nullable=False),
    Column("tasks_done", Integer, nullable=False, server_default="0"),
    Column("tasks_failed", Integer, nullable=False, server_default="0"),
    at("created_at"),
    at("ended_at", nullable=True),
    at("kept_at", nullable=True),
    at("cleared_at", nullable=True),
    at("emptied_at", nullable=True),
    Index(None, "account_id", "id"),
    Index(None, "kind", "id"),
    # what is running, among all that has ended
    Index(None, "state"),
    # what walls and lists leave out
    partial_index("ix_jobs_private", "id", where="private_at IS NOT NULL"),
    # what retention may clear next: originals of what has ended, then films and previews of what is cleared
    partial_index("ix_jobs_clearable", "ended_at", where=CLEARABLE),
    partial_index("ix_jobs_emptiable", "ended_at", where=EMPTIABLE),
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
    at("ordered_at"),
)

# what was answered to a request under its name, sealed by what only who asked knows; a mark while it is done
kept_answers = Table(
    "kept_answers",
    metadata,
    Column("name_hash", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("answer", LargeBinary, nullable=True),
    at("asked_at"),
)

# links that show a private job to whoever has one
shares = Table(
    "shares",
    metadata,
    row_id(),
    ref("job_id", "jobs"),
    Column("token_hash", Text, nullable=False, unique=True),
    at("made_at"),
    at("revoked_at", nullable=True),
    Index(None, "job_id"),
)

job_inputs = Table(
    "job_inputs",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    digest("digest"),
    Index(None, "digest"),
)

lanes = Table(
    "lanes",
    metadata,
    row_id(),
    ref("needs_id", "needs"),
    ref("account_id", "accounts"),
    Column("priority", Integer, nullable=False),
    Column("virtual_time", BigInteger, nullable=False),
    at("drained_at", nullable=True),
    UniqueConstraint("needs_id", "account_id", "priority"),
    postgresql_with=CHURN,
)
# everybody's lanes, in the order in which a claim walks them
partial_index("ix_lanes_open", lanes.c.needs_id, lanes.c.priority.desc(), lanes.c.virtual_time,
              where="drained_at IS NULL")

lane_charges = Table(
    "lane_charges",
    metadata,
    row_id(),
    ref("lane_id", "lanes"),
    Column("charge", BigInteger, nullable=False),
    postgresql_with=CHURN,
)

tasks = Table(
    "tasks",
    metadata,
    row_id(),
    ref("job_id", "jobs"),
    ref("lane_id", "lanes"),
    Column("frame", Integer, nullable=False),
    Column("part", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("openings", Integer, nullable=False),
    Column("cost_ms", BigInteger, nullable=False),
    digest("input", nullable=True),
    at("ended_at", nullable=True),
    Column("past_lease", Id, nullable=False, server_default="0"),
    UniqueConstraint("job_id", "frame", "part"),
    CheckConstraint("openings >= 0", name="openings"),
    # the claim's second step: the first task of a lane that has an opening
    partial_index("ix_tasks_open", "lane_id", "id", where="openings > 0"),
    # who names a blob, here and below: what retention and sweep ask before they drop it
    partial_index("ix_tasks_input", "input", where="input IS NOT NULL"),
    postgresql_with=CHURN,
)

leases = Table(
    "leases",
    metadata,
    row_id(),
    ref("task_id", "tasks"),
    ref("machine_id", "machines"),
    ref("account_id", "accounts"),
    ref("session_id", "sessions", nullable=True),
    Column("protocol", Text, nullable=False),
    Column("state", Text, nullable=False),
    at("granted_at"),
    at("deadline_at"),
    at("ended_at", nullable=True),
    Column("reason", Text, nullable=False, server_default=""),
    Column("figures", Text, nullable=False, server_default="{}"),
    digest("log", nullable=True),
    Index(None, "task_id"),
    Index(None, "machine_id", "id"),
    # what a session holds and has earned; wires without sessions cost nothing
    partial_index("ix_leases_session_id", "session_id", where="session_id IS NOT NULL"),
    partial_index("ix_leases_log", "log", where="log IS NOT NULL"),
    partial_index("uq_leases_active", "machine_id", "task_id", where="state = 'active'", unique=True),
    partial_index("ix_leases_deadline", "deadline_at", where="state = 'active'"),
    postgresql_with=CHURN,
)

results = Table(
    "results",
    metadata,
    row_id(),
    ref("task_id", "tasks"),
    ref("lease_id", "leases"),
    ref("machine_id", "machines"),
    ref("account_id", "accounts"),
    digest("digest"),
    Column("like_id", Id, nullable=True),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("soundness", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    at("submitted_at"),
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
    at("until_at"),
)

# a row is a transfer: from the account whose job it is to the one that made its picture
ledger = Table(
    "ledger",
    metadata,
    row_id(),
    Column("result_id", Id, ForeignKey("results.id"), nullable=False, unique=True),
    ref("account_id", "accounts"),
    ref("payer_id", "accounts"),
    ref("job_id", "jobs"),
    Column("millipoints", BigInteger, nullable=False),
    Column("cost_ms", BigInteger, nullable=False),
    Column("taken_s", BigInteger, nullable=False),
    at("earned_at"),
    # what an account has earned and spent, without a look at the rows
    Index(None, "account_id", "millipoints"),
    Index(None, "payer_id", "millipoints"),
)

events = Table(
    "events",
    metadata,
    row_id(),
    at("at"),
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
    row_id(),
    Column("what", Text, nullable=False),
    ref("job_id", "jobs"),
    ref("task_id", "tasks", nullable=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False, server_default=""),
    at("queued_at"),
    at("due_at"),
    Column("taken_by", Text, nullable=False, server_default=""),
    Column("deaths", Integer, nullable=False, server_default="0"),
    partial_index("ix_chores_due", "due_at", where="state = 'queued'"),
    partial_index("ix_chores_waiting", "job_id", where="state = 'queued'"),
    partial_index("ix_chores_failed", "job_id", where="state = 'failed'"),
    postgresql_with=CHURN,
)

products = Table(
    "products",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    digest("digest"),
    Column("media_type", Text, nullable=False),
    at("made_at"),
    Index(None, "digest"),
)

# of each page that an account watches, the order whose pictures were accepted last
baselines = Table(
    "baselines",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    ref("job_id", "jobs"),
    at("accepted_at"),
    Index(None, "job_id"),
)

previews = Table(
    "previews",
    metadata,
    Column("task_id", Id, ForeignKey("tasks.id"), primary_key=True),
    Column("width", Integer, primary_key=True),
    digest("digest"),
    Index(None, "digest"),
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
    at("cast_at"),
    CheckConstraint("value IN (-1, 1)", name="value"),
)

renderers = Table(
    "renderers",
    metadata,
    row_id(),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("os", Text, nullable=False),
    Column("bits", Integer, nullable=False),
    digest("digest"),
    Column("made", Text, nullable=False),
    at("added_at"),
    UniqueConstraint("name", "version", "os", "bits"),
)

archives = Table(
    "archives",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    digest("digest"),
    Column("main", Text, nullable=False),
    at("made_at"),
    Index(None, "digest"),
)

# what a person is beside an account: where letters go, and since when nobody may sign in
people = Table(
    "people",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("email", Text, nullable=False, server_default=""),
    at("verified_at", nullable=True),
    at("closed_at", nullable=True),
    Column("closed_why", Text, nullable=False, server_default=""),
)

web_sessions = Table(
    "web_sessions",
    metadata,
    row_id(),
    Column("token_hash", Text, nullable=False, unique=True),
    ref("account_id", "accounts"),
    Column("browser", Text, nullable=False),
    at("opened_at"),
    at("last_seen_at"),
    at("ended_at", nullable=True),
    Index(None, "account_id"),
)

# secrets that work once: invitations, resets of a password, proofs of an address
tickets = Table(
    "tickets",
    metadata,
    row_id(),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("purpose", Text, nullable=False),
    ref("account_id", "accounts"),
    Column("role", Text, nullable=False, server_default=""),
    at("made_at"),
    at("expires_at"),
    at("used_at", nullable=True),
)

# whoever has a team's invitation may join it, until its leader makes another
teams = Table(
    "teams",
    metadata,
    row_id(),
    Column("name", Text, nullable=False, unique=True),
    ref("leader_id", "accounts"),
    Column("invitation_hash", Text, nullable=True, unique=True),
    at("created_at"),
)

# an account is in one team at most
members = Table(
    "members",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    ref("team_id", "teams"),
    at("joined_at"),
    Index(None, "team_id"),
)

# private jobs that the team of their account sees
team_jobs = Table(
    "team_jobs",
    metadata,
    Column("job_id", Id, ForeignKey("jobs.id"), primary_key=True, autoincrement=False),
    ref("team_id", "teams"),
    Index(None, "team_id"),
)

# who changed what of people and machines, for the owner
audit = Table(
    "audit",
    metadata,
    row_id(),
    at("at"),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("about", Text, nullable=False, server_default=""),
)

# copies of the whole farm that were asked for, how far the house is with one, and how it ended
backups = Table(
    "backups",
    metadata,
    row_id(),
    Column("who", Text, nullable=False),
    Column("folder", Text, nullable=False),
    at("asked_at"),
    at("heard_at", nullable=True),
    Column("files_done", BigInteger, nullable=False, server_default="0"),
    Column("files", BigInteger, nullable=False, server_default="0"),
    Column("new_files", BigInteger, nullable=False, server_default="0"),
    Column("size_bytes", BigInteger, nullable=False, server_default="0"),
    at("ended_at", nullable=True),
    Column("trouble", Text, nullable=False, server_default=""),
)

# what lies on the farm's disk, by what it is there for, as the house counted it last
storage = Table(
    "storage",
    metadata,
    Column("sort", Text, primary_key=True),
    Column("blobs", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    at("counted_at"),
)

# what the house does not do for a while, such as clearing while a backup is made
pauses = Table(
    "pauses",
    metadata,
    Column("what", Text, primary_key=True),
    at("until_at"),
)

# which farm this is: one row with a word that no other farm has, made with the table
identity = Table("identity", metadata, Column("farm", Text, primary_key=True))
