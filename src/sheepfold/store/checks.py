"""What is asked of a database to see that a farm agrees with itself, and what wears the database out over time."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psycopg
from sqlalchemy import text

from sheepfold.model.errors import StoreUnavailable
from sheepfold.store import invariants, wholeness
from sheepfold.store.database import Database, T, Tx
from sheepfold.store.findings import Finding, Rule, broken

DEAD_ROWS = 50_000
"""So many dead rows are noise; more of them than living ones means that autovacuum does not keep up, or is off."""
WAL_BYTES = 2**30
"""A log that is larger is held back by something: a reader that never ends, a replica that is gone."""
LONGEST_TRANSACTION_S = 900
"""Rows that have died since it began are kept until it ends; of the farm's own only a large backup takes as long."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What rows are held against: the time, for how long a lease may be granted, and since when none was forgotten."""

    now: int
    longest_lease_s: int = 2**40
    remembered_since: int = 0


def contradictions(tx: Tx, moment: Moment) -> Iterator[Finding]:
    """Find rows that contradict each other, in one transaction."""
    for rule in invariants.RULES:
        yield from broken(tx, rule, asdict(moment))


def all_contradictions(db: Database, moment: Moment) -> Iterator[Finding]:
    """Find what is wrong with a database, with its pages, its indexes and its rows, each rule by itself.

    What the database cannot answer is a finding, too. Raises StoreUnavailable where it answers nothing any more.
    """
    values = asdict(moment)
    yield from answered(db, "whether its pages are whole", wholeness.torn)
    yield from answered(db, "whether its indexes are there", wholeness.lacking)
    for rule in (*wholeness.RULES, *invariants.RULES):
        yield from answered(db, f"whether {rule.invariant}", partial(broken, rule=rule, values=values),
                            by_indexes=rule.by_indexes)
    yield from answered(db, "how it wears", strains)


def answered(db: Database, question: str, find: Callable[[Tx], Iterable[Finding]], *,
             by_indexes: bool = False) -> list[Finding]:
    """Return what is found by a question; where the database cannot answer it, that is the finding."""
    try:
        return asked(db, question, lambda tx: list(find(tx)), by_indexes=by_indexes)
    except Unanswered as error:
        return [error.finding]


class Unanswered(Exception):
    """A database that is there cannot answer a question, since a page or a table of it is damaged or gone."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


def asked(db: Database, question: str, ask: Callable[[Tx], T], *, by_indexes: bool = False) -> T:
    """Return the answer to a question; raises Unanswered, and StoreUnavailable where the database answers none."""
    try:
        return (db.look if by_indexes else db.read)(ask)
    except (StoreUnavailable, sqlite3.DatabaseError, psycopg.Error) as error:
        db.look(lambda tx: tx.execute(text("SELECT 1")))
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        found = f"it cannot say {question}: {reason}"
        raise Unanswered(Finding("the database answers what it is asked", found, wholeness.DAMAGED)) from error


# rows that nobody vacuums, transactions that nobody ends, logs that a replica which is gone or an archiver that fails
# still holds back; and what reading has shown of pages, which is asked last: this check-up has read most of them
_STRAINS = (
    Rule("PostgreSQL vacuums what churns", "{table} has {dead} dead rows beside {living} living ones",
         "See that autovacuum is on, and run VACUUM ANALYZE once.", """
        SELECT relname AS "table", n_dead_tup AS dead, n_live_tup AS living
        FROM pg_stat_user_tables WHERE n_dead_tup > :dead_rows AND n_dead_tup > n_live_tup
    """),
    Rule("no transaction stays open for long", "process {pid} has had one open for {seconds} s",
         "See in pg_stat_activity whose it is, and end it there.", """
        SELECT pid, CAST(extract(epoch FROM now() - xact_start) AS bigint) AS seconds
        FROM pg_stat_activity
        WHERE datname = current_database() AND extract(epoch FROM now() - xact_start) > :longest_transaction_s
    """),
    Rule("PostgreSQL's log does not pile up", "replication slot {slot} holds back {size} MiB",
         "Start the replica again, or drop its slot.", """
        SELECT slot_name AS slot, CAST(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) / 1048576 AS bigint) AS size
        FROM pg_replication_slots WHERE pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > :wal_bytes
    """),
    Rule("PostgreSQL's log does not pile up",
         "the archiver could not put {wal} away {seconds} s ago, nor anything since",
         "See in PostgreSQL's own log what its archive_command says: until that succeeds, the log is kept whole.", """
        SELECT last_failed_wal AS wal, CAST(extract(epoch FROM now() - last_failed_time) AS bigint) AS seconds
        FROM pg_stat_archiver
        WHERE current_setting('archive_mode') <> 'off' AND last_failed_time > coalesce(last_archived_time, '-infinity')
    """),
    Rule("no page of the database is torn", "PostgreSQL has read {failures} pages with wrong checksums",
         wholeness.DAMAGED, """
        SELECT checksum_failures AS failures
        FROM pg_stat_database WHERE datname = current_database() AND checksum_failures > 0
    """),
)  # fmt: skip
_FILES = text("PRAGMA database_list")


def strains(tx: Tx) -> Iterator[Finding]:
    """Find what wears a database out over time, though no row is wrong yet, and what PostgreSQL has read of pages."""
    if tx.dialect.name == "postgresql":
        for rule in _STRAINS:
            yield from broken(tx, rule, {"dead_rows": DEAD_ROWS, "wal_bytes": WAL_BYTES,
                                          "longest_transaction_s": LONGEST_TRANSACTION_S})
        return
    for row in tx.execute(_FILES):
        log = Path(f"{row.file}-wal")
        if row.file and log.exists() and log.stat().st_size > WAL_BYTES:
            yield Finding("SQLite's log does not pile up", f"{log.name} has {log.stat().st_size // 2**20} MiB",
                          "Something reads for long and never ends: look for programs that hold the file open.")
