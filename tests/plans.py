"""What a database is asked, which tables it would read whole for it, and how many rows it does read."""

import json
import re
from typing import Any

import pytest
from sqlalchemy import text

from sheepfold.store import schema
from sheepfold.store.straight import Straight
from sheepfold.store.transaction import Tx

# a row for each sort of machine; and what a statement itself was given or has found, which is a bounded number of rows
SMALL = re.compile(r"needs|json_each|c|f|few|flame|overdue|(own|all)_\d+|\d+")

PARTIAL = {index.name for table in schema.metadata.tables.values() for index in table.indexes
           if index.dialect_options["sqlite"]["where"] is not None}
"""Indexes that hold what is open, active or waiting alone: to walk one is to read no more than that."""


def heard(monkeypatch: pytest.MonkeyPatch) -> dict[str, None]:
    """Collect the text of all statements that run in this process from now on, in the order of their first time."""
    statements: dict[str, None] = {}
    run, run_composed = Tx._run, Tx._execute_composed

    def listen(tx, statement, values):
        statements.setdefault(statement, None)
        return run(tx, statement, values)

    def listen_composed(tx, query, values):
        compiled = query.compile(dialect=tx._composed.dialect, compile_kwargs={"render_postcompile": True})
        statements.setdefault(str(compiled), None)
        return run_composed(tx, query, values)

    monkeypatch.setattr(Tx, "_run", listen)
    monkeypatch.setattr(Tx, "_execute_composed", listen_composed)
    return statements


def whole(tx: Tx, statement: str) -> list[str]:
    """Return the tables that SQLite would read whole for a statement, or build anew for it."""
    if statement.startswith(("PRAGMA", "SAVEPOINT", "BEGIN", "COMMIT")):
        return []
    names = set(re.findall(r"(?<![:\w]):(\w+)", statement))
    asked = "EXPLAIN QUERY PLAN " + statement
    plan = (tx.execute(text(asked), dict.fromkeys(names, 1)) if names
            else tx.driver.execute(asked, [1] * statement.count("?")).fetchall())
    return [table for row in plan if (table := _walked(row[3], statement)) and not SMALL.fullmatch(table)]


def _walked(step: str, statement: str) -> str | None:
    """Return which table a step of a plan walks from end to end, if it does."""
    if scan := re.match(r"(?:SCAN|MATERIALIZE) (\S+)(?: USING (?:COVERING )?INDEX (\S+))?", step):
        return None if scan[2] in PARTIAL else scan[1]
    rest = re.fullmatch(r"SEARCH (\S+) USING (?:COVERING )?INDEX \S+ \((\w+)>\?\)", step)
    return rest[1] if rest and re.search(rf"(?<![+\w]){rest[2]} IS NOT NULL", statement) else None


def rows_read(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Collect how many rows PostgreSQL reads for each question from now on, planned as that connection has it plan."""
    read: dict[str, int] = {}
    run = Straight.run

    def explained(straight, statement, values):
        if statement.lstrip().startswith("SELECT"):
            answer = run(straight, "EXPLAIN (ANALYZE, FORMAT JSON) " + statement, values)
            read[statement] = read.get(statement, 0) + _rows_of(json.loads(answer.get_value(0, 0))[0]["Plan"])
        return run(straight, statement, values)

    monkeypatch.setattr(Straight, "run", explained)
    return read


def _rows_of(node: dict[str, Any]) -> int:
    """Return how many rows a step of a plan and those below it looked at."""
    rows = sum(node.get(name, 0) for name in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck"))
    return rows * node["Actual Loops"] + sum(_rows_of(below) for below in node.get("Plans", ()))
