"""The server is killed at every border on the way of a picture; it is started again, the machine sends again."""

import pytest
from tests.faults.ground import FLAMES, KIND_OF, Crew, assert_check_is_content, furnish, reckon

from sheepfold.protocols.link import FarmUnreachable
from sheepfold.protocols.rest.client import RestLink

pytestmark = pytest.mark.timeout(900)
ENDPOINTS = {
    "rest": "sheepfold.protocols.rest.express",
    "electricsheep": "sheepfold.protocols.electricsheep.endpoints",
    "sheepit": "sheepfold.protocols.sheepit.endpoints",
    "browsershots": "sheepfold.farm.shots",
}
CLAIM = (
    "before sheepfold.farm.dispatch:claim 3",
    "after sheepfold.farm.dispatch:claim 2",
    "after sheepfold.store.events:add 3",
    "after {endpoint}:claim_task 2",
)
PICTURE = (
    "before sheepfold.blobs.spool:Spool.write 2",
    "after sheepfold.blobs.spool:Spool.finish",
    "before sheepfold.blobs.local:LocalBlobs.keep 2",
    "before sheepfold.blobs.local:os.link 2",
    "after sheepfold.blobs.local:os.link",
    "after sheepfold.blobs.local:LocalBlobs.keep 2",
    "after sheepfold.kinds.inspector:Inspector.inspect",
    "before sheepfold.farm.intake:_settled 2",
    "after sheepfold.farm.intake:name_blob",
    "before sheepfold.store.ledger:pay",
    "after sheepfold.store.ledger:pay 2",
    "after sheepfold.farm.intake:_settled 2",
    "after {endpoint}:submit_wanted",
    "after {endpoint}:submit_wanted 2",
)
CHORE = (
    "before sheepfold.farm.chores:keep_file",
    "after sheepfold.farm.chores:keep_file",
    "after sheepfold.store.blobs:set_preview",
    "before sheepfold.store.chores:end 2",
)
VISIT = (
    "before sheepfold.farm.shots:visit_rows.add_screenshot",
    "after sheepfold.farm.nonces:_use 2",
    "after sheepfold.store.leases:save_figures 2",
    "after sheepfold.farm.shots:visit_rows.add_screenshot",
)
"""What lies on the way of a screenshot alone."""
FAST = {
    ("rest", "sqlite"): ("after sheepfold.farm.dispatch:claim 2", "after sheepfold.store.ledger:pay"),
    ("rest", "postgresql"): ("after sheepfold.blobs.local:LocalBlobs.keep", "after {endpoint}:submit_wanted"),
    ("electricsheep", "sqlite"): ("after sheepfold.farm.intake:_settled", "after sheepfold.farm.chores:keep_file"),
}


def live_through(house, protocol, borders, frames):
    people = furnish(house, frames, KIND_OF[protocol])
    house.start()
    crew = Crew(house, people, protocol)  # its session, or UID, is the same to the end
    crew.make_one()
    for number, border in enumerate(borders, 1):
        house.stop()
        house.start(border.format(endpoint=ENDPOINTS[protocol]))
        if house.deaths < number:  # a chore that it takes over may kill it before it listens
            crew.work_until_it_dies()
        assert house.deaths == number, border
    crew.finish()
    house.stop()
    reckon(house, crew.sent, frames)
    assert_check_is_content(house)


@pytest.mark.parametrize(("protocol", "dialect"), FAST)
def test_what_a_killed_server_had_accepted_is_there_and_paid_once(build, protocol, dialect):
    live_through(build(dialect), protocol, FAST[protocol, dialect], 6)


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_lease_whose_grant_was_not_told_any_more_is_held_by_our_worker(build, dialect):
    house = build(dialect, environment={"SHEEPFOLD_LEASE_TERM_S": "3600"})
    people = furnish(house, 1)
    house.start(f"after {ENDPOINTS['rest']}:claim_task")
    with RestLink(house.url, people.keys[0], "faults", claim_wait_s=1, pause=lambda _: None) as link:
        link.open(FLAMES)
        with pytest.raises(FarmUnreachable):
            link.claim(FLAMES)
        house.revive()
        link.open(FLAMES)
        work = link.claim(FLAMES)
        assert (house.deaths, work.handle, work.frame, link.claim(FLAMES)) == (1, "1", 0, None)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize("protocol", ENDPOINTS)
def test_a_server_may_be_killed_at_any_border(build, protocol, dialect):
    borders = CLAIM + PICTURE + CHORE + (VISIT if protocol == "browsershots" else ())
    live_through(build(dialect), protocol, borders, 60)
