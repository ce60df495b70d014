"""Accounts over REST: seen, changed and forgotten by their own keys, and by no lesser one."""

import pytest

from sheepfold.farm import people
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.model.accounts import Role, Scope
from sheepfold.protocols.link import FarmRefused, FarmUnreachable
from sheepfold.protocols.rest.calls import FarmProblem
from sheepfold.protocols.rest.client import FarmClient

PASSWORD = "correct horse"


@pytest.fixture
def manager(site):
    """Return what gives a client whose key may manage an account."""

    def client(name="ann", role=Role.ARTIST):
        account = add_account(site.farm, name, role, PASSWORD)
        key = add_key(site.farm, account.name, f"{name}-desk", Scope.MANAGE).key
        site.closing.append(FarmClient(site.url, key, pause=lambda _: None))
        return site.closing[-1]

    return client


def code_in_outbox(site):
    (letter,) = (site.farm.settings.data / "outbox").iterdir()
    return letter.read_text("utf-8").split()[-1]


def test_an_account_is_seen_with_its_address_once_that_is_proven(site, manager):
    ann = manager()
    seen = ann.account()
    assert (seen.account, seen.role, seen.email, seen.team, seen.machines) == ("ann", Role.ARTIST, "", None, 1)
    ann.set_email("ann@example.org")
    assert not ann.account().is_email_proven
    ann.prove_email(code_in_outbox(site))
    assert (ann.account().email, ann.account().is_email_proven) == ("ann@example.org", True)
    assert ann.account_data()["email"] == {"address": "ann@example.org", "is_proven": True}


def test_what_is_no_address_is_refused_and_so_is_one_after_many(site, manager):
    ann = manager()
    with pytest.raises(FarmProblem, match="An e-mail address is like"):
        ann.set_email("a@x.example,b@y.example")
    for number in range(10):
        ann.set_email(f"ann-{number}@example.org")
    with pytest.raises(FarmUnreachable, match="429: 10 letters"):
        ann.set_email("ann@example.org")


def test_keys_are_made_listed_and_revoked(site, manager):
    ann = manager()
    made = ann.add_key("laptop", Scope.ORDER)
    assert (made.machine, made.account, made.scope) == ("laptop", "ann", Scope.ORDER)
    laptop = FarmClient(site.url, made.key)
    site.closing.append(laptop)
    assert laptop.whoami().may_order
    assert {(one.machine, one.scope) for one in ann.keys().keys} == {("laptop", "order"), ("ann-desk", "manage")}
    ann.revoke_key(next(one.id for one in ann.keys().keys if one.machine == "laptop"))
    with pytest.raises(FarmRefused):
        laptop.whoami()
    ann.add_key("laptop")
    ann.revoke_machine("laptop")
    assert [one.machine for one in ann.keys().keys] == ["ann-desk"]


def test_a_key_that_orders_makes_no_keys_and_sees_no_account(site):
    ann = site.client("ann")
    for deed in (ann.account, ann.keys, ann.account_data, lambda: ann.add_key("laptop"), ann.invite,
                 lambda: ann.change_password(PASSWORD, "another one"), lambda: ann.forget_account(PASSWORD)):
        with pytest.raises(FarmRefused, match="manage"):
            deed()


def test_browsers_are_listed_and_signed_out(site, manager):
    ann = manager()
    token = people.sign_in(site.farm, "ann", PASSWORD, "Netscape 4")
    (browser,) = ann.browsers().browsers
    assert browser.browser == "Netscape 4"
    ann.sign_out(browser.id)
    assert people.visitor_of(site.farm, token) is None
    with pytest.raises(FarmProblem, match="not signed in"):
        ann.sign_out(browser.id + 1)


def test_a_password_changes_for_who_knows_the_old_one(site, manager):
    ann = manager()
    with pytest.raises(FarmRefused):
        ann.change_password("wrong horse", "battery staple")
    ann.change_password(PASSWORD, "battery staple")
    assert people.sign_in(site.farm, "ann", "battery staple", "Netscape 4")


def test_a_key_does_not_guess_its_account_s_password(site, manager):
    ann = manager()
    for n in range(10):
        with pytest.raises(FarmRefused):
            ann.change_password(f"guess {n}", "battery staple")
    for deed in (lambda: ann.change_password(PASSWORD, "battery staple"), lambda: ann.forget_account(PASSWORD)):
        with pytest.raises(FarmUnreachable, match="429: There were too many wrong passwords"):
            deed()


def test_artists_invite_volunteers_and_owners_anybody(site, manager):
    assert len(manager("ann").invite()) == 20
    assert len(manager("boss", Role.OWNER).invite(Role.OWNER)) == 20
    with pytest.raises(FarmRefused, match="may not invite"):
        manager("eve", Role.VOLUNTEER).invite()


def test_who_wants_it_is_forgotten(site, manager):
    manager("boss", Role.OWNER)
    ann = manager()
    with pytest.raises(FarmRefused):
        ann.forget_account("wrong horse")
    ann.forget_account(PASSWORD)
    with pytest.raises(FarmRefused):
        ann.account()
    assert "ann" not in {one.account.name for one in people.list_people(site.farm, 100)}
