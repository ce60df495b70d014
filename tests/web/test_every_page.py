"""Every page there is, opened in a real browser: found by its route, readable by day and by night, on a phone too."""

import re
import shutil
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect
from tests.conftest import ANY_SITE, World
from tests.plans import heard, whole
from tests.serving import serving
from tests.web.conftest import faults_of
from tests.web.keyboard import faults_by_tab, tab_to

from sheepfold.config import Settings
from sheepfold.farm import sight, teams
from sheepfold.farm.accounts import add_key
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.people import open_web_session
from sheepfold.model.accounts import Role
from sheepfold.protocols.registry import verifiers
from sheepfold.web import pages

NO_PAGES = {
    "/fragments/now", "/fragments/jobs/{job_id}", "/fragments/machines", "/fragments/backup", "/events",
    "/jobs/{job_id}/head", "/jobs/{job_id}/tiles", "/jobs/{job_id}/frames/{frame}.{part}", "/jobs/{job_id}/frames.zip",
    "/previews/{task_id}.jpg", "/pictures/{task_id}", "/products/{job_id}/{name}", "/account/data.json",
    "/program/{name}", "/shared/{token}", "/begin",
}
"""What answers with a part of a page, a file, a stream or another page. `/begin` is opened where a farm is empty."""
VISITED = {
    "/": "Contact sheet", "/jobs": "All jobs", "/jobs/{job_id}": "a test", "/tasks/{task_id}": "Frame 0 of",
    "/flock": "The flock", "/flock/player": "The flock, walking", "/flock/{generation}/{number}": "flame",
    "/shots": "Screenshots", "/shots/{job_id}": "http://127.0.0.1/", "/shots/{job_id}/changes": "The front page",
    "/people": "Who makes the pictures", "/teams": "Who makes them together", "/teams/{team}": "woolpack",
    "/join": "Give your machine's time", "/sign-in": "Sign in", "/sign-up": "Make an account", "/forgotten": "",
}
OWNED = {
    "/mine": "My jobs", "/machines": "My machines",
    "/machines/add": "Add a machine", "/account": "ann",
    "/account/webhooks": "Tell me elsewhere",
    "/invited/{code}": "Join woolpack?", "/order": "What shall the farm make?", "/order/{kind}": "A sheep",
    "/order/blender": "Frames of a Blender scene", "/order/screenshot": "Screenshots of a page",
    "/jobs/{job_id}": "a test", "/tasks/{task_id}": "Frame 0 of", "/teams/{team}": "woolpack",
    "/shots/{job_id}/changes": "The front page", "/owner": "The farm", "/owner/people": "People",
    "/owner/machines": "Machines", "/owner/audit": "",
}
"""Pages by route, with how their headline begins: what a visitor is shown, and the owner."""
WALKED = {
    "FROM jobs ORDER BY jobs.id DESC": "a page of them, the newest first",
    "FROM jobs WHERE jobs.private_at IS NULL": "a page of them, the newest first; few are private",
    "SELECT earned_at FROM ledger ORDER BY id DESC LIMIT 200": "two hundred, the newest first",
    "ORDER BY b.generation DESC": "one, the newest that anything was made of",
    "FROM audit": "a page of what owners did, the newest first",
    "FROM accounts WHERE accounts.role": "until the first owner, who came first",
    "WHERE state = 'active' ORDER BY id + 0": "what is active, within a limit",
    "e.task_id, e.job_id": "of the events that came last, within a limit",
    "AS placed": "one job's frames, to say where its pages begin",
    "PARTITION BY d.hook_id": "one account's deliveries, which are forgotten in a week",
    "AS alive": "who is here",
    "sum(millipoints) AS earned FROM ledger": "all who earned; the more seldom, the longer it takes (farm/boards.py)",
    "AS earned FROM teams": "all teams; the more seldom, the longer it takes (farm/boards.py)",
    "FROM storage": "a row for each sort of blob",
    "SELECT count(*) FROM jobs WHERE kept_at": "all jobs, for the owner",
    "SELECT state, count(*) AS jobs FROM jobs": "all jobs by an index, for the owner",
    "FROM machines m JOIN accounts a": "all machines by when they were seen, for the owner",
    "FROM browsers ORDER BY id": "those of all factories, of which an order may choose",
    "FROM screens ORDER BY width": "those of all factories, too",
    "AS lease_id": "no table: three ends of tables",
}
"""What pages read from end to end, and why that is well."""
CONTRAST = """axe.run({runOnly: ['color-contrast']}).then(found =>
    found.violations.flatMap(one => one.nodes.map(node => node.html)))"""


@dataclass
class Filled:
    """A served farm in which everything has happened that pages tell of, and the values of their paths."""

    farm: Farm
    url: str
    token: str
    values: dict[str, str]

    def address(self, route: str) -> str:
        """Return where a route leads in this farm."""
        return self.url + re.sub(r"\{(\w+)\}", lambda found: self.values[found[1]], route)


@pytest.fixture(scope="module")
def filled(tmp_path_factory, migrated_sqlite, shared_inspector):
    folder = tmp_path_factory.mktemp("filled") / "farm"
    folder.mkdir()
    shutil.copy(migrated_sqlite, folder / "farm.sqlite")
    settings = Settings(data=folder, **ANY_SITE)
    with open_farm(settings, verifiers, inspector=shared_inspector) as farm, serving(farm) as url:
        world = World(farm, None, folder)
        ann, job = world.account("ann", Role.OWNER), _happen(world)
        code = teams.invite(farm, ann, "woolpack")
        values = {"job_id": str(job.id), "task_id": "1", "generation": "1", "number": "1", "team": "woolpack",
                  "code": code, "kind": "flame"}
        yield Filled(farm, url, open_web_session(farm, ann, "a test"), values)
        farm.closing.set()


def _happen(world: World) -> Any:
    """Fill a farm; returns an order of screenshots that differ from those that were accepted before."""
    ann = world.account("ann", Role.OWNER)
    teams.make_team(world.farm, ann, "woolpack")
    teams.join(world.farm, world.account("vera", Role.VOLUNTEER), teams.invite(world.farm, ann, "woolpack"))
    add_key(world.farm, "ann", "studio")
    for colours in (0, 1):
        job = world.order(frames=2, baseline="The front page")
        world.make_all(world.maker("argo", "vera"), first=colours)
        world.do_chores()
    world.flame(frames=2)
    world.make_all(world.maker("argo", "vera"))
    world.do_chores()
    secret = world.order(frames=1)
    sight.set_private(world.farm, ann, secret.id, is_private=True)
    world.claim(world.maker("argo", "vera"))
    return job


def test_every_page_is_in_the_lists_above(site):
    shown = {route.path for route in pages.routes(site.farm) if "GET" in (getattr(route, "methods", None) or ())}
    assert shown - NO_PAGES - set(VISITED) - set(OWNED) == set()
    assert NO_PAGES - shown == set()


def troubles_of(page, complaints) -> list[str]:
    """Return what is wrong with a page as it is open, by day and by night, on a desk and on a phone."""
    found = [f"axe: {one}" for one in faults_of(page)]
    page.emulate_media(color_scheme="dark")
    found += [f"too faint by night: {html[:120]}" for html in page.evaluate(CONTRAST)]
    page.set_viewport_size({"width": 390, "height": 844})
    wide = page.evaluate("document.documentElement.scrollWidth")
    found += [f"{wide} pixels wide on a phone of 390"] if wide > 390 else []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
    return found + [f"console: {said}" for said in complaints]


@pytest.mark.parametrize(("who", "routes"), [("visitor", VISITED), ("owner", OWNED)], ids=["visitor", "owner"])
def test_every_page_opens_without_a_fault(filled, browser, who, routes):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    if who == "owner":
        context.add_cookies([{"name": "sheepfold_web", "value": filled.token, "url": filled.url}])
    page, complaints, troubles = context.new_page(), [], {}
    page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for route, headline in routes.items():
        complaints.clear()
        answer = page.goto(filled.address(route), wait_until="domcontentloaded")
        said = page.locator("h1").first.inner_text()
        found = [] if answer.status == 200 and said.startswith(headline) else [f"{answer.status}: {said}"]
        if found := found + troubles_of(page, complaints):
            troubles[route] = found
    context.close()
    assert troubles == {}


def test_what_pages_read_whole_is_little_or_bounded(filled, monkeypatch):
    statements = heard(monkeypatch)
    for token in ("", filled.token):
        for route in VISITED | OWNED:
            httpx.get(filled.address(route), cookies={"sheepfold_web": token})
    walked = {statement for statement in list(statements)
              if filled.farm.db.look(lambda tx, s=statement: whole(tx, s))}
    assert {one for one in walked if not any(words in " ".join(one.split()) for words in WALKED)} == set()
    assert {words for words in WALKED if not any(words in " ".join(one.split()) for one in walked)} == set()


@pytest.mark.slow
@pytest.mark.parametrize(("who", "routes"), [("visitor", VISITED), ("owner", OWNED)], ids=["visitor", "owner"])
def test_every_page_is_walked_by_tab_alone(filled, browser, who, routes):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    if who == "owner":
        context.add_cookies([{"name": "sheepfold_web", "value": filled.token, "url": filled.url}])
    page, troubles = context.new_page(), {}
    for route in routes:
        page.goto(filled.address(route), wait_until="load")
        if found := faults_by_tab(page):
            troubles[route] = found
    context.close()
    assert troubles == {}


@pytest.mark.slow
def test_a_review_is_accepted_without_a_mouse(filled, browser):
    context = browser.new_context()
    context.add_cookies([{"name": "sheepfold_web", "value": filled.token, "url": filled.url}])
    page = context.new_page()
    page.goto(filled.address("/shots/{job_id}/changes"))
    tab_to(page, "Accept these pictures")
    page.keyboard.press("Enter")
    expect(page.get_by_text("These pictures are accepted.")).to_be_visible()
    context.close()


def test_the_first_page_of_an_empty_farm_opens_without_a_fault(browser, tmp_path, shared_inspector):
    with (open_farm(Settings(data=tmp_path / "farm"), verifiers, inspector=shared_inspector) as farm,
          serving(farm) as url):
        page = browser.new_page()
        assert page.goto(url + "/begin").status == 200
        assert troubles_of(page, []) == []
        page.close()
        farm.closing.set()
