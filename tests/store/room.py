"""What a migration takes from the code of the release before: told by the schema before and after it."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Inspector, inspect


@dataclass(frozen=True)
class Shape:
    """A table as code that writes into it knows it: its columns by name, and the rules for its rows."""

    columns: dict[str, dict[str, Any]]
    rules: frozenset[str]


def shapes(engine: Engine) -> dict[str, Shape]:
    """Return the shapes of all tables, by name."""
    look = inspect(engine)
    rules: defaultdict[Any, set[str]] = defaultdict(set)
    for table, rule in _rules(look):
        rules[table].add(rule)
    return {table[1]: Shape({column["name"]: column for column in columns}, frozenset(rules[table]))
            for table, columns in look.get_multi_columns().items()}


def _rules(look: Inspector) -> Iterator[tuple[Any, str]]:
    for table, key in look.get_multi_pk_constraint().items():
        yield table, f"the primary key {key['constrained_columns']}"
    for table, one in _each(look.get_multi_unique_constraints()):
        yield table, f"the unique {sorted(one['column_names'])}"
    for table, one in _each(look.get_multi_indexes()):
        where = next((str(value) for name, value in one["dialect_options"].items() if name.endswith("_where")), "")
        if one["unique"]:
            yield table, f"the unique {sorted(filter(None, one['column_names']))} {where}".rstrip()
    for table, one in _each(look.get_multi_check_constraints()):
        yield table, f"the check {one['sqltext']}"
    for table, one in _each(look.get_multi_foreign_keys()):
        target = f"{one['referred_table']} {one['referred_columns']}"
        yield table, f"the foreign key {one['constrained_columns']} of {target}"


def _each(found: Any) -> Iterator[tuple[Any, Any]]:
    return ((table, one) for table, ones in found.items() for one in ones)


def taken(before: dict[str, Shape], after: dict[str, Shape]) -> list[str]:
    """Tell what older code had and has no more, a sentence each."""
    lost = [f"{table} is gone" for table in sorted(before.keys() - after.keys())]
    for table in sorted(before.keys() & after.keys()):
        lost += [f"{table} {what}" for what in _taken_of(before[table], after[table])]
    return lost


def _taken_of(before: Shape, after: Shape) -> Iterator[str]:
    for name in sorted(before.columns.keys() - after.columns.keys()):
        yield f"has no {name} any more"
    for name, column in after.columns.items():
        was = before.columns.get(name)
        if not column["nullable"] and not _is_filled(column) and (was is None or was["nullable"] or _is_filled(was)):
            yield f"wants a {name} that older code does not give it"
        elif was is not None and was["nullable"] and not column["nullable"]:
            yield f"takes no {name} that is empty any more"
        if was is not None and str(was["type"]) != str(column["type"]):
            yield f"has {column['type']} as {name}, which was {was['type']}"
    for rule in sorted(after.rules - before.rules):
        yield f"has a new rule, {rule}"


def _is_filled(column: dict[str, Any]) -> bool:
    """Say whether the database fills a column that is not given."""
    return column["default"] is not None or bool(column.get("identity"))


def is_out(release: str, changelog: str) -> bool:
    """Say whether a release is out, as the changelog tells."""
    return re.search(rf"^## {re.escape(release)}, (?!unreleased)", changelog, re.MULTILINE) is not None
