"""How many trips to PostgreSQL a picture makes on each wire: there a trip costs more than most statements."""

from dataclasses import replace

import pytest
from tests.faults.ground import KIND_OF, Crew, furnish
from tests.serving import serving

from sheepfold.farm import needs, nonces, outlook
from sheepfold.store.transaction import Tx

TRIPS = {"rest": 8, "electricsheep": 8, "sheepit": 12, "browsershots": 24}
"""From the request for a task to the answer to its picture (docs/decisions/0023-fewer-trips-on-all-wires.md).

Four of Browsershots' are challenges, of which old factories make one less.
"""


@pytest.fixture
def trips(monkeypatch):
    """Collect what is sent to the database from this process."""
    made = []

    def note(name, said):
        do = getattr(Tx, name)

        def noted(tx, statement, *values):
            if name == "control":
                tx.flush()  # what waits is a trip of its own, before this one
            made.append(said(statement))
            return do(tx, statement, *values)

        monkeypatch.setattr(Tx, name, noted)

    for name in ("_run", "control", "_execute_composed"):
        note(name, lambda statement: " ".join(str(statement).split()))
    return made


@pytest.fixture
def unhurried(monkeypatch):
    """Leave out what is done the more seldom, the more there is to do: it comes when time has passed, or by chance."""
    monkeypatch.setattr(outlook, "SHARE", 10**9)
    monkeypatch.setattr(needs, "NEWS_PERIOD_S", 10**9)
    monkeypatch.setattr(nonces, "SWEEP_EVERY", 2**33)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("protocol", KIND_OF)
def test_a_picture_makes_few_trips_to_the_database(build, trips, protocol):
    house = build("postgresql")
    people = furnish(house, 3, KIND_OF[protocol])
    with house.farm() as farm:
        now = farm.now()
        with serving(replace(farm, now=lambda: now), house.port):
            crew = Crew(house, people, protocol)
            crew.make_one()
            trips.clear()
            crew.make_one()
        assert len(crew.sent) == 2
        assert len(trips) == TRIPS[protocol], trips
