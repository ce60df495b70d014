"""Revisions of the schema, which are the numbers of its migrations: those of this program, and those of newer ones.

A newer release may bring a database up to date while servers of this one are at work on it, and start anew. Its
migrations leave room for them (docs/decisions/0027-rolling-upgrades.md), so that they go on without touching them.
"""

import re
from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import text

from sheepfold.store.transaction import Tx

_FOUND = text("SELECT version_num FROM alembic_version")
_NUMBER = re.compile(r"[0-9]{4}", re.ASCII)


@cache
def known() -> tuple[str, ...]:
    """Return the numbers of all migrations of this program, in order; a process reads them all for it, once."""
    scripts = ScriptDirectory(str(Path(__file__).parent)).walk_revisions()
    return tuple(sorted(script.revision for script in scripts))


def newest() -> str:
    """Return the revision that this program brings databases to."""
    return known()[-1]


def is_newer(revision: str) -> bool:
    """Say whether only a newer release can have brought a database to this revision."""
    return _NUMBER.fullmatch(revision) is not None and revision > newest()


def revision_in(tx: Tx) -> str:
    """Return the number of the last migration that a database has seen."""
    return str(tx.execute(_FOUND).scalar_one())
