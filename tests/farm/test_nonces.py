"""Nonces: one call each, near the address that asked."""

import threading
from dataclasses import replace

import pytest
from sqlalchemy import text

from sheepfold.farm.accounts import add_key
from sheepfold.farm.nonces import (
    MOST_OPEN,
    REMEMBERED_S,
    OtherAddress,
    Owner,
    OwnerOf,
    is_near,
    issue_nonce_to_machine,
    use_nonce,
)
from sheepfold.model.accounts import Role, Scope
from sheepfold.model.errors import BadCredentials, SessionEnded
from sheepfold.protocols.browsershots.credentials import SCHEMES, encrypt, is_encrypted_with, key_verifiers
from sheepfold.store.accounts import machine_named


@pytest.fixture
def proved(world):
    """Return a function that takes a nonce, and one that uses it up."""
    world.account("ann", Role.ARTIST)
    key = add_key(replace(world.farm, verifiers=key_verifiers), "ann", "argo", Scope.WORK).key
    machine = world.farm.db.look(lambda tx: machine_named(tx, "argo"))
    owner = Owner(OwnerOf.MACHINE, machine.id)
    inner = dict(key_verifiers(key, "ann"))

    def take(scheme="browsershots-sha1", address="192.0.2.1"):
        nonce, account = issue_nonce_to_machine(world.farm, "argo", address)
        assert account == "ann"
        return encrypt(inner[scheme], nonce)

    def use(encrypted, address="192.0.2.1", owned=owner):
        return use_nonce(world.farm, owned, address, SCHEMES.values(),
                         lambda inner, nonce: is_encrypted_with(encrypted, inner, nonce))

    return take, use


@pytest.mark.parametrize("scheme", SCHEMES.values())
def test_a_nonce_opens_once(proved, scheme):
    take, use = proved
    encrypted = take(scheme)
    assert use(encrypted) is Scope.WORK
    with pytest.raises(BadCredentials):
        use(encrypted)


def test_several_nonces_may_be_open_and_are_used_in_any_order(proved):
    take, use = proved
    first, second = take(), take()
    assert use(second)
    assert use(first)


def test_an_old_nonce_is_told_from_a_wrong_one(proved, clock):
    take, use = proved
    encrypted = take()
    clock.advance(601)
    with pytest.raises(SessionEnded):
        use(encrypted)
    with pytest.raises(BadCredentials):
        use(encrypted)
    assert REMEMBERED_S > 600


def test_a_nonce_from_elsewhere_is_refused_and_stays(proved):
    take, use = proved
    encrypted = take()
    with pytest.raises(OtherAddress):
        use(encrypted, "198.51.100.7")
    assert use(encrypted, "192.0.2.200")


@pytest.mark.parametrize("strangers", ["192.0.2.9", "2001:db8::9"])
def test_however_many_nonces_are_asked_for_elsewhere_one_still_opens(proved, clock, strangers):
    take, use = proved
    encrypted = take(address="10.0.0.1")
    clock.advance(1)
    for _ in range(MOST_OPEN + 100):
        theirs = take(address=strangers)
    with pytest.raises(OtherAddress):
        use(theirs, "198.51.100.7" if ":" not in strangers else "2001:db8:1::1")
    assert use(encrypted, "10.0.0.200")


def test_who_asks_for_too_many_pushes_out_its_own_oldest(proved, clock):
    take, use = proved
    first = take()
    clock.advance(1)
    for _ in range(MOST_OPEN):
        last = take()
    with pytest.raises(BadCredentials, match="mismatch"):
        use(first)
    assert use(last)


def test_a_nonce_from_before_networks_were_noted_opens(proved, world):
    take, use = proved
    encrypted = take()
    world.farm.db.write(lambda tx: tx.execute(text("UPDATE nonces SET network = ''")))
    assert use(encrypted)


def test_of_two_who_use_a_nonce_at_once_one_gets_in(proved):
    take, use = proved
    encrypted, outcomes = take(), []

    def try_it():
        try:
            outcomes.append(use(encrypted))
        except BadCredentials:
            outcomes.append(None)

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, outcomes)) == [False, False, False, True]


@pytest.mark.parametrize(
    ("one", "other", "rule", "near"),
    [
        ("192.0.2.1", "192.0.2.1", "strict", True),
        ("192.0.2.1", "192.0.2.2", "strict", False),
        ("192.0.2.1", "192.0.2.2", "loose", True),
        ("192.0.2.1", "192.0.3.1", "loose", False),
        ("192.0.2.1", "192.0.3.1", "any", True),
        ("2001:db8::1", "2001:db8::2:0:0:1", "loose", True),
        ("2001:db8::1", "2001:db8:1::1", "loose", False),
        ("192.0.2.1", "2001:db8::1", "loose", True),
        ("::ffff:192.0.2.1", "192.0.2.2", "loose", True),
        ("::ffff:192.0.2.1", "::ffff:198.51.100.1", "loose", False),
        ("fe80::1%eth0", "fe80::2%eth0", "loose", True),
        ("testclient", "192.0.2.1", "loose", False),
        ("testclient", "testclient", "loose", True),
    ],
)
def test_addresses_are_near_by_the_owners_rule(one, other, rule, near):
    assert is_near(one, other, rule) is near
