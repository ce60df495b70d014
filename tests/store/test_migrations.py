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
