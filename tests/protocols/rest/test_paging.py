"""Lists come page by page: whoever walks them sees each row once, in the order of the whole."""

import pytest
from tests.protocols.rest.conftest import SPEC

from sheepfold.farm import owner, people, teams, webhooks
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.browsers import add_browser
from sheepfold.model.accounts import Role, Scope
from sheepfold.model.browsers import BrowserProgram
from sheepfold.model.notices import Topic
from sheepfold.protocols.rest.calls import FarmProblem
from sheepfold.protocols.rest.client import FarmClient
from sheepfold.protocols.rest.page_wire import place, place_of

NAMES = "abel", "cain", "enos", "seth"
LISTS = ("machines", "factories", "teams", "webhooks", "keys", "browsers", "people", "audit")


@pytest.fixture
def boss(site):
    """The owner's client, of a farm that has four of everything."""
    boss = add_account(site.farm, "boss", Role.OWNER, "")
    client = FarmClient(site.url, add_key(site.farm, "boss", "throne", Scope.MANAGE).key, pause=lambda _: None)
    with client:
        for name in NAMES:
            account = add_account(site.farm, name, Role.ARTIST, "")
            site.clock.now += 1
            add_key(site.farm, name, f"{name}-box")
            add_browser(site.farm, account, f"{name}-box", BrowserProgram("firefox", "128.0"), "linux")
            teams.make_team(site.farm, account, f"{name}-team")
            add_key(site.farm, "boss", f"throne-{name}", Scope.WORK)
            people.open_web_session(site.farm, boss, name)
            webhooks.add_webhook(site.farm, boss, webhooks.Wanted(f"https://{name}.example/"))
        yield client


def walked(client, name, *of):
    """Return a whole list, and the same walked in pages of one and of two."""
    listed = getattr(client, name)
    whole = list(listed(*of, limit=200).rows)
    return whole, *(list(client.every(listed, *of, limit=size)) for size in (1, 2))


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_the_same_in_pages(boss, name):
    whole, one_by_one, two_by_two = walked(boss, name)
    assert len(whole) >= len(NAMES)
    assert whole == one_by_one == two_by_two


def test_jobs_sheep_the_queue_and_who_earned_most_come_in_pages(site, boss):
    made = [boss.order("flame", SPEC | {"frames": 2 + nth}, {"genome": site.genome}, f"flame {nth}").id
            for nth in range(3)]
    for job_id, priority in zip(made, (-5, 7, 7), strict=True):
        boss.change(job_id, priority=priority)
    whole, *pages = walked(boss, "queue")
    assert [one.job for one in whole] == [made[1], made[2], made[0]]
    assert pages == [whole, whole]
    whole, *pages = walked(boss, "tasks", made[2])
    assert [one.frame for one in whole] == [0, 1, 2, 3]
    assert pages == [whole, whole]
    site.rendered(made[0], boss)
    for name in ("jobs", "flock", "leaders"):
        whole, *pages = walked(boss, name)
        assert whole
        assert pages == [whole, whole]


def test_what_was_sent_to_a_webhook_comes_in_pages(site, boss):
    hook = boss.webhooks().webhooks[0]
    for _ in range(4):
        boss.try_webhook(hook.id)
    whole, *pages = walked(boss, "deliveries", hook.id)
    assert [one.topic for one in whole] == [Topic.TEST] * 4
    assert pages == [whole, whole]


def test_who_is_searched_for_is_found_by_name_and_by_address(site, boss):
    seth = people.person_named(site.farm, "seth").account
    people.set_email(site.farm, seth, "Cain_s_brother@example.org")
    assert [one.name for one in boss.people(search="CAIN").people] == ["cain", "seth"]
    assert [one.name for one in boss.people(search="n_s").people] == ["seth"]
    assert boss.people(search="%").people == []
    assert [one.name for one in boss.every(boss.people, limit=1, search="e")] == ["abel", "enos", "seth"]


def test_a_page_goes_on_where_the_one_before_ended_whoever_joins(site, boss):
    first = boss.people(limit=2)
    add_account(site.farm, "aaron", Role.ARTIST, "")
    owner.close_account(site.farm, None, "abel")
    assert [one.name for one in first.people] == ["abel", "boss"]
    assert [one.name for one in boss.people(after=first.next).people] == ["cain", "enos", "seth"]


def test_a_place_is_read_as_it_was_written():
    assert place_of("") is None
    assert place_of(place(-5, 1003)) == (-5, 1003)


@pytest.mark.parametrize("told", ["1", "x.y", "1.2.3", "1003", "9" * 40 + ".1"])
def test_what_no_page_said_is_refused(boss, told):
    with pytest.raises(FarmProblem, match="after"):
        boss.machines(after=told)
