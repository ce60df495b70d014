"""Bring a database's schema up to date, whoever comes first."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

LOCK = 7_305_122
"""PostgreSQL's advisory lock that lets one server at a time migrate; a number of our own choosing."""


def config() -> Config:
    """Return Alembic's configuration; the connection is handed over in its attributes."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.set_main_option("path_separator", "os")
    return made


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations that a database lacks, in one transaction."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        upgrade_on(connection, revision)


def upgrade_on(connection: Connection, revision: str = "head") -> None:
    """Run the migrations inside an open transaction; a database that lacks none is told by a single query."""
    if revision == "head" and MigrationContext.configure(connection).get_current_revision() == _head():
        return
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, revision)


@cache
def _head() -> str | None:
    """Return the newest migration; a process reads them all for it, once."""
    return ScriptDirectory.from_config(config()).get_current_head()
