"""Signing in and out, up, forgotten passwords, and the wizard, against a real server."""

import re
import time
from contextlib import ExitStack

import httpx
import pytest
from argon2 import PasswordHasher
from playwright.sync_api import expect
from tests.conftest import in_threads
from tests.serving import serving
from tests.web.conftest import Site

from sheepfold.config import Settings
from sheepfold.farm import accounts, people, tries
from sheepfold.farm.accounts import add_account
from sheepfold.farm.farm import open_farm
from sheepfold.farm.owner import change_role, close_account, reopen_account
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Forbidden
from sheepfold.protocols.registry import verifiers
from sheepfold.store.people import change_account

PASSWORD = "a long enough one"


@pytest.fixture
def orphan(site):
    """Return a farm without an owner."""
    other = add_account(site.farm, "late", Role.OWNER, "")
    change_role(site.farm, None, "bella", Role.ARTIST)
    site.farm.db.write(lambda tx: change_account(tx, other.id, role=Role.VOLUNTEER))
    return site


@pytest.fixture
def light_hashes(monkeypatch):
    """Have passwords hashed in no time, for who tries many."""
    monkeypatch.setattr(accounts, "_hasher", lambda: PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


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


def begin_as(site, host):
    """Send the wizard's form from a page at a host, as a browser on this machine does that found it there."""
    at = f"{host}:{site.url.rpartition(':')[2]}"
    headers = {"Host": at, "Origin": f"http://{at}"}
    return site.http.post("/begin", data={"name": "shepherd", "password": PASSWORD}, headers=headers)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""])
def test_nobody_becomes_the_owner_by_a_name_that_leads_here(orphan, host):
    answer = begin_as(orphan, host)
    assert answer.status_code == 403
    assert "at localhost or its address" in answer.text
    assert people.needs_owner(orphan.farm)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "192.168.1.7", "LocalHost"])
def test_a_farm_is_its_owner_s_by_its_own_names(orphan, host):
    assert begin_as(orphan, host).headers["location"] == "/machines/add"
    assert not people.needs_owner(orphan.farm)


def test_a_farm_is_its_owner_s_by_its_public_name(tmp_path, new_folder, shared_inspector):
    settings = Settings(data=new_folder(tmp_path / "farm"), public_url="https://farm.example.org:8443/")
    with open_farm(settings, verifiers, inspector=shared_inspector) as farm, serving(farm) as url:
        site = Site(farm, farm.anonymous, url, httpx.Client(base_url=url, trust_env=False, verify=False))
        with site.http:
            assert begin_as(site, "evil.example").status_code == 403
            assert begin_as(site, "farm.example.org").headers["location"] == "/machines/add"


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


def test_who_cannot_sign_up_for_the_crowd_keeps_what_was_typed(site, monkeypatch):
    monkeypatch.setattr(tries, "LONGEST_TURN_S", 0.0)
    with ExitStack() as crowd:
        for _ in range(tries.MOST_TRIES):
            crowd.enter_context(site.farm.tries.counted("up 127.0.0.1/32"))
        refused = site.post("/sign-up", name="rex", password=PASSWORD, code="a code")
    assert refused.status_code == 503
    assert "try again" in refused.text
    assert 'value="rex"' in refused.text


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


def test_passwords_cannot_be_guessed_all_at_once_either(site, monkeypatch):
    add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)
    monkeypatch.setattr(tries, "LONGEST_TURN_S", 60.0)
    hashed = watched_hashes(monkeypatch)
    answers = in_threads(50, lambda n: site.post("/sign-in", name="rex", password=f"guess {n}").status_code)
    assert sorted(answers) == [403] * 10 + [429] * 40
    assert hashed.count("verify") == 10


def test_a_class_signs_in_all_at_once_from_one_address(site, light_hashes, monkeypatch):
    for number in range(40):
        add_account(site.farm, f"pupil{number}", Role.VOLUNTEER, PASSWORD)
    verify = PasswordHasher.verify
    monkeypatch.setattr(PasswordHasher, "verify", lambda *words: (time.sleep(0.2), verify(*words))[1])
    monkeypatch.setattr(tries, "LONGEST_TURN_S", 60.0)
    answers = in_threads(40, lambda n: site.post("/sign-in", name=f"pupil{n}", password=PASSWORD).status_code)
    assert answers == [303] * 40


def test_tries_are_counted_by_the_address_that_a_proxy_names(site, light_hashes):
    def tried(n, address):
        headers = {"Origin": site.url, "X-Forwarded-For": address}
        return site.http.post("/sign-in", data={"name": f"max{n}", "password": "x"}, headers=headers).status_code

    assert [tried(n, "203.0.113.7") for n in range(41)] == [403] * 40 + [429]
    assert tried(41, "203.0.113.8") == 403
    assert [tried(50 + n, f"2001:db8:1:2::{n}") for n in range(41)] == [403] * 40 + [429]  # one household
    assert tried(91, "2001:db8:1:3::1") == 403


def test_a_class_of_which_each_third_mistypes_its_password_signs_in(site, light_hashes):
    for number in range(40):
        add_account(site.farm, f"pupil{number}", Role.VOLUNTEER, PASSWORD)
        if number % 3 == 0:
            assert site.post("/sign-in", name=f"pupil{number}", password="a slip").status_code == 403
        assert site.post("/sign-in", name=f"pupil{number}", password=PASSWORD).status_code == 303


def test_signing_in_is_no_wrong_try(site, light_hashes):
    add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)
    assert {site.post("/sign-in", name="rex", password=PASSWORD).status_code for _ in range(11)} == {303}


def test_slips_in_a_form_take_no_tries_from_a_class_that_signs_up(site, light_hashes):
    codes = [people.invite(site.farm, site.artist, Role.VOLUNTEER) for _ in range(2)]
    add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD)
    for slip in ({"name": "kim", "password": "short"}, {"name": "Kim!", "password": PASSWORD},
                 {"name": "rex", "password": PASSWORD}):
        assert {site.post("/sign-up", code=codes[0], **slip).status_code for _ in range(12)} == {422}
    assert site.post("/sign-up", name="kim", password=PASSWORD, code=codes[0]).status_code == 303
    guessed = [site.post("/sign-up", name="lee", password=PASSWORD, code=f"guess {n}") for n in range(41)]
    assert [answer.status_code for answer in guessed] == [422] * 40 + [429]
    assert "wrong invitations" in guessed[-1].text
    assert site.post("/sign-up", name="lee", password=PASSWORD, code=codes[1]).status_code == 429


def test_slips_in_the_wizard_s_form_take_no_tries(orphan, light_hashes):
    assert {orphan.post("/begin", name="boss", password="short").status_code for _ in range(12)} == {422}
    assert orphan.post("/begin", name="boss", password=PASSWORD).status_code == 303


def test_who_found_a_browser_signed_in_does_not_guess_its_password(site, light_hashes):
    token = site.cookie(add_account(site.farm, "rex", Role.VOLUNTEER, PASSWORD))
    answers = [site.post("/account/password", token, old=f"guess {n}", password="a new long one").status_code
               for n in range(10)]
    assert answers == [403] * 10
    assert site.post("/account/password", token, old=PASSWORD, password="a new long one").status_code == 429
    assert site.post("/account/forget", token, password=PASSWORD).status_code == 429
    assert site.post("/sign-in", name="rex", password=PASSWORD).status_code == 303


def test_no_password_is_hashed_for_who_has_no_code(site, monkeypatch):
    hashed = watched_hashes(monkeypatch)
    assert site.post("/sign-up", name="lee", password=PASSWORD, code="a guess").status_code == 422
    assert site.post("/forgotten", code="a guess", password=PASSWORD).status_code == 422
    assert site.post("/begin", name="thief", password=PASSWORD).status_code == 422
    assert hashed == []


def watched_hashes(monkeypatch) -> list[str]:
    """Return a list that grows by a name whenever a password is hashed or verified."""
    seen: list[str] = []

    def watched(method):
        def watch(*words):
            seen.append(method.__name__)
            return method(*words)

        return watch

    for method in (PasswordHasher.hash, PasswordHasher.verify):
        monkeypatch.setattr(PasswordHasher, method.__name__, watched(method))
    return seen


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://["])
def test_no_form_is_taken_from_another_site(site, origin):
    answer = site.post("/sign-in", origin=origin, name="x", password=PASSWORD)
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


@pytest.mark.parametrize("loss", [
    lambda farm: close_account(farm, None, "boss"), lambda farm: change_role(farm, None, "boss", Role.ARTIST),
], ids=["closed", "made an artist"])
def test_an_invitation_works_as_long_as_who_gave_it_may_give_it(site, loss):
    boss = add_account(site.farm, "boss", Role.OWNER, "")
    code = people.invite(site.farm, boss, Role.OWNER)
    loss(site.farm)
    refused = site.post("/sign-up", name="kim", password=PASSWORD, code=code)
    assert refused.status_code == 422
    assert "may give it no more" in refused.text
    with pytest.raises(Forbidden):
        people.invite(site.farm, boss, Role.OWNER)
    change_role(site.farm, None, "boss", Role.OWNER)
    reopen_account(site.farm, None, "boss")
    assert site.post("/sign-up", name="kim", password=PASSWORD, code=code).headers["location"] == "/machines/add"


def test_an_artist_who_was_an_owner_has_invited_volunteers_still(site):
    boss = add_account(site.farm, "boss", Role.OWNER, "")
    code = people.invite(site.farm, boss, Role.VOLUNTEER)
    change_role(site.farm, None, "boss", Role.ARTIST)
    assert people.sign_up(site.farm, "kim", PASSWORD, code).role is Role.VOLUNTEER


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


def test_a_class_that_forgot_its_passwords_has_new_ones(site, light_hashes):
    for number in range(12):
        account = add_account(site.farm, f"pupil{number}", Role.VOLUNTEER, PASSWORD)
        people.set_email(site.farm, account, f"pupil{number}@example.org")
        people.verify_email(site.farm, account, newest_letter(site).split()[-1])
        assert site.post("/forgotten", email=f"pupil{number}@example.org").status_code == 200
        code = newest_letter(site).split()[-1]
        assert site.post("/forgotten", code=code, password="another long one").status_code == 303
    answers = [site.post("/forgotten", code="a guess", password=PASSWORD) for _ in range(17)]
    assert [answer.status_code for answer in answers] == [422] * 16 + [429]
    assert "asked for too often" in answers[-1].text


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
