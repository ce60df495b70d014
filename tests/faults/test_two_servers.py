"""Two servers on one PostgreSQL: one is killed, in the midst of what it is at, and its machines go on at the other."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.faults.ground import (
    KIND_OF,
    PATIENCE_S,
    Crew,
    assert_check_is_content,
    furnish,
    furnish_each,
    insisted,
    reckon,
)
from tests.faults.launcher import HELD
from tests.faults.proxy import Proxy
from tests.faults.test_borders import ENDPOINTS

FRAMES = {"flame": 8, "blender": 4, "screenshot": 4}
MOMENTS = {
    "a lease is granted": [f"hold after {endpoint}:claim_task" for endpoint in ENDPOINTS.values()],
    "a picture is to be kept": ["hold before sheepfold.blobs.local:LocalBlobs.keep"],
    "a picture is being settled": ["hold before sheepfold.store.ledger:pay"],
    "a picture is written": ["hold after sheepfold.farm.intake:_settled"],
    "a picture is settled": [f"hold after {endpoint}:submit_wanted" for endpoint in ENDPOINTS.values()],
}
"""What a server has done when it is killed, of a request on each wire: nobody has heard an answer, and what is written
is not committed yet."""
BEHIND = {"a picture is written": 1}
"""How many requests wait for a row that one which is held has written: two wires make pictures of one job."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_of_two_servers_one_may_be_killed_with_requests_of_each_wire_in_flight(build, moment):
    one, other = two_houses(build, words=("--no-house",))
    people = furnish_each(one, FRAMES)
    one.start()
    crews = [Crew(one, people[KIND_OF[protocol]], protocol, number)
             for number, protocol in enumerate(reversed(KIND_OF))]  # a factory's is the first of the machines
    for crew in crews:
        certainly_make_one(crew)
    one.stop()
    one.start(*MOMENTS[moment])
    other.start()
    with Proxy(one.port).running() as balancer, ThreadPoolExecutor(len(crews)) as pool:
        for crew in crews:
            crew.house = other
            crew.machine.reroute(balancer.url)
        made = [pool.submit(certainly_make_one, crew) for crew in crews]
        until_held(one, len(crews) - BEHIND.get(moment, 0))
        assert not any(one_made.done() for one_made in made)
        one.kill()
        balancer.port = other.port
        for one_made in made:
            one_made.result()
        for crew in crews:
            crew.finish()
    other.stop()
    reckon(other, [body for crew in crews for body in crew.sent], sum(FRAMES.values()))
    assert_check_is_content(other)


def two_houses(build, **more):
    """Build a house on a PostgreSQL, with words of its own, and another one on the same database and blobs."""
    one, other = build("postgresql", **more), build()
    other.data, other.database_url = one.data, one.database_url
    other.environment["DATABASE_URL"] = one.database_url
    return one, other


def certainly_make_one(crew):
    """Make a picture, and another one's where a lease has ended before its page was loaded."""
    until = time.monotonic() + PATIENCE_S
    while not crew.make_one_by(insisted):
        assert time.monotonic() < until


def until_held(house, requests):
    """Wait until so many requests are held at a house's border."""
    until = time.monotonic() + PATIENCE_S
    while house.log.read_text().count(HELD) < requests:
        assert time.monotonic() < until, house.log.read_text()[-3000:]
        time.sleep(0.05)


def test_of_two_servers_on_one_database_one_may_be_killed(build):
    frames = 30
    one, other = two_houses(build)
    people = furnish(one, frames)
    one.start()
    other.start()
    first, second = Crew(one, people, "rest", 0), Crew(other, people, "electricsheep", 1)
    made = threading.Thread(target=lambda: [second.make_one() for _ in range(10)])
    made.start()
    for _ in range(4):
        first.make_one()
    one.kill()
    first.machine.http.base_url = str(first.machine.http.base_url).replace(str(one.port), str(other.port))
    first.house = other  # the session that one server opened goes on at the other
    made.join(120)
    first.finish()
    other.stop()
    reckon(other, first.sent + second.sent, frames)
    assert_check_is_content(other)
