"""Teams over the wire."""

import pytest

from sheepfold.model.accounts import Role
from sheepfold.protocols.rest.calls import FarmProblem


def test_a_team_is_made_joined_and_sees_a_private_job(site):
    ann, bob, eve = site.client("ann"), site.client("bob"), site.client("eve")
    assert ann.make_team("woolpack").leader == "ann"
    code = ann.invite_to_team("woolpack").rpartition("/")[2]
    assert bob.join_team(code).members == 2
    job = site.order(ann, shape="still")
    ann.change(job, private=True)
    assert ann.show_to_team(job, is_shown=True) == "woolpack"
    assert (bob.job(job).id, [one.id for one in bob.jobs().jobs]) == (job, [job])
    with pytest.raises(FarmProblem, match="no job"):
        eve.job(job)
    assert ann.show_to_team(job, is_shown=False) == ""
    with pytest.raises(FarmProblem, match="no job"):
        bob.job(job)


def test_a_team_is_handed_over_and_left(site):
    ann, bob = site.client("ann"), site.client("bob")
    ann.make_team("woolpack")
    bob.join_team(ann.invite_to_team("woolpack").rpartition("/")[2])
    assert {one.name for one in ann.hand_over_team("woolpack", "bob").roll} == {"ann", "bob"}
    ann.remove_from_team("woolpack", "ann")
    assert [(one.name, one.leader, one.members) for one in ann.teams().teams] == [("woolpack", "bob", 1)]


@pytest.mark.parametrize(("method", "path", "body", "status"), [
    ("POST", "/teams", {"name": "7up"}, 422), ("POST", "/teams", {"name": "woolpack"}, 409),
    ("POST", "/teams/join", {"invitation": "nothing"}, 404), ("POST", "/teams/join", {"invitation": "a b"}, 400),
    ("GET", "/teams/none", None, 404), ("POST", "/teams/woolpack/invitation", None, 403),
    ("PATCH", "/teams/woolpack", {"leader": "eve"}, 403), ("DELETE", "/teams/woolpack/members/ann", None, 403),
    ("DELETE", "/teams/woolpack/members/eve", None, 404)])
def test_what_a_stranger_asks_of_a_team_is_refused(site, method, path, body, status):
    site.client("ann").make_team("woolpack")
    headers = site.bearer(site.key("eve", "desk"))
    assert site.http.request(method, path, headers=headers, json=body).status_code == status


def test_a_key_for_rendering_leads_nobody(site):
    headers = site.bearer(site.key("vic", "box", Role.VOLUNTEER))
    assert site.http.post("/teams", headers=headers, json={"name": "woolpack"}).status_code == 403
