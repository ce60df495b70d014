"""Bring a database's schema up to date, whoever comes first."""

import logging
import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from sheepfold.model.errors import BadInput
from sheepfold.store.migrations.revisions import is_newer, known, newest

LOCK = 7_305_122
"""PostgreSQL's advisory lock that lets one server at a time migrate; a number of our own choosing."""
TRIES = 6
_DEADLOCK = "40P01"

_log = logging.getLogger(__name__)


def config() -> Config:
    """Return Alembic's configuration; the connection is handed over in its attributes."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.set_main_option("path_separator", "os")
    return made


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations that a database lacks, in one transaction; raises BadInput as `upgrade_on` does.

    Servers may be at work on PostgreSQL meanwhile: where one of them and this wait for each other, and it is this that
    the database undoes, it is tried again.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
                return upgrade_on(connection, revision)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _DEADLOCK or attempt == TRIES:
                raise
        time.sleep(0.05 * 2**attempt)
    raise AssertionError  # the last attempt has returned or raised


def upgrade_on(connection: Connection, revision: str = "head") -> None:
    """Run the migrations inside an open transaction; a database that lacks none is told by a single query.

    One that a newer release has brought up to date is left as it is. Raises BadInput for one that no release has made.
    """
    found = MigrationContext.configure(connection).get_current_heads()
    if revision == "head" and found == (newest(),):
        return
    if len(found) == 1 and is_newer(found[0]):
        _log.warning("schema=%s known=%s reason=brought up to date by a newer release", found[0], newest())
        return
    if len(found) > 1 or not set(found) <= set(known()):
        raise BadInput(f"The database's schema is at revision {' and '.join(found)}, which no release of this program"
                       f" has made; this one knows those up to {newest()}. Is the database another program's?")
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, revision)
