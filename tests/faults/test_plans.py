"""A full farm is as quick as an empty one: what is asked with each request, and each second, walks indexes."""

import re

import pytest
from sqlalchemy import text
from tests.faults.ground import KIND_OF, Crew, furnish
from tests.serving import serving

from sheepfold.farm.expiry import expire_orders
from sheepfold.farm.upkeep import expire_leases
from sheepfold.store.transaction import Tx

# a row for each sort of machine; and what a statement itself has found, which is a bounded number of rows
SMALL = re.compile(r"needs|c|f|flame|overdue|(own|all)_\d+|\d+")
REMEMBERED = ("SELECT count(*) FROM machines WHERE last_seen_at >= :since",)
"""What is asked the more seldom, the longer it takes."""


@pytest.fixture
def statements(monkeypatch):
    """Collect the text of all statements that run in this process."""
    heard, run, run_composed = {}, Tx._run, Tx._execute_composed

    def listen(tx, statement, values):
        heard.setdefault(statement, None)
        return run(tx, statement, values)

    def listen_composed(tx, query, values):
        heard.setdefault(str(query.compile(dialect=tx._composed.dialect)), None)
        return run_composed(tx, query, values)

    monkeypatch.setattr(Tx, "_run", listen)
    monkeypatch.setattr(Tx, "_execute_composed", listen_composed)
    return heard


@pytest.mark.parametrize("protocol", KIND_OF)
def test_no_request_of_a_machine_reads_a_table_whole(build, statements, protocol):
    house = build()
    people = furnish(house, 3, KIND_OF[protocol])
    with house.farm() as farm, serving(farm, house.port):
        crew = Crew(house, people, protocol)
        statements.clear()
        while len(crew.sent) < 2:
            crew.make_one()
        expire_leases(farm)
        expire_orders(farm)
        heard = list(statements)
        assert any("INSERT INTO ledger" in statement for statement in heard)
        assert any("deadline_at <=" in statement for statement in heard)
        plans = {statement: farm.db.look(lambda tx, s=statement: whole(tx, s)) for statement in heard}
    walks = {statement: walked for statement, walked in plans.items() if walked and statement not in REMEMBERED}
    assert walks == {}


def whole(tx, statement):
    """Return the tables that SQLite would read whole for a statement, or build anew for it."""
    if statement.startswith(("PRAGMA", "SAVEPOINT", "BEGIN", "COMMIT")):
        return []
    names = set(re.findall(r"(?<![:\w]):(\w+)", statement))
    asked = "EXPLAIN QUERY PLAN " + statement
    plan = (tx.execute(text(asked), dict.fromkeys(names, 1)) if names
            else tx.driver.execute(asked, [1] * statement.count("?")).fetchall())
    found = [re.match(r"(?:SCAN|MATERIALIZE) (\S+)", row[3]) for row in plan]
    return [one[1] for one in found if one and not SMALL.fullmatch(one[1])]
