"""Whether a database is whole: what rows name is there, values are ones that the farm knows, no page is torn."""

from collections.abc import Iterator
from enum import StrEnum

from sqlalchemy import Table, UniqueConstraint, text
from sqlalchemy.schema import CreateIndex

from sheepfold.model.accounts import Role, Scope
from sheepfold.model.jobs import JobState
from sheepfold.model.tasks import LeaseState, Soundness, TaskState, Verdict
from sheepfold.store.chores import ChoreWhat
from sheepfold.store.database import Tx
from sheepfold.store.findings import SHOWN, Finding, Rule
from sheepfold.store.invariants import RESTORE
from sheepfold.store.migrations.revisions import is_newer, revision_in
from sheepfold.store.schema import metadata

_NOUNS = {"accounts": "account", "jobs": "job", "leases": "lease", "machines": "machine", "results": "result",
          "tasks": "task", "lanes": "lane"}
_KNOWN: dict[tuple[str, str], type[StrEnum] | tuple[str, ...]] = {
    ("accounts", "role"): Role,
    ("machine_keys", "scope"): Scope,
    ("jobs", "state"): JobState,
    ("tasks", "state"): TaskState,
    ("leases", "state"): LeaseState,
    ("results", "verdict"): Verdict,
    ("results", "soundness"): Soundness,
    ("chores", "what"): ChoreWhat,
    ("chores", "state"): ("queued", "done", "failed"),
}


def _references() -> Iterator[Rule]:
    """Give a rule for each column that names a row of another table, or a file."""
    for table in metadata.sorted_tables:
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
            column, target = key.parent.name, key.column.table.name
            called, chosen = _called(table)
            query = f"""
                SELECT {chosen}, n.{column} AS missing
                FROM {table.name} n LEFT JOIN {target} f ON f.{key.column.name} = n.{column}
                WHERE n.{column} IS NOT NULL AND f.{key.column.name} IS NULL
            """  # noqa: S608 -- of the schema's own names
            if target == "blobs":
                yield Rule(_FILES_ARE_KNOWN, f"{called} names the file {{missing}} by its {column},"
                           " and blobs has no row of it", _UNKNOWN_FILE, query)
            else:
                yield Rule("every row that is named is there",
                           f"{called} names {_NOUNS.get(target, target)} {{missing}} by its {column}", RESTORE, query)


_FILES_ARE_KNOWN = "every file that is named is known"
_UNKNOWN_FILE = ("The file stays where it is, and where an earlier backup has it; new ones lack it. Put its row back"
                 " from the last backup, or add one with its digest, its size and an empty md5.")


def _called(table: Table) -> tuple[str, str]:
    """Return what a row of a table is called in a sentence, and the columns that this needs."""
    if table.name in _NOUNS:
        return f"{{{_NOUNS[table.name]}}}", f"n.id AS {_NOUNS[table.name]}"
    columns = [column.name for column in table.primary_key]
    words = ", ".join(f"{column} {{pk_{column}}}" for column in columns)
    return f"the row of {table.name} with {words}", ", ".join(f"n.{column} AS pk_{column}" for column in columns)


def _values() -> Iterator[Rule]:
    """Give a rule for each column that holds one of some words."""
    for (table, column), known in _KNOWN.items():
        words = [str(word) for word in known]
        called, chosen = _called(metadata.tables[table])
        listed = ", ".join(f"'{word}'" for word in words)
        yield Rule("every state is one that the farm knows",
                   f"the {column} of {called} is {{found}}, which is none of {', '.join(words)}", RESTORE,
                   f"SELECT {chosen}, n.{column} AS found FROM {table} n WHERE n.{column} NOT IN ({listed})")  # noqa: S608


RULES = (*_values(), *_references())


def unknown_files(tx: Tx) -> set[str]:
    """Return the files that some row names though blobs has no row of them; none where all is well."""
    return {str(row.missing) for rule in RULES if rule.invariant == _FILES_ARE_KNOWN
            for row in tx.execute(text(rule.query))}  # fmt: skip


_INDEXES = {
    "sqlite": text("SELECT name, 1 AS is_valid, sql LIKE 'CREATE UNIQUE%' AS is_unique FROM sqlite_master"
                   " WHERE type = 'index' AND sql IS NOT NULL"),
    "postgresql": text("""
        SELECT c.relname AS name, i.indisvalid AS is_valid, i.indisunique AS is_unique
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
        WHERE t.relnamespace = CAST(current_schema() AS regnamespace)
    """),
}
_CONSTRAINTS = text("SELECT conname AS name FROM pg_constraint WHERE convalidated"
                    " AND connamespace = CAST(current_schema() AS regnamespace)")


def lacking(tx: Tx) -> Iterator[Finding]:
    """Find indexes and constraints of the schema that a database has lost, or cannot vouch for.

    Nothing is known of those of a database that a newer release has brought up to date.
    """
    if is_newer(revision_in(tx)):
        return
    found = {row.name: bool(row.is_unique) for row in tx.execute(_INDEXES[tx.dialect.name]) if row.is_valid}
    for table in metadata.sorted_tables:
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            if found.get(str(index.name)) is not bool(index.unique):
                made = " ".join(str(CreateIndex(index).compile(dialect=tx.dialect)).split())
                yield Finding("every index is there", f"{index.name} of {table.name} is not, or not as it was made",
                              f"With the server stopped, drop what bears its name, and run: {made}")
    if tx.dialect.name == "postgresql":
        yield from _lacking_constraints({row.name for row in tx.execute(_CONSTRAINTS)})


def _lacking_constraints(found: set[str]) -> Iterator[Finding]:
    """Look for constraints by the ends of their names: those of the first migration's checks begin twice."""
    for table in metadata.sorted_tables:
        for constraint in sorted(table.constraints, key=lambda constraint: str(constraint.name)):
            if not any(name.endswith(str(constraint.name)) for name in found):
                sort = "unique" if isinstance(constraint, UniqueConstraint) else "a constraint"
                yield Finding("every constraint is there", f"{constraint.name} of {table.name}, {sort}, is not,"
                              " or is not validated", "Restore the last backup into a new database, which has it.")


_QUICK_CHECK = text(f"PRAGMA quick_check({SHOWN})")
DAMAGED = "Stop the server, copy its database away, see to the disk, and restore the last backup that was well."


def torn(tx: Tx) -> Iterator[Finding]:
    """Find pages that cannot be what SQLite has written; PostgreSQL knows of those alone that somebody has read."""
    if tx.dialect.name != "sqlite":
        return
    lines = [line for row in tx.execute(_QUICK_CHECK) for line in str(row[0]).splitlines()]
    yield from (Finding("no page of the database is torn", f"SQLite has found this: {line}", DAMAGED)
                for line in lines if line != "ok" and not line.startswith("***"))
