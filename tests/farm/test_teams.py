"""Teams: who may join, lead and leave one, what it has earned, and which private jobs it sees."""

import pytest

from sheepfold.farm import sight, teams
from sheepfold.farm.browse import list_jobs
from sheepfold.farm.owner import close_account
from sheepfold.farm.people import view_person
from sheepfold.farm.sight import Viewer, eyes_of
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Conflict, Forbidden, InvalidName, NameTaken, NotFound, UnknownJob


@pytest.fixture
def people(world):
    """Ann leads a team that bob is in; eve is in none, and boss owns the farm."""
    who = {"ann": Role.ARTIST, "bob": Role.VOLUNTEER, "eve": Role.ARTIST, "boss": Role.OWNER}
    found = {name: world.account(name, role) for name, role in who.items()}
    teams.make_team(world.farm, found["ann"], "Woolpack")
    teams.join(world.farm, found["bob"], teams.invite(world.farm, found["ann"], "woolpack"))
    return found


def names(world, team="woolpack"):
    return {one.name for one in teams.view_team(world.farm, team).members}


def sees(world, account, job):
    try:
        sight.check_job(world.farm, Viewer(account), job.id)
    except UnknownJob:
        return False
    return True


def test_a_team_is_joined_by_its_newest_invitation_alone(world, people):
    old = teams.invite(world.farm, people["ann"], "woolpack")
    new = teams.invite(world.farm, people["ann"], "woolpack")
    assert teams.team_behind(world.farm, new).name == "woolpack"
    with pytest.raises(NotFound):
        teams.join(world.farm, people["eve"], old)
    teams.join(world.farm, people["eve"], new)
    assert names(world) == {"ann", "bob", "eve"}


def test_nobody_is_in_two_teams(world, people):
    teams.make_team(world.farm, people["eve"], "flockers")
    code = teams.invite(world.farm, people["eve"], "flockers")
    for deed in (lambda: teams.join(world.farm, people["bob"], code),
                 lambda: teams.make_team(world.farm, people["bob"], "bobs")):
        with pytest.raises(Conflict, match="woolpack"):
            deed()


@pytest.mark.parametrize(("name", "error"), [("woolpack", NameTaken), ("WoolPack", NameTaken), ("7up", InvalidName),
                                             ("a/b", InvalidName), ("", InvalidName)])
def test_a_name_is_plain_and_of_one_team(world, people, name, error):
    with pytest.raises(error):
        teams.make_team(world.farm, people["eve"], name)


def test_a_team_has_earned_what_its_members_have(world, people):
    world.order(2)
    world.make_all(world.maker("box", "bob"))
    earned = view_person(world.farm, people["bob"].id).purse.earned
    teams.make_team(world.farm, people["eve"], "idlers")
    assert earned > 0
    assert [(one.name, one.earned, one.members) for one in teams.list_teams(world.farm, 100)] == [
        ("woolpack", earned, 2), ("idlers", 0, 1)]
    teams.remove(world.farm, people["bob"], "woolpack", "bob")
    assert teams.view_team(world.farm, "woolpack").team.earned == 0


@pytest.mark.parametrize("deed", [
    lambda farm, who: teams.invite(farm, who, "woolpack"), lambda farm, who: teams.remove(farm, who, "woolpack", "ann"),
    lambda farm, who: teams.hand_over(farm, who, "woolpack", who.name)], ids=["invite", "remove", "hand over"])
@pytest.mark.parametrize("name", ["bob", "eve"])
def test_only_its_leader_rules_a_team(world, people, deed, name):
    with pytest.raises(Forbidden, match="ann leads"):
        deed(world.farm, people[name])


def test_the_farms_owner_rules_every_team(world, people):
    teams.remove(world.farm, people["boss"], "woolpack", "bob")
    assert names(world) == {"ann"}


def test_a_leader_hands_over_before_leaving(world, people):
    with pytest.raises(Conflict):
        teams.remove(world.farm, people["ann"], "woolpack", "ann")
    code = teams.invite(world.farm, people["ann"], "woolpack")
    teams.hand_over(world.farm, people["ann"], "woolpack", "bob")
    teams.remove(world.farm, people["ann"], "woolpack", "ann")
    assert teams.view_team(world.farm, "woolpack").team.leader == "bob"
    with pytest.raises(NotFound):
        teams.team_behind(world.farm, code)


def test_nobody_leads_a_team_that_they_are_not_in(world, people):
    with pytest.raises(NotFound):
        teams.hand_over(world.farm, people["ann"], "woolpack", "eve")


def test_the_last_member_takes_the_team_along(world, people):
    job = world.order(1)
    sight.set_private(world.farm, people["ann"], job.id, is_private=True)
    sight.show_to_team(world.farm, people["ann"], job.id, is_shown=True)
    for name in ("bob", "ann"):
        teams.remove(world.farm, people[name], "woolpack", name)
    assert teams.list_teams(world.farm, 100) == []
    assert not sees(world, people["bob"], job)


def test_a_closed_account_leaves_its_team_to_who_was_there_longest(world, people):
    world.clock.now += 10
    teams.join(world.farm, people["eve"], teams.invite(world.farm, people["ann"], "woolpack"))
    close_account(world.farm, people["boss"], "ann")
    page = teams.view_team(world.farm, "woolpack")
    assert (page.team.leader, {one.name for one in page.members}) == ("bob", {"bob", "eve"})


def test_a_private_job_is_seen_by_the_team_it_is_shown_to(world, people):
    job = world.order(1)
    with pytest.raises(Conflict):
        sight.show_to_team(world.farm, people["ann"], job.id, is_shown=True)
    sight.set_private(world.farm, people["ann"], job.id, is_private=True)
    assert not sees(world, people["bob"], job)
    assert sight.show_to_team(world.farm, people["ann"], job.id, is_shown=True) == "woolpack"
    assert {name: sees(world, account, job) for name, account in people.items()} == {
        "ann": True, "bob": True, "eve": False, "boss": True}
    listed = {name: [one.id for one in list_jobs(world.farm, 9, None, eyes_of(Viewer(account)))]
              for name, account in people.items()}
    assert listed == {"ann": [job.id], "bob": [job.id], "eve": [], "boss": [job.id]}
    sight.show_to_team(world.farm, people["ann"], job.id, is_shown=False)
    assert not sees(world, people["bob"], job)


def test_who_sees_a_job_in_a_team_changes_nothing_of_it(world, people):
    job = world.order(1)
    sight.set_private(world.farm, people["ann"], job.id, is_private=True)
    sight.show_to_team(world.farm, people["ann"], job.id, is_shown=True)
    for name in ("bob", "eve"):
        with pytest.raises(Forbidden):
            sight.show_to_team(world.farm, people[name], job.id, is_shown=False)


@pytest.mark.parametrize("leaves", ["ann", "bob"])
def test_who_has_left_shows_and_sees_nothing_there_also_after_a_return(world, people, leaves):
    job = world.order(1)
    sight.set_private(world.farm, people["ann"], job.id, is_private=True)
    sight.show_to_team(world.farm, people["ann"], job.id, is_shown=True)
    if leaves == "ann":
        teams.hand_over(world.farm, people["ann"], "woolpack", "bob")
    teams.remove(world.farm, people[leaves], "woolpack", leaves)
    assert not sees(world, people["bob"], job)
    stayed = "bob" if leaves == "ann" else "ann"
    teams.join(world.farm, people[leaves], teams.invite(world.farm, people[stayed], "woolpack"))
    assert sees(world, people["bob"], job) is (leaves == "bob")


def test_a_job_that_was_open_to_all_is_not_the_teams_when_private_again(world, people):
    job = world.order(1)
    sight.set_private(world.farm, people["ann"], job.id, is_private=True)
    sight.show_to_team(world.farm, people["ann"], job.id, is_shown=True)
    sight.set_private(world.farm, people["ann"], job.id, is_private=False)
    sight.set_private(world.farm, people["ann"], job.id, is_private=True)
    assert not sees(world, people["bob"], job)
