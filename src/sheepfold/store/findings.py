"""Findings: what breaks an invariant, told by jobs, frames and machines rather than by numbers of rows."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from sheepfold.store.database import Tx

SHOWN = 20
"""How many rows of one kind are named; more would not help anybody."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that should not be: which invariant, what breaks it, and what an owner does about it."""

    invariant: str
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """An invariant as a query for the rows that break it, and what is said of each of them.

    `says` is a sentence with the query's columns in braces. A column that is called after a noun, such as `task` or
    `account_paid`, holds an id, which is told as `named` does. `told(event, name)` in the query is what the detail of
    an event holds under a name, and `counted(event, name)` the same as a number.
    """

    invariant: str
    says: str
    remedy: str
    query: str
    by_indexes: bool = False
    """Whether PostgreSQL is to look for each row by itself, rather than read tables whole."""


_TOLD = {
    "sqlite": r"json_extract(\1.detail, '$.\2')",
    "postgresql": r"(CAST(\1.detail AS json) ->> '\2')",
}
_COUNTED = {"sqlite": _TOLD["sqlite"], "postgresql": f"CAST({_TOLD['postgresql']} AS bigint)"}


def broken(tx: Tx, rule: Rule, values: Mapping[str, int]) -> Iterator[Finding]:
    """Find what breaks a rule: the first rows of it, and how many more there are."""
    query = _written(tx, rule.query)
    asked = {name: value for name, value in values.items() if f":{name}" in query}
    found = f"({query}) AS broken"
    rows = tx.execute(text(f"SELECT * FROM {found} LIMIT {SHOWN + 1}"), asked).all()  # noqa: S608 -- a rule's own
    for row in rows[:SHOWN]:
        yield Finding(rule.invariant, sentence(tx, rule.says, row._asdict()), rule.remedy)
    if len(rows) > SHOWN:
        count = tx.execute(text(f"SELECT count(*) FROM {found}"), asked).scalar_one()  # noqa: S608 -- a rule's own
        yield Finding(rule.invariant, more(count), rule.remedy)


def more(count: int) -> str:
    """Say how many there are of something beyond those that were named."""
    return f"and {count - SHOWN} more"


def shortened(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Pass on the first findings of each invariant, and at the end how many more there were of it."""
    counts: dict[str, int] = {}
    remedies: dict[str, str] = {}
    for one in findings:
        counts[one.invariant] = counts.get(one.invariant, 0) + 1
        remedies[one.invariant] = one.remedy
        if counts[one.invariant] <= SHOWN:
            yield one
    yield from (Finding(invariant, more(count), remedies[invariant])
                for invariant, count in counts.items() if count > SHOWN)


def _written(tx: Tx, query: str) -> str:
    """Write a query as its database reads JSON."""
    query = re.sub(r"\btold\((\w+), (\w+)\)", _TOLD[tx.dialect.name], query)
    return re.sub(r"\bcounted\((\w+), (\w+)\)", _COUNTED[tx.dialect.name], query)


def sentence(tx: Tx, says: str, row: Mapping[str, Any]) -> str:
    """Return what is said of a row."""
    return re.sub(r"\{(\w+)\}", lambda found: named(tx, found[1].split("_")[0], row[found[1]]), says)


# what a row is called: each by its primary key, and whatever it names may be gone
_TASK = """
    'task ' || t.id || ' (job ' || t.job_id || ', frame ' || t.frame
    || CASE WHEN t.part > 0 THEN ', part ' || t.part ELSE '' END || ')'
"""
_BY = "coalesce(m.name, 'machine ' || n.machine_id)"
_OF_TASK = f"""
    coalesce({_TASK}, 'task ' || n.task_id)
    FROM {{table}} n LEFT JOIN machines m ON m.id = n.machine_id LEFT JOIN tasks t ON t.id = n.task_id WHERE n.id = :id
"""
_CALLED = {
    "task": f"SELECT {_TASK} FROM tasks t WHERE t.id = :id",  # noqa: S608 -- a constant
    "result": f"SELECT 'result ' || n.id || ' of ' || {_BY} || ' for ' || {_OF_TASK.format(table='results')}",
    "lease": f"SELECT 'lease ' || n.id || ' of ' || {_BY} || ' on ' || {_OF_TASK.format(table='leases')}",
    "machine": "SELECT 'machine ' || name FROM machines WHERE id = :id",
    "account": "SELECT 'account ' || name FROM accounts WHERE id = :id",
}
_NAMED = {sort: text(query) for sort, query in _CALLED.items()}
_NUMBERED = frozenset({"job", "lane", "key"})


def named(tx: Tx, sort: str, value: object) -> str:
    """Return what an owner calls a row of a sort, by its id: a task by its frame, a lease by its machine, and so on.

    A file is told by who names it, and a value of no such sort as it is.
    """
    if value is None:
        return "none"
    if sort == "blob":
        use = use_of(tx, str(value))
        return f"blob {value} ({use})" if use else f"blob {value}"
    row = tx.execute(_NAMED[sort], {"id": value}).first() if sort in _NAMED else None
    if row is not None:
        return str(row[0])
    return f"{sort} {value}" if sort in _NAMED or sort in _NUMBERED else str(value)


# who names a file: the first that does tells what it is
_USES = [text(query) for query in (
    "SELECT 'result' AS sort, id AS id, '' AS name FROM results WHERE digest = :digest LIMIT 1",
    "SELECT 'job' AS sort, job_id AS id, 'the input ' || name || ' of ' AS name FROM job_inputs"
    " WHERE digest = :digest LIMIT 1",
    "SELECT 'task' AS sort, id AS id, 'the input of ' AS name FROM tasks WHERE input = :digest LIMIT 1",
    "SELECT 'task' AS sort, task_id AS id, 'the preview of ' AS name FROM previews WHERE digest = :digest LIMIT 1",
    "SELECT 'job' AS sort, job_id AS id, name || ' of ' AS name FROM products WHERE digest = :digest LIMIT 1",
    "SELECT 'job' AS sort, job_id AS id, 'the archive of ' AS name FROM archives WHERE digest = :digest LIMIT 1",
    "SELECT 'lease' AS sort, id AS id, 'the log of ' AS name FROM leases WHERE log = :digest LIMIT 1",
    "SELECT 'file' AS sort, source AS id, 'a small copy of ' AS name FROM thumbnails WHERE digest = :digest LIMIT 1",
    "SELECT 'renderer' AS sort, name || ' ' || version AS id, 'the renderer ' AS name FROM renderers"
    " WHERE digest = :digest LIMIT 1",
)]


def use_of(tx: Tx, digest: str) -> str:
    """Say what a file is there for, such as which task it is the picture of; empty where nothing names it."""
    for query in _USES:
        row = tx.execute(query, {"digest": digest}).first()
        if row is not None:
            return f"{row.name}{named(tx, row.sort, row.id)}"
    return ""
