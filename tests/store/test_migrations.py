"""All migrations together are the schema, on both databases."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from sheepfold.store.migrations.upgrade import upgrade
from sheepfold.store.schema import metadata


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
