"""All migrations together are the schema, on both databases."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import BatchOperations, Operations
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, Column, Integer, Text, create_engine, event, inspect, text
from tests.commands import run_here
from tests.conftest import World
from tests.store.room import is_out, shapes, taken

from sheepfold.farm.backups import make_next_backup
from sheepfold.farm.forgetting import forget_old_rows
from sheepfold.farm.postman import deliver_due
from sheepfold.farm.retention import Retention
from sheepfold.farm.upkeep import (
    expire_leases,
    favour_earners,
    forget_order_keys,
    shorten_leases,
    sweep_blobs,
    tidy_lanes,
)
from sheepfold.farm.views import view_job_page
from sheepfold.farm.webhooks import newest_deliveries
from sheepfold.model.errors import BadInput
from sheepfold.store import straight
from sheepfold.store.database import Database, Tx
from sheepfold.store.migrations.revisions import known, newest, revision_in
from sheepfold.store.migrations.upgrade import config, upgrade
from sheepfold.store.opening import open_database
from sheepfold.store.schema import metadata
from sheepfold.store.wholeness import lacking

NEWER = f"{int(newest()) + 2:04}"


@pytest.fixture
def engine(database_url):
    made = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    upgrade(made)
    yield made
    made.dispose()


def test_migrations_make_the_schema(engine):
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    assert differences == []


def test_partial_indexes_are_partial(engine):
    query = {"sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
             "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"}
    with engine.connect() as connection:
        made = dict(map(tuple, connection.execute(text(query[engine.dialect.name]))))
    for table in metadata.sorted_tables:
        for index in table.indexes:
            wanted = index.dialect_options[engine.dialect.name]["where"] is not None
            assert ("WHERE" in made[index.name].upper()) is wanted, index.name


def test_job_ids_begin_where_no_client_takes_them_for_a_machine_test(engine):
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO accounts (name, role, created_at) VALUES ('a', 'artist', 1)"))
        ids = [connection.execute(text(
            "INSERT INTO jobs (account_id, kind, title, spec, priority, quorum, max_attempts, state, tasks_total,"
            " created_at) VALUES (1, 'flame', '', '{}', 0, 1, 1, 'running', 1, 1) RETURNING id")).scalar()
            for _ in range(2)]
    assert ids == [1000, 1001]


def test_upgrade_twice_changes_nothing(engine):
    before = inspect(engine).get_table_names()
    upgrade(engine)
    assert inspect(engine).get_table_names() == before


@pytest.fixture
def engine_of_old(dialect, request, tmp_path):
    """Return an empty database."""
    if dialect == "sqlite":
        made = create_engine(f"sqlite:///{tmp_path / 'old.sqlite'}")
        yield made
        made.dispose()
        return
    server = request.getfixturevalue("postgres_server")
    name = server.create("template1")
    made = create_engine(server.url(name).replace("postgresql://", "postgresql+psycopg://"))
    yield made
    made.dispose()
    server.drop(name)


def test_what_was_paid_before_points_were_spent_gets_a_payer_and_a_time(engine_of_old):
    upgrade(engine_of_old, "0010")
    with engine_of_old.begin() as connection:
        for statement in (
            "INSERT INTO accounts (name, role, created_at) VALUES ('ann', 'artist', 1), ('bob', 'artist', 1)",
            "INSERT INTO machines (account_id, name, created_at, last_seen_at) VALUES (2, 'box', 1, 1)",
            "INSERT INTO needs (canonical) VALUES ('{}')",
            "INSERT INTO lanes (needs_id, account_id, priority, virtual_time) VALUES (1, 1, 0, 0)",
            "INSERT INTO blobs (digest, md5, size_bytes, kept_at) VALUES ('d', '', 0, 0)",
            "INSERT INTO jobs (account_id, kind, title, spec, priority, quorum, max_attempts, state, tasks_total,"
            " created_at) VALUES (1, 'flame', '', '{}', 0, 1, 1, 'done', 1, 1)",
            "INSERT INTO tasks (job_id, lane_id, frame, part, state, openings, cost_ms)"
            " VALUES (1000, 1, 0, 0, 'done', 0, 7000)",
            "INSERT INTO leases (task_id, machine_id, account_id, protocol, state, granted_at, deadline_at)"
            " VALUES (1, 1, 2, 'rest', 'submitted', 100, 700)",
            "INSERT INTO results (task_id, lease_id, machine_id, account_id, digest, verdict, soundness, media_type,"
            " width, height, submitted_at) VALUES (1, 1, 1, 2, 'd', 'valid', 'sound', '', 1, 1, 160)",
            "INSERT INTO ledger (result_id, account_id, job_id, millipoints, earned_at) VALUES (1, 2, 1000, 7000, 160)",
        ):
            connection.execute(text(statement))
    upgrade(engine_of_old)
    query = "SELECT result_id, account_id, payer_id, job_id, millipoints, cost_ms, taken_s, earned_at FROM ledger"
    with engine_of_old.connect() as connection:
        assert [tuple(row) for row in connection.execute(text(query))] == [(1, 2, 1, 1000, 7000, 7000, 60, 160)]


def test_an_account_that_voted_by_name_and_by_number_has_one_vote(engine_of_old):
    upgrade(engine_of_old, "0023")
    with engine_of_old.begin() as connection:
        for statement in (
            "INSERT INTO accounts (name, role, created_at) VALUES ('ann', 'artist', 1), ('bob', 'artist', 1)",
            "INSERT INTO jobs (account_id, kind, title, spec, priority, quorum, max_attempts, state, tasks_total,"
            " created_at) VALUES (1, 'flame', '', '{}', 0, 1, 1, 'done', 1, 1)",
            "INSERT INTO votes (job_id, voter, value, cast_at) VALUES (1000, 'ann', 1, 1), (1000, 'account 1', -1, 2),"
            " (1000, 'bob', 1, 1), (1000, 'BAD0BEEF00000001', 1, 1)",
        ):
            connection.execute(text(statement))
    upgrade(engine_of_old)
    with engine_of_old.connect() as connection:
        found = connection.execute(text("SELECT voter, value FROM votes ORDER BY voter")).all()
    assert dict(map(tuple, found)) == {"BAD0BEEF00000001": 1, "account 1": -1, "account 2": 1}


def test_of_two_votes_that_an_account_cast_on_servers_of_two_releases_the_newer_counts(engine_of_old):
    upgrade(engine_of_old, "0024")
    with engine_of_old.begin() as connection:
        for statement in (
            "INSERT INTO accounts (name, role, created_at) VALUES ('ann', 'artist', 1), ('bob', 'artist', 1),"
            " ('cat', 'artist', 1), ('dan', 'artist', 1)",
            "INSERT INTO jobs (account_id, kind, title, spec, priority, quorum, max_attempts, state, tasks_total,"
            " created_at) VALUES (1, 'flame', '', '{}', 0, 1, 1, 'done', 1, 1)",
            "INSERT INTO votes (job_id, voter, value, cast_at) VALUES (1000, 'ann', 1, 1), (1000, 'account 1', -1, 2),"
            " (1000, 'bob', 1, 2), (1000, 'account 2', -1, 1), (1000, 'cat', -1, 1), (1000, 'account 4', 1, 1),"
            " (1000, 'BAD0BEEF00000001', 1, 1)",
        ):
            connection.execute(text(statement))
    upgrade(engine_of_old)
    with engine_of_old.connect() as connection:
        found = connection.execute(text("SELECT voter, value FROM votes ORDER BY voter")).all()
    assert dict(map(tuple, found)) == {
        "BAD0BEEF00000001": 1, "account 1": -1, "account 2": 1, "account 3": -1, "account 4": 1}


LAST_BEFORE_THE_RULE = "0024"
ROOT = Path(__file__).parents[2]


def test_each_migration_leaves_room_for_the_code_of_the_release_before(engine_of_old):
    """docs/decisions/0027-rolling-upgrades.md says how; what a release could do without may go in a later one."""
    upgrade(engine_of_old, LAST_BEFORE_THE_RULE)
    scripts, changelog = ScriptDirectory.from_config(config()), (ROOT / "CHANGELOG.md").read_text("utf-8")
    before = shapes(engine_of_old)
    for number, revision in enumerate(known(), 1):
        assert revision == f"{number:04}"
        if revision > LAST_BEFORE_THE_RULE:
            upgrade(engine_of_old, revision)
            after = shapes(engine_of_old)
            ready_since = getattr(scripts.get_revision(revision).module, "ready_since", "")
            assert taken(before, after) == [] or is_out(ready_since, changelog), revision
            before = after


def test_a_release_is_out_when_the_changelog_has_its_day():
    changelog = "# Changelog\n\n## 0.2.0, unreleased\n\nFor 0.1.0, as for others.\n\n## 0.1.0, 2026-12-24\n"
    assert [is_out(release, changelog) for release in ("0.1.0", "0.2.0", "0.3.0", "")] == [True, False, False, False]


def in_batch(table: str, step: Callable[[BatchOperations], object]) -> Callable[[Operations], None]:
    """Return a step on a table that SQLite can only make by building it anew."""

    def stepped(op: Operations) -> None:
        with op.batch_alter_table(table) as batch:
            step(batch)

    return stepped


TAKES = (
    ("votes has no cast_at any more", in_batch("votes", lambda batch: batch.alter_column(
        "cast_at", existing_type=BigInteger(), new_column_name="given_at"))),
    ("votes has INTEGER as given_at, which was BIGINT", in_batch("votes", lambda batch: batch.alter_column(
        "given_at", existing_type=BigInteger(), type_=Integer()))),
    ("votes wants a weight that older code does not give it", in_batch(
        "votes", lambda batch: batch.add_column(Column("weight", Integer, nullable=False)))),
    ("votes has a new rule, the unique ['voter']", lambda op: op.create_index("ux", "votes", ["voter"], unique=True)),
    ("votes is gone", lambda op: op.drop_table("votes")),
    ("shares is gone", lambda op: op.rename_table("shares", "links")),
    ("jobs wants a ended_at that older code does not give it", in_batch("jobs", lambda batch: batch.alter_column(
        "ended_at", existing_type=BigInteger(), nullable=False))),
    ("jobs takes no kept_at that is empty any more", in_batch("jobs", lambda batch: batch.alter_column(
        "kept_at", existing_type=BigInteger(), nullable=False, server_default="0"))),
    ("nonces wants a network that older code does not give it", in_batch("nonces", lambda batch: batch.alter_column(
        "network", existing_type=Text(), server_default=None))),
    ("pauses has a new rule, the unique ['until_at']", in_batch(
        "pauses", lambda batch: batch.create_unique_constraint("uq", ["until_at"]))),
    ("pauses has a new rule, the check", in_batch(
        "pauses", lambda batch: batch.create_check_constraint("ck", text("until_at > 0")))),
    ("pauses has a new rule, the foreign key ['until_at'] of jobs ['id']", in_batch(
        "pauses", lambda batch: batch.create_foreign_key("fk", "jobs", ["until_at"], ["id"]))),
)
LEAVES = (
    lambda op: op.create_table("bells", Column("id", Integer, primary_key=True),
                               Column("name", Text, nullable=False, unique=True)),
    lambda op: op.add_column("jobs", Column("rung_at", BigInteger, nullable=True)),
    lambda op: op.add_column("jobs", Column("bells", Integer, nullable=False, server_default="0")),
    lambda op: op.create_index("ix", "votes", ["voter"]),
    lambda op: op.drop_index("ix_jobs_kind_id", table_name="jobs"),
    in_batch("votes", lambda batch: batch.alter_column("cast_at", existing_type=BigInteger(), nullable=True)),
)


def test_what_a_step_takes_from_older_code_is_told(engine):
    def told(step: Callable[[Operations], object]) -> list[str]:
        before = shapes(engine)
        with engine.begin() as connection:
            step(Operations(MigrationContext.configure(connection)))
        return taken(before, shapes(engine))

    for step in LEAVES:
        assert told(step) == []
    for wanted, step in TAKES:
        assert told(step)[0].startswith(wanted)


def brought_to(db: Database, revision: str) -> None:
    """Have a database be at a revision that is none of ours."""
    db.write(lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}))


def test_a_database_that_a_newer_release_brought_up_to_date_is_opened_as_it_is(db, database_url, tmp_path, caplog):
    db.write(lambda tx: tx.execute(text("CREATE TABLE of_a_newer_release (id INTEGER PRIMARY KEY)")))
    brought_to(db, NEWER)
    with closing(open_database(database_url, tmp_path)) as again:
        assert again.look(revision_in) == NEWER
        assert again.look(lambda tx: tx.execute(text("SELECT count(*) FROM of_a_newer_release")).scalar_one()) == 0
    assert [record.getMessage() for record in caplog.records] == [
        f"schema={NEWER} known={newest()} reason=brought up to date by a newer release"]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_migration_that_a_server_at_work_stands_in_the_way_of_is_tried_again(engine_of_old):
    """The server holds jobs and wants blobs, and 0012, which holds blobs, wants jobs last: it is undone."""
    upgrade(engine_of_old, "0011")
    served: list[Future[None]] = []

    def work(holds: threading.Event) -> None:
        with engine_of_old.begin() as connection:
            connection.execute(text("SET LOCAL deadlock_timeout = '1h'"))  # it is not this that is undone
            connection.execute(text("LOCK TABLE jobs"))
            holds.set()
            connection.execute(text("LOCK TABLE blobs"))

    def get_in_the_way(connection, cursor, statement, *_):
        if statement.startswith("ALTER TABLE jobs") and not served:
            served.append(pool.submit(work, holds := threading.Event()))
            assert holds.wait(120)
            with engine_of_old.connect() as other:
                while not other.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
                    time.sleep(0.01)

    with ThreadPoolExecutor(1) as pool:
        event.listen(engine_of_old, "before_cursor_execute", get_in_the_way)
        upgrade(engine_of_old)
        served[0].result(120)
    with engine_of_old.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == newest()


@pytest.mark.parametrize("revision", ["1975ea83b712", "202612241800", "0000", "25", "\u0661\u0662\u0663\u0664", "head"])
def test_a_database_at_a_revision_that_is_no_release_s_is_refused(db, database_url, tmp_path, revision):
    brought_to(db, revision)
    with pytest.raises(BadInput, match=f"at revision {revision}, which no release"):
        open_database(database_url, tmp_path)


def test_a_database_at_two_revisions_is_refused(db, database_url, tmp_path):
    db.write(lambda tx: tx.execute(text("INSERT INTO alembic_version (version_num) VALUES ('0007')")))
    with pytest.raises(BadInput, match=r"0007.* and |.* and 0007"):
        open_database(database_url, tmp_path)


def test_another_program_s_database_is_one_line_at_the_command_line(tmp_path):
    with closing(open_database("", tmp_path)) as db:
        brought_to(db, "1975ea83b712")
    ended = run_here("account", "list", "--data", tmp_path)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("sheepfold: The database's schema is at revision 1975ea83b712")
    assert len(ended.err.splitlines()) == 1


def test_indexes_that_a_newer_release_has_dropped_are_no_finding(db):
    db.write(lambda tx: tx.execute(text("DROP INDEX ix_jobs_kind_id")))
    assert [finding.what for finding in db.read(lambda tx: list(lacking(tx)))] != []
    brought_to(db, NEWER)
    assert db.read(lambda tx: list(lacking(tx))) == []


OFTEN = 6
"""So often that PostgreSQL has a statement prepared, with its columns as they were."""


@pytest.mark.slow
def test_a_farm_at_work_goes_on_while_its_schema_grows(world: World, monkeypatch):
    """What a newer release adds: columns of all tables, at their ends, and a table."""
    monkeypatch.setattr(straight, "PREPARED_MOST", 10_000)
    box, ann, job_id, seeds = world.maker("box"), world.account("ann"), world.order().id, count(step=10)
    upkeep = (expire_leases, shorten_leases, tidy_lanes, favour_earners, sweep_blobs, forget_order_keys,
              forget_old_rows, make_next_backup, deliver_due)

    def work() -> None:
        for deed in (*(partial(deed, world.farm) for deed in upkeep), Retention(world.farm).step,
                     partial(view_job_page, world.farm, job_id), partial(newest_deliveries, world.farm, ann),
                     lambda: world.order(frames=2) and world.make_all(box, next(seeds)), world.do_chores):
            for _ in range(OFTEN):
                deed()

    def grow(tx: Tx) -> None:
        for table in metadata.sorted_tables:
            tx.execute(text(f"ALTER TABLE {table.name} ADD COLUMN grown_at BIGINT"))
            tx.execute(text(f"ALTER TABLE {table.name} ADD COLUMN grown TEXT NOT NULL DEFAULT ''"))
        tx.execute(text("CREATE TABLE of_a_newer_release (id INTEGER PRIMARY KEY)"))

    work()
    world.farm.db.write(grow)
    brought_to(world.farm.db, NEWER)
    work()
    assert world.findings() == []
