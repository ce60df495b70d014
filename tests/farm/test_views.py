"""What pages ask of the farm, on both databases."""

import pytest
from tests.conftest import HEIGHT, WIDTH, picture

from sheepfold.farm import people, privacy, views
from sheepfold.farm.accounts import add_account
from sheepfold.farm.dispatch import maker_named
from sheepfold.farm.repeating import render_task_again
from sheepfold.farm.sight import Viewer
from sheepfold.model.accounts import Role
from sheepfold.model.errors import BadCredentials, BadInput, Forbidden, JobEnded
from sheepfold.model.jobs import Terms

VISITOR = Viewer(None)
PASSWORD = "a long enough one"


def test_home_tells_what_waits_and_who_works(world):
    job = world.order(frames=3)
    maker = world.maker("argo")
    world.held(maker)
    home = views.view_home(world.farm, VISITOR, 5)
    assert [(one.machine, one.job_id) for one in home.at_work] == [("argo", job.id)]
    assert (home.queue.jobs, home.queue.tasks, home.queue.eta_s) == (1, 3, None)
    assert [card.job.id for card in home.cards] == [job.id]


def test_the_wall_shows_the_newest_pictures_first(world):
    job = world.order(frames=3)
    world.make_all(world.maker("argo"))
    world.do_chores()
    wall = views.view_home(world.farm, VISITOR, 1).wall
    assert {one.frame for one in wall} == {0, 1, 2}
    assert views.view_card(world.farm, job.id).newest == tuple(one.task_id for one in wall)


def test_the_wall_has_some_pictures_of_each_job_before_all_of_one(world):
    old, new = world.order(frames=1), world.order(frames=views.MOST_OF_A_JOB + 1)
    world.make_all(world.maker("argo"))
    world.do_chores()
    wall = [one.job_id for one in views.view_home(world.farm, VISITOR, 1).wall]
    assert wall == [new.id] * views.MOST_OF_A_JOB + [old.id, new.id]


def test_a_job_s_frames_come_in_pieces_that_join(world):
    job = world.order(frames=130)
    page = views.view_job_page(world.farm, job.id)
    assert [size for _, size in page.pieces] == [100, 30]
    frames = [task.frame for place, _ in page.pieces for task in views.view_piece(world.farm, job.id, place)]
    assert frames == list(range(130))
    first, last = views.view_piece(world.farm, job.id, (0, 0))[0], views.view_piece(world.farm, job.id, (129, 0))[0]
    assert views.neighbours(world.farm, job.id, (0, 0))[0] is None
    assert views.neighbours(world.farm, job.id, (129, 0))[1] is None
    assert views.neighbours(world.farm, job.id, (1, 0))[0] == first.id
    assert [task.id for task in views.view_tasks(world.farm, job.id, [last.id, first.id])] == [last.id, first.id]
    other = world.order(frames=1)
    assert views.view_tasks(world.farm, other.id, [first.id]) == []


def test_a_job_that_is_given_priority_goes_first(world):
    world.order(frames=1)
    second = world.order(frames=1)
    ann = world.account("ann")
    assert views.prioritise(world.farm, ann, second.id, 5).terms.priority == 5
    assert world.claim(world.maker("argo")).job.id == second.id
    assert world.findings() == []


def test_a_frame_that_is_wanted_anew_has_its_jobs_priority(world):
    argo, ann = world.maker("argo"), world.account("ann")
    job = world.order(frames=2)
    held = world.held(argo)
    world.send(held, picture(0, (WIDTH + world.task(held.task_id).frame, HEIGHT)))
    views.prioritise(world.farm, ann, job.id, 50)
    world.order(frames=1, account="eve", terms=Terms(priority=20))
    render_task_again(world.farm, ann, held.task_id)
    assert [world.claim(argo).job.id for _ in range(2)] == [job.id, job.id]
    assert world.findings() == []


def test_priority_is_refused_to_strangers_and_for_what_has_ended(world):
    job = world.order(frames=1)
    ann = world.account("ann")
    with pytest.raises(Forbidden):
        views.prioritise(world.farm, world.account("rex"), job.id, 5)
    with pytest.raises(BadInput):
        views.prioritise(world.farm, ann, job.id, 101)
    world.make_all(world.maker("argo"))
    with pytest.raises(JobEnded):
        views.prioritise(world.farm, ann, job.id, 5)


def test_lists_of_a_kind_and_the_queue_go_on_by_cursors(world):
    jobs = [world.order(frames=1).id for _ in range(3)]
    newest = views.list_cards_of_kind(world.farm, "screenshot", 2)
    assert [card.job.id for card in newest] == jobs[:0:-1]
    assert [card.job.id for card in views.list_cards_of_kind(world.farm, "screenshot", 2, jobs[1])] == [jobs[0]]
    found = views.view_farm(world.farm)
    assert [line.waiting for line in found.lines] == [1, 1, 1]
    assert views.machines_of(world.farm, None) == []


def test_a_session_ends_when_it_is_not_used(world):
    account = add_account(world.farm, "kim", Role.VOLUNTEER, "")
    token = people.open_web_session(world.farm, account, "a browser")
    world.clock.advance(world.farm.settings.web_session_s - 1)
    assert people.visitor_of(world.farm, token).account == account
    world.clock.advance(world.farm.settings.web_session_s - 1)
    assert people.visitor_of(world.farm, token) is not None
    world.clock.advance(world.farm.settings.web_session_s + 1)
    assert people.visitor_of(world.farm, token) is None


def test_an_invitation_ends_after_a_week(world):
    owner = add_account(world.farm, "kim", Role.OWNER, "")
    code = people.invite(world.farm, owner, Role.ARTIST)
    world.clock.advance(people.INVITATION_S + 1)
    with pytest.raises(BadCredentials):
        people.sign_up(world.farm, "lee", PASSWORD, code)


def test_who_leaves_is_forgotten_by_name_and_keeps_what_was_earned(world):
    kim = add_account(world.farm, "kim", Role.VOLUNTEER, PASSWORD)
    world.order(frames=1)
    world.make_all(maker_named(world.farm, kim.id, "argo", "rest"))
    earned = people.view_person(world.farm, kim.id).purse.earned
    privacy.forget_person(world.farm, kim, PASSWORD)
    person = people.view_person(world.farm, kim.id)
    assert (person.account.name, person.purse.earned) == (f"gone-{kim.id}", earned)
    assert earned > 0
    assert [machine.name for machine in views.machines_of(world.farm, kim)] == ["gone-machine-1"]
    assert world.findings() == []
