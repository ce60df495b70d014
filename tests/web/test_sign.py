"""Signing in and out, up, forgotten passwords, and the wizard, against a real server."""

import re

import pytest
from playwright.sync_api import expect

from sheepfold.farm import people
from sheepfold.farm.accounts import add_account
from sheepfold.farm.owner import change_role, close_account
from sheepfold.model.accounts import Role
from sheepfold.store.people import change_account

PASSWORD = "a long enough one"
FORMS = ["/sign-in", "/sign-up", "/forgotten", "/begin", "/sign-out", "/machines/add", "/order/flame/files",
         "/jobs/1000/cancel", "/jobs/1000/priority"]


@pytest.fixture
def orphan(site):
    """Return a farm without an owner."""
    other = add_account(site.farm, "late", Role.OWNER, "")
    change_role(site.farm, None, "bella", Role.ARTIST)
    site.farm.db.write(lambda tx: change_account(tx, other.id, role=Role.VOLUNTEER))
    return site


def test_an_empty_farm_leads_to_its_owner_and_to_a_first_machine(orphan, look, axe):
    page = look("/")
    expect(page.locator("h1")).to_have_text("A new farm")
    assert axe(page) == []
    page.fill("[name=name]", "shepherd")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Make the farm mine").click()
    expect(page.locator("h1")).to_have_text("Add a machine")
    page.fill("[name=name]", "studio")
    page.get_by_label("What shall it make first?").select_option(label="Coral, a flame")
    page.get_by_role("button", name="Make its key").click()
    words = page.locator(".words").all_inner_texts()
    key = words[0]
    assert re.fullmatch(r"[0-9a-f]{32}", key)
    assert words[1].endswith(f"sheepfold work --server {orphan.url} --key {key}")
    assert len(words) == 5
    page.locator("summary").click()
    assert page.locator(".words").all_inner_texts()[2].splitlines()[-1].endswith(f"--key {key}")
    assert all(key in word for word in page.locator(".words").all_inner_texts())
    assert key not in page.url
    assert orphan.http.get("/api/v1/jobs", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    page.get_by_role("link", name="watch its pictures arrive").click()
    expect(page.locator("h1")).to_have_text("Coral")
    page.goto(orphan.url + "/machines")
    expect(page.locator(".machine h2")).to_have_text("studio")
    assert axe(page) == []


def test_nobody_becomes_the_owner_of_a_farm_that_has_one(site):
    answer = site.post("/begin", name="thief", password=PASSWORD)
    assert answer.status_code == 422
    assert "has an owner already" in answer.text


def test_nobody_becomes_the_owner_from_afar(orphan):
    headers = {"Origin": orphan.url, "X-Forwarded-For": "203.0.113.7"}
    answer = orphan.http.post("/begin", data={"name": "thief", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert people.needs_owner(orphan.farm)


def test_who_signs_in_comes_to_the_page_that_asked_for_it_and_out_again(site, look, axe):
    add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)
    page = look("/machines")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/machines$"))
    assert axe(page) == []
    page.fill("[name=name]", "rex")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("My machines")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator(".me")).to_contain_text("Sign in")


def test_a_session_s_cookie_is_read_by_no_script_and_sent_by_no_other_site(site):
    add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)
    cookie = site.post("/sign-in", name="rex", password=PASSWORD).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_a_wrong_password_says_no_more_than_that(site):
    add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)
    wrong = site.post("/sign-in", name="rex", password="wrong")
    unknown = site.post("/sign-in", name="max", password="x")
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    assert wrong.text.replace("rex", "max") == unknown.text
    assert "set-cookie" not in wrong.headers


def test_passwords_cannot_be_guessed_by_the_dozen(site):
    add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)
    answers = [site.post("/sign-in", name="rex", password=f"guess {n}").status_code for n in range(11)]
    assert answers == [403] * 10 + [429]
    assert site.post("/sign-in", name="rex", password=PASSWORD).status_code == 429


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://["])
def test_no_form_is_taken_from_another_site(site, path, origin):
    site.order("Coral")
    answer = site.post(path, site.cookie(), origin=origin, name="x", password=PASSWORD, priority="5")
    assert answer.status_code == 403
    assert "not sent from a page of this farm" in answer.text


@pytest.mark.parametrize("next_", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_leads_to_no_other_site(site, next_):
    add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)
    assert site.post("/sign-in", name="rex", password=PASSWORD, next=next_).headers["location"] == "/"


def test_an_invitation_works_once(site):
    code = people.invite(site.farm, site.artist, Role.ARTIST)
    first = site.post("/sign-up", name="kim", password=PASSWORD, code=code)
    assert first.headers["location"] == "/machines/add"
    again = site.post("/sign-up", name="lee", password=PASSWORD, code=code)
    assert again.status_code == 422
    assert "used already" in again.text
    assert site.post("/sign-up", name="lee", password=PASSWORD, code="").status_code == 422


def test_a_forgotten_password_is_set_by_a_code_that_was_sent(site):
    account = add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)
    people.set_email(site.farm, account, "rex@example.org")
    people.verify_email(site.farm, account, newest_letter(site).split()[-1])
    old = site.cookie(account)
    site.post("/forgotten", email="rex@example.org")
    code = newest_letter(site).split()[-1]
    assert site.post("/forgotten", code=code, password="another long one").headers["location"] == "/sign-in"
    assert site.post("/sign-in", name="rex", password="another long one").status_code == 303
    assert site.post("/sign-in", name="rex", password=PASSWORD).status_code == 403
    assert people.visitor_of(site.farm, old) is None
    assert site.post("/forgotten", code=code, password="a third long one").status_code == 422


def test_nobody_learns_who_has_an_address(site):
    known, unknown = site.post("/forgotten", email="a@b.org"), site.post("/forgotten", email="c@d.org")
    assert known.text == unknown.text
    assert not (site.farm.settings.data / "outbox").exists()


def test_a_closed_account_is_let_in_nowhere(site):
    account = add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)
    token = site.cookie(account)
    close_account(site.farm, None, "rex")
    assert site.post("/sign-in", name="rex", password=PASSWORD).status_code == 403
    assert people.visitor_of(site.farm, token) is None


def newest_letter(site) -> str:
    letters = sorted((site.farm.settings.data / "outbox").iterdir(), key=lambda letter: letter.stat().st_mtime_ns)
    assert letters[-1].stat().st_mode & 0o077 == 0
    return letters[-1].read_text("utf-8")
