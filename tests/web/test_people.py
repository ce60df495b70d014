"""My account, the leaderboard and the owner's pages."""

import json
from dataclasses import replace

import pytest
from playwright.sync_api import expect
from starlette.testclient import TestClient

from sheepfold.app import make_app
from sheepfold.farm import people, privacy
from sheepfold.farm.accounts import add_account, add_key, holder_of
from sheepfold.farm.backups import make_next_backup
from sheepfold.farm.manifest import read_backup
from sheepfold.farm.owner import PAUSE, RESUME, change_machine, change_role, close_account, read_audit
from sheepfold.model.accounts import Role
from sheepfold.model.errors import BadCredentials, Forbidden
from sheepfold.store import accounts as account_rows
from sheepfold.web import words

PASSWORD = "a long enough one"


@pytest.fixture
def rex(site):
    return add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)


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


def test_a_farm_that_is_closed_to_new_accounts_takes_none(site):
    closed = replace(site.farm, settings=replace(site.farm.settings, sign_up="closed"))
    with pytest.raises(Forbidden):
        people.sign_up(closed, "rex", PASSWORD)


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
