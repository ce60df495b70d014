"""A full farm is as quick as an empty one: what is asked with each request, and each second, walks indexes."""

import pytest
from tests.faults.ground import KIND_OF, Crew, furnish
from tests.plans import heard, whole
from tests.serving import serving

from sheepfold.farm.expiry import expire_orders
from sheepfold.farm.upkeep import expire_leases

REMEMBERED = ("SELECT count(*) FROM machines WHERE last_seen_at >= :since",)
"""What is asked the more seldom, the longer it takes."""


@pytest.mark.parametrize("protocol", KIND_OF)
def test_no_request_of_a_machine_reads_a_table_whole(build, monkeypatch, protocol):
    statements = heard(monkeypatch)
    house = build()
    people = furnish(house, 3, KIND_OF[protocol])
    with house.farm() as farm, serving(farm, house.port):
        crew = Crew(house, people, protocol)
        statements.clear()
        while len(crew.sent) < 2:
            crew.make_one()
        expire_leases(farm)
        expire_orders(farm)
        asked = list(statements)
        assert any("INSERT INTO ledger" in statement for statement in asked)
        assert any("deadline_at <=" in statement for statement in asked)
        plans = {statement: farm.db.look(lambda tx, s=statement: whole(tx, s)) for statement in asked}
    walks = {statement: walked for statement, walked in plans.items() if walked and statement not in REMEMBERED}
    assert walks == {}

