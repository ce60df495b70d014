"""The flock over the wire, votes, machines, and whose key it is."""

import pytest
from tests.protocols.rest.conftest import ABILITIES

from sheepfold.farm.browse import story
from sheepfold.model.accounts import Role
from sheepfold.protocols.link import Figures, Receipt
from sheepfold.protocols.rest.calls import FarmProblem, Unwelcome


def test_flock_lists_sheep_that_have_films(site):
    client = site.client()
    job = site.rendered(site.order(client, frames=2), client)
    site.order(client)
    flock = client.flock()
    film = next(product for product in job.products if product.name == "film.avi")
    sheep, = flock.sheep
    assert (flock.width, flock.height) == (32, 32)
    assert (sheep.job, sheep.film_digest, sheep.film_size_bytes) == (job.id, film.digest, film.size_bytes)


def test_account_has_one_vote_on_a_sheep(site):
    client, other = site.client("ann"), site.client("bob")
    job = client.job(site.order(client))
    number = job.sheep.number
    client.vote(number, 1)
    client.vote(number, 1)
    assert client.job(job.id).sheep.rating == 1
    other.vote(number, 1, job.sheep.generation)
    assert client.job(job.id).sheep.rating == 2
    client.vote(number, -1)
    assert client.job(job.id).sheep.rating == 0


def test_a_sheep_is_taken_out_by_whoever_ordered_it(site):
    client, other = site.client("ann"), site.client("bob")
    job = site.rendered(site.order(client, frames=2), client)
    place = (job.sheep.generation, job.sheep.number)
    with pytest.raises(Unwelcome, match="belongs to another account"):
        other.retire(*place)
    assert client.sheep(*place).retired_at is None
    assert client.retire(*place).retired_at == client.retire(*place).retired_at == site.clock.now
    assert client.flock().sheep == []
    with pytest.raises(FarmProblem, match="no sheep 7"):
        client.retire(1, 7)


@pytest.mark.parametrize(("number", "body", "status"), [
    (0, {"value": 2}, 400), (0, {"value": 0}, 400), (0, {}, 400), (0, {"value": 1}, 404), (2**40, {"value": 1}, 404),
    (0, {"value": 1, "generation": 2**40}, 400), (0, {"value": 1, "generation": 7}, 404), (-1, {"value": 1}, 404)])
def test_votes_that_make_no_sense_are_refused(site, number, body, status):
    headers = site.bearer(site.key("ann", "desk"))
    assert site.http.post(f"/flock/{number}/votes", headers=headers, json=body).status_code == status


def test_vote_on_an_unknown_sheep_says_so(site):
    with pytest.raises(FarmProblem, match="no sheep 7"):
        site.client().vote(7, 1)


def test_machines_are_listed(site):
    client = site.client()
    site.session("box")
    assert {machine.name for machine in client.machines().machines} == {"ann-desk", "box"}


def test_machines_show_their_power_and_accounts_their_points(site):
    client = site.client()
    job_id = site.order(client)
    link = site.link("box", "vera")
    work = link.claim(ABILITIES)
    site.clock.now += 60
    picture = site.farm.settings.data / "picture.png"
    picture.write_bytes(site.picture())
    assert link.submit(work, picture, Figures(1, 2, 3)) is Receipt.ACCEPTED
    cost = story(site.farm, client.job(job_id).tasks[0].id).task.cost_ms
    assert {machine.name: machine.power for machine in client.machines().machines} == {
        "ann-desk": None, "box": cost / 1000 / 60}
    assert (client.whoami().earned, client.whoami().spent) == (0, cost)
    assert site.client("vera", Role.VOLUNTEER).whoami().earned == cost


def test_key_says_whose_it_is(site):
    assert site.client().whoami().model_dump() == {
        "account": "ann", "role": "artist", "machine": "ann-desk", "may_order": True, "is_suspended": False,
        "earned": 0, "spent": 0}
    mine = site.http.get("/whoami", headers=site.session("box", "vera")).json()
    assert (mine["account"], mine["machine"], mine["may_order"]) == ("vera", "box", False)
    assert site.client("vic", Role.VOLUNTEER).whoami().may_order is False
