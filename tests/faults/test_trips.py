"""How many trips to PostgreSQL a picture makes on each wire: there a trip costs more than most statements."""

from dataclasses import replace

import pytest
from tests.conftest import Clock
from tests.faults.ground import KIND_OF, Crew, furnish
from tests.serving import serving

from sheepfold.farm import needs, nonces, outlook
from sheepfold.store.sessions import SEEN_GRAIN_S
from sheepfold.store.straight import Straight
from sheepfold.store.transaction import Tx

TRIPS = {"rest": 7, "electricsheep": 5, "sheepit": 11, "browsershots": 20}
"""From the request for a task to the answer to its picture (docs/decisions/0023-fewer-trips-on-all-wires.md and
0030-commit-goes-along.md).

Two of REST's and SheepIt's note that a session was heard of, once a minute. Four of Browsershots' are challenges, of
which old factories make one less.
"""


@pytest.fixture
def trips(monkeypatch):
    """Collect what goes to the database from this process, by trips; to have a statement prepared is left out."""
    made = []

    def note(kind, name, said):
        do = getattr(kind, name)

        def noted(self, *asked):
            if found := said(self, *asked):
                made.append(" ".join(str(found).split()))
            return do(self, *asked)

        monkeypatch.setattr(kind, name, noted)

    note(Straight, "run", lambda self, statement, _values: statement * (not self.waits_to_begin))
    note(Straight, "run_in_turn", lambda _self, asked: [statement for statement, _ in asked])
    note(Straight, "command", lambda self, *commands: commands or self.waits_to_begin)
    note(Tx, "_run_each", lambda _self, statement, _values: statement)
    note(Tx, "_execute_composed", lambda _self, query, _values: str(query))
    return made


@pytest.fixture
def unhurried(monkeypatch):
    """Leave out what is done the more seldom, the more there is to do: it comes when time has passed, or by chance."""
    monkeypatch.setattr(outlook, "SHARE", 10**9)
    monkeypatch.setattr(needs, "NEWS_PERIOD_S", 10**9)
    monkeypatch.setattr(nonces, "SWEEP_EVERY", 2**33)


def make_one(crew, clock):
    """Have a machine claim a task, render it for a while, and send its picture."""
    clock.advance(2 * SEEN_GRAIN_S)
    order = crew.machine.claim()
    assert crew.machine.lead(order)
    clock.advance(2 * SEEN_GRAIN_S)
    crew.machine.send(order, crew.painted(order))


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("protocol", KIND_OF)
def test_a_picture_makes_few_trips_to_the_database(build, trips, protocol):
    house = build("postgresql")
    people = furnish(house, 3, KIND_OF[protocol])
    with house.farm() as farm:
        clock = Clock(farm.now())
        with serving(replace(farm, now=clock), house.port):
            crew = Crew(house, people, protocol)
            make_one(crew, clock)
            trips.clear()
            make_one(crew, clock)
        assert len(trips) == TRIPS[protocol], trips
