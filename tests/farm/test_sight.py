"""Who may see which job: its account, the owner, and whoever holds a link to it; others find nothing at all."""

import pytest
from tests.conftest import PAGE

from sheepfold.farm import sight, views
from sheepfold.farm.browse import list_jobs, view_job
from sheepfold.farm.feed import Feed
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.sight import Viewer
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Conflict, Forbidden, InvalidSpec, UnknownJob, UnknownTask
from sheepfold.model.events import Event, What
from sheepfold.store import events as event_rows

VISITOR = Viewer(None)


@pytest.fixture
def people(world):
    """Return who looks at ann's private job."""
    who = {"ann": Role.ARTIST, "eve": Role.ARTIST, "vera": Role.VOLUNTEER, "boss": Role.OWNER}
    return {name: world.account(name, role) for name, role in who.items()}


@pytest.fixture
def hidden(world, people):
    job = world.order(2)
    sight.set_private(world.farm, people["ann"], job.id, is_private=True)
    return job


def event_of(world, job):
    told = [Event(What.JOB_EXTENDED, job.id)]
    world.farm.db.write(lambda tx: event_rows.add(tx, told, world.clock()))


def sees(world, viewer, job):
    task = view_job(world.farm, job.id).tasks[0]
    try:
        sight.check_job(world.farm, viewer, job.id)
        sight.check_task(world.farm, viewer, task.id)
    except (UnknownJob, UnknownTask):
        return False
    return True


def test_a_private_job_is_seen_by_its_account_and_the_owner_alone(world, people, hidden):
    seen = {name for name, account in people.items() if sees(world, Viewer(account), hidden)}
    assert seen == {"ann", "boss"}
    assert not sees(world, VISITOR, hidden)
    sight.set_private(world.farm, people["ann"], hidden.id, is_private=False)
    assert sees(world, VISITOR, hidden)


def test_who_may_not_see_a_job_is_told_what_is_told_of_none(world, hidden):
    said = []
    for job_id in (hidden.id, hidden.id + 1):
        with pytest.raises(UnknownJob) as refused:
            sight.check_job(world.farm, VISITOR, job_id) or view_job(world.farm, job_id)
        said.append(str(refused.value).replace(str(job_id), "N"))
    assert len(set(said)) == 1


def test_a_link_shows_a_job_until_it_is_revoked(world, people, hidden):
    token = sight.share_job(world.farm, people["ann"], hidden.id)
    assert sees(world, Viewer(None, (token,)), hidden)
    assert not sees(world, Viewer(None, (token[:-1],)), hidden)
    other = world.order(1)
    sight.set_private(world.farm, people["ann"], other.id, is_private=True)
    assert not sees(world, Viewer(None, (token,)), other)
    assert sight.revoke_shares(world.farm, people["ann"], hidden.id) == 1
    assert not sees(world, Viewer(None, (token,)), hidden)
    with pytest.raises(UnknownJob):
        sight.shared_job(world.farm, token)


def test_lists_walls_and_feeds_of_others_have_nothing_of_it(world, people, hidden):
    maker = world.maker("box")
    world.make_all(maker)
    world.do_chores()
    shown = world.order(1)
    for who, count in (("ann", 2), ("boss", 2), ("eve", 1), ("vera", 1), (None, 1)):
        viewer = Viewer(people.get(who))
        home = views.view_home(world.farm, viewer, 10)
        assert len(home.cards) == len(views.list_cards(world.farm, viewer, 10)) == count, who
        assert home.wall == ()
        told = {event.job_id for event in Feed(world.farm, 0, None, viewer).next()}
        assert told == {shown.id} | ({hidden.id} if count == 2 else set()), who
    assert [job.id for job in list_jobs(world.farm, 10, seen_by=people["eve"].id)] == [shown.id]
    assert [card.job.id for card in views.list_cards_of_kind(world.farm, "screenshot", 10)] == [shown.id]


def test_that_something_private_is_made_names_it_not(world, people, hidden):
    world.held(world.maker("box"))
    (mine,) = views.at_work(world.farm, Viewer(people["ann"]))
    (seen,) = views.view_home(world.farm, VISITOR, 0).at_work
    assert (mine.job_id, mine.title) == (hidden.id, "a test")
    assert (seen.machine, seen.job_id, seen.task_id, seen.title, seen.kind) == ("box", 0, 0, "", "")


def test_a_feed_that_hides_much_still_tells_what_comes_after(world, hidden):
    for _ in range(300):
        event_of(world, hidden)
    shown = world.order(1)
    assert {event.job_id for event in Feed(world.farm, 0, None, VISITOR).next()} == {shown.id}


def test_others_hide_and_share_nothing(world, people, hidden):
    for deed in (lambda who: sight.set_private(world.farm, who, hidden.id, is_private=False),
                 lambda who: sight.share_job(world.farm, who, hidden.id),
                 lambda who: sight.revoke_shares(world.farm, who, hidden.id)):
        with pytest.raises(Forbidden):
            deed(people["eve"])
        deed(people["boss"])


def test_an_order_is_private_from_its_first_moment_and_a_sheep_never(world, people):
    views = {"url": PAGE, "browsers": ["Firefox"], "widths": [320]}
    still = order_job(world.farm, people["ann"], Order("screenshot", views, is_private=True))
    assert still.private_at is not None
    assert not sees(world, VISITOR, still)
    loop = world.flame()
    with pytest.raises(Conflict):
        sight.set_private(world.farm, people["ann"], loop.id, is_private=True)
    with pytest.raises(InvalidSpec, match="flock"):
        order_job(world.farm, people["ann"], Order("flame", {"frames": 1}, is_private=True))
