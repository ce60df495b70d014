"""My account, the leaderboard and the owner's pages; and who may reach which page."""

import json
import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm import people, privacy, teams
from sheepfold.farm.accounts import add_account, add_key, holder_of
from sheepfold.farm.backup import read_backup
from sheepfold.farm.backups import make_next_backup
from sheepfold.farm.farm import open_farm
from sheepfold.farm.owner import PAUSE, RESUME, change_machine, change_role, close_account, read_audit
from sheepfold.model.accounts import Role
from sheepfold.model.errors import BadCredentials, Forbidden
from sheepfold.protocols.registry import verifiers
from sheepfold.protocols.visitors import COOKIE
from sheepfold.store import accounts as account_rows
from sheepfold.web import pages, words
from sheepfold.web.program import wheel_name

PASSWORD = "a long enough one"
OPEN = {"/shared/token", "/sign-in", "/sign-up", "/forgotten", "/begin", "/join", f"/program/{wheel_name()}"}
SEEN = {"/", "/jobs", "/jobs/1000", "/jobs/1000/head", "/jobs/1000/frames/0.0", "/jobs/1000/tiles", "/tasks/1",
        "/flock", "/flock/player", "/flock/1/1", "/shots", "/people", "/teams", "/teams/woolpack", "/fragments/now",
        "/fragments/jobs/1000", "/previews/1.jpg", "/pictures/1", "/jobs/1000/frames.zip", "/products/1000/film.mp4"}
PICTURE = f"/png/original/00/{'0' * 32}.png"
SHOTS = {"/screenshots/": 200, f"/screenshots/{'0' * 32}/": 404, PICTURE: 404}
"""What Browsershots' own pages show to who may look, where no screenshot came in yet."""
INVITED = {"/invited/code"}
MINE = {"/mine", "/machines", "/machines/add", "/fragments/machines", "/account", "/account/data.json",
        "/account/webhooks"}
ARTISTS = {"/order", "/order/flame", "/order/blender", "/order/screenshot"}
OWNERS = {"/owner", "/owner/people", "/owner/machines", "/owner/audit", "/fragments/backup"}


@pytest.fixture
def rex(site):
    return add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)


def statuses(site, paths, token=""):
    return {site.http.get(path, headers={"Cookie": f"sheepfold_web={token}"}).status_code for path in paths}


def test_every_role_reaches_its_pages_and_no_others(site, rex):
    site.order("Coral", frames=2)
    site.paint_all()
    site.keep_house()
    artist = add_account(site.farm, "art", Role.ARTIST, "")
    teams.make_team(site.farm, artist, "woolpack")
    assert statuses(site, INVITED) == {303}
    assert statuses(site, INVITED, site.cookie(rex)) == {404}
    assert statuses(site, SEEN | OPEN - {"/begin", "/shared/token"}) == {200}
    assert statuses(site, MINE | ARTISTS | OWNERS) == {303}
    assert statuses(site, SEEN | MINE, site.cookie(rex)) == {200}
    assert statuses(site, ARTISTS | OWNERS, site.cookie(rex)) == {403}
    assert statuses(site, ARTISTS, site.cookie(artist)) == {200}
    assert statuses(site, OWNERS, site.cookie(artist)) == {403}
    assert statuses(site, OWNERS | ARTISTS | MINE, site.cookie()) == {200}


def test_the_lists_above_hold_every_page(site):
    shown = {path for route in pages.routes(site.farm) if "GET" in (getattr(route, "methods", None) or ())
             for path in [route.path]} - {"/events", "/shots/{job_id}", "/shots/{job_id}/changes"}
    asked = OPEN | SEEN | INVITED | MINE | ARTISTS | OWNERS
    patterns = {path: re.compile(re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(path))) for path in shown}
    assert [path for path, pattern in patterns.items() if not any(map(pattern.fullmatch, asked))] == []
    assert make_app(site.farm)


@pytest.mark.parametrize("path", [
    "/account/password", "/account/email", "/account/verify", "/account/sessions", "/account/keys", "/account/invite",
    "/account/forget", "/machines/add", "/machines/studio/pause", "/owner/people/rex", "/owner/check", "/sign-out",
])
def test_nobody_changes_anything_without_signing_in(site, path):
    assert site.post(path).status_code == 401


def test_my_account_in_a_browser(site, rex, look):
    other = site.cookie(rex)
    made = add_key(site.farm, "rex", "laptop")
    page = look("/account", account=rex)
    page.get_by_role("button", name="Revoke key of laptop").click()
    expect(page.get_by_role("region", name="Keys")).to_contain_text("There is none")
    with pytest.raises(BadCredentials):
        holder_of(site.farm, made.key)
    page.get_by_label("The present one").fill(PASSWORD)
    page.get_by_label("The new one").fill("another long one")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("region", name="Browsers").get_by_role("button")).to_have_count(1)
    assert people.visitor_of(site.farm, other) is None
    page.get_by_text("Close my account for good").click()
    page.get_by_label("Password", exact=True).last.fill("another long one")
    page.get_by_role("button", name="Forget me").click()
    expect(page.locator(".me")).to_contain_text("Sign in")
    names = [one.account.name for one in people.list_people(site.farm, 100)]
    assert "rex" not in names


def test_my_data_holds_no_secret_and_nobody_else(site, rex):
    key = add_key(site.farm, "rex", "laptop").key
    site.order("Coral")
    token = site.cookie(rex)
    answer = site.http.get("/account/data.json", headers={"Cookie": f"sheepfold_web={token}"})
    found = json.loads(answer.text)
    assert (found["account"]["name"], found["jobs"], len(found["machines"])) == ("rex", [], 1)
    assert key not in answer.text
    assert token not in answer.text
    assert "bella" not in answer.text
    assert len(privacy.export_person(site.farm, site.artist)["jobs"]) == 1


def test_nobody_revokes_the_keys_or_ends_the_sessions_of_others(site, rex):
    add_key(site.farm, "bella", "studio")
    (key,) = privacy.list_keys(site.farm, site.artist)
    assert site.post("/account/keys", site.cookie(rex), key=str(key.id)).status_code == 404
    mine = site.cookie()
    visitor = people.visitor_of(site.farm, mine)
    site.post("/account/sessions", site.cookie(rex), session=str(visitor.session.id))
    assert people.visitor_of(site.farm, mine) is not None
    assert site.post("/machines/studio/pause", site.cookie(rex)).status_code == 403


def test_the_owner_rules_people_and_machines_in_a_browser(site, rex, look, axe):
    add_key(site.farm, "rex", "laptop")
    page = look("/owner/people", account=site.artist)
    page.get_by_label("Role of rex").select_option("artist")
    page.get_by_role("button", name="Set role of rex").click()
    expect(page.get_by_label("Role of rex")).to_have_value("artist")
    page.get_by_role("link", name="Machines").last.click()
    page.get_by_role("button", name="Pause laptop").click()
    expect(page.locator("table")).to_contain_text("Paused or in quarantine")
    page.goto(site.url + "/owner/audit")
    expect(page.locator("table")).to_contain_text("pause machine")
    page.goto(site.url + "/owner")
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("#findings")).to_have_text("All that the farm knows agrees.")
    assert axe(page) == []


def test_the_owner_backs_the_farm_up_into_the_folder_of_its_setting(site, rex, tmp_path):
    assert site.post("/owner/backup", site.cookie()).status_code == 422
    folder = tmp_path / "backups"
    farm = replace(site.farm, settings=replace(site.farm.settings, backup_folder=str(folder)))
    client = TestClient(make_app(farm), base_url=site.url, follow_redirects=False)
    for account, status in ((rex, 403), (site.artist, 303)):
        client.cookies.set("sheepfold_web", site.cookie(account))
        assert client.post("/owner/backup", headers={"Origin": site.url}).status_code == status
    assert "The house begins with it soon" in client.get("/owner").text
    assert "Back up now" not in client.get("/fragments/backup").text
    assert make_next_backup(farm)
    assert read_backup(folder).database == "sqlite"
    assert f"by bella, into <code>{folder}</code>" in client.get("/owner").text
    assert "Back up now" in client.get("/owner").text


def test_who_paused_a_machine_lets_it_work_but_not_out_of_quarantine(site, rex):
    machine = add_key(site.farm, "rex", "laptop").machine
    change_machine(site.farm, rex, "laptop", PAUSE)
    change_machine(site.farm, rex, "laptop", RESUME)
    later = site.farm.now() + 100
    site.farm.db.write(lambda tx: account_rows.suspend_machine(tx, machine.id, later))
    with pytest.raises(Forbidden):
        change_machine(site.farm, rex, "laptop", RESUME)
    change_machine(site.farm, site.artist, "laptop", RESUME)
    assert [line.what for line in read_audit(site.farm)][:2] == ["resume machine", "resume machine"]


def test_a_pause_of_ones_own_leads_out_of_no_quarantine_and_of_nobody_elses_pause(site, rex):
    machine = add_key(site.farm, "rex", "laptop").machine

    def pause_and_resume():
        change_machine(site.farm, rex, "laptop", PAUSE)
        change_machine(site.farm, rex, "laptop", PAUSE)
        change_machine(site.farm, rex, "laptop", RESUME)

    site.farm.db.write(lambda tx: account_rows.suspend_machine(tx, machine.id, site.farm.now() - 100))
    with pytest.raises(Forbidden):
        pause_and_resume()
    change_machine(site.farm, site.artist, "laptop", PAUSE)
    with pytest.raises(Forbidden):
        pause_and_resume()
    change_machine(site.farm, site.artist, "laptop", RESUME)
    pause_and_resume()
    assert not site.farm.db.read(lambda tx: account_rows.is_suspended(tx, machine.id))


def test_a_farm_keeps_an_owner(site):
    for deed in (lambda: close_account(site.farm, None, "bella"),
                 lambda: change_role(site.farm, site.artist, "bella", Role.ARTIST)):
        with pytest.raises(Forbidden):
            deed()


def test_the_leaderboard_names_who_earned(site):
    assert "Nobody with a name" in site.http.get("/people").text


def test_a_closed_farm_shows_visitors_nothing(tmp_path):
    settings = Settings(data=tmp_path / "closed", visitors=False, sign_up="closed", inspection_processes=1)
    with open_farm(settings, verifiers) as farm, TestClient(make_app(farm), follow_redirects=False) as client:
        ann = add_account(farm, "ann", Role.OWNER, "")
        pages = SEEN | SHOTS.keys() | {"/events"}
        assert {path for path in pages if client.get(path).status_code == 401} == {PICTURE}
        assert {path for path in pages if client.get(path).status_code == 303} == pages - {PICTURE}
        cookie = {"Cookie": f"{COOKIE}={people.open_web_session(farm, ann, 'a test')}"}
        assert {path: client.get(path, headers=cookie).status_code for path in SHOTS} == SHOTS
        with pytest.raises(Forbidden):
            people.sign_up(farm, "rex", PASSWORD)


def test_an_address_is_proven_by_its_own_person_alone(site, rex):
    people.set_email(site.farm, rex, "rex@example.org")
    (letter,) = (site.farm.settings.data / "outbox").iterdir()
    code = letter.read_text("utf-8").split()[-1]
    assert site.post("/account/verify", site.cookie(), code=code).status_code == 422
    assert people.view_person(site.farm, rex.id).is_verified is False


@pytest.mark.parametrize(("user_agent", "name"), [
    ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Linux"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1", "Safari on an iPhone"),
    ("curl/8.0", "curl/8.0"),
], ids=["firefox", "safari", "curl"])
def test_a_browser_is_named_in_few_words(user_agent, name):
    assert words.browser(user_agent) == name
