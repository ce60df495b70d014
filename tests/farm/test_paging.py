"""Lists go on where a page of them ended, on both databases."""

from itertools import count

from tests.conftest import HEIGHT, WIDTH, World, picture

from sheepfold.farm import browsers, owner, people, privacy, teams, views, webhooks
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.dispatch import held_lease
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import BrowserProgram

NAMES = "abel", "cain", "enos", "seth"


def walked(listed, place_of, size):
    """Return all rows of a list that is read in pages of a size."""
    rows = listed(size, None)
    while len(rows) % size == 0 and (more := listed(size, place_of(rows[-1]))):
        rows += more
    return rows


def filled(world: World):
    """Fill a farm with four of everything; returns an account that has much of it."""
    boss = add_account(world.farm, "boss", Role.OWNER, "")
    for nth, name in zip(count(1), NAMES, strict=False):
        world.clock.now += nth % 2  # two were heard of in one second
        account = add_account(world.farm, name, Role.ARTIST, "")
        add_key(world.farm, name, f"{name}-box")
        add_key(world.farm, "boss", f"boss-{nth}")
        browsers.add_browser(world.farm, account, f"{name}-box", BrowserProgram("firefox", "1.0"), "linux")
        teams.make_team(world.farm, account, f"{name}-team")
        people.open_web_session(world.farm, boss, name)
        webhooks.add_webhook(world.farm, boss, webhooks.Wanted(f"https://{name}.example/"))
        webhooks.try_webhook(world.farm, boss, 1)
    return boss


def test_every_list_is_the_same_in_pages_of_one_two_and_three(world: World):
    farm, boss = world.farm, filled(world)
    lists = {
        "people": (lambda n, at: people.list_people(farm, n, at or ""), lambda one: one.account.name),
        "sessions": (lambda n, at: people.list_web_sessions(farm, boss.id, n, at), lambda one: one.id),
        "keys": (lambda n, at: privacy.list_keys(farm, boss, n, at), lambda one: one.id),
        "audit": (lambda n, at: owner.read_audit(farm, n, at), lambda one: one.id),
        "teams": (lambda n, at: teams.list_teams(farm, n, at), lambda one: (one.earned, one.id)),
        "machines": (lambda n, at: views.machines_of(farm, None, n, at), lambda one: (one.last_seen_at, one.id)),
        "factories": (lambda n, at: browsers.page_of_factories(farm, n, at or ""), lambda one: one.machine.name),
        "webhooks": (lambda n, at: webhooks.list_webhooks(farm, boss, n, at or 0), lambda one: one.id),
        "deliveries": (lambda n, at: webhooks.list_deliveries(farm, boss, 1, n, at), lambda one: one.id),
    }
    for name, (listed, place_of) in lists.items():
        whole = listed(100, None)
        assert len(whole) >= len(NAMES), name
        for size in (1, 2, 3):
            assert walked(listed, place_of, size) == whole, (name, size)


def test_the_queue_and_who_earned_most_go_on_where_a_page_ended(world: World):
    for nth in range(3):
        world.order(frames=1 + nth)
    farm = world.farm
    views.prioritise(farm, world.account("ann"), views.view_queue(farm, 9)[1][0].job_id, -7)
    lines = walked(lambda n, at: views.view_queue(farm, n, at)[1], lambda one: (one.priority, one.job_id), 1)
    assert [(one.priority, one.waiting) for one in lines] == [(0, 2), (0, 3), (-7, 1)]
    for box in ("box", "crate"):
        assignment = world.claim(maker := world.maker(box, box))
        made = picture(assignment.frame, (WIDTH + assignment.frame, HEIGHT))
        world.send(held_lease(world.farm, maker, assignment.lease_id), made)
    earners = walked(lambda n, at: people.list_earners(farm, n, at), lambda one: (one.earned, one.account_id), 1)
    assert sorted(one.name for one in earners) == ["box", "crate"]


def test_closed_accounts_and_the_anonymous_one_earn_no_place(world: World):
    world.order(frames=1)
    world.make_all(world.maker("box"))
    (earner,) = people.list_earners(world.farm, 9)
    owner.close_account(world.farm, None, earner.name)
    assert people.list_earners(world.farm, 9) == []
    assert "anonymous" not in {one.account.name for one in people.list_people(world.farm, 99)}


def test_people_are_searched_for_literally(world: World):
    filled(world)
    enos = people.person_named(world.farm, "enos").account
    people.set_email(world.farm, enos, "50%_off!@example.org")
    wanted = {"cAi": ["cain"], "50%": ["enos"], "%_O": ["enos"], "!": ["enos"], "_": ["enos"], "%%": []}
    for search, found in wanted.items():
        assert [one.account.name for one in people.list_people(world.farm, 9, search=search)] == found, search
