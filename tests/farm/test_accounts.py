"""Accounts, keys, and who may do what."""

import threading

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text
from tests.conftest import in_threads

from sheepfold.farm.accounts import (
    add_account,
    add_key,
    check_password,
    find_customer,
    hash_password,
    holder_by,
    holder_of,
    key_verifier,
    may_order,
    revoke_keys,
)
from sheepfold.farm.farm import Farm
from sheepfold.farm.owner import close_account
from sheepfold.model.accounts import ANONYMOUS, Role, Scope
from sheepfold.model.errors import (
    BadCredentials,
    Forbidden,
    InvalidName,
    NameTaken,
    UnknownAccount,
    UnknownMachine,
)


def everything_stored(farm: Farm) -> str:
    """Return all text of the tables that hold credentials."""
    tables = ("accounts", "machines", "machine_keys", "key_verifiers", "sessions")
    return str([farm.db.read(lambda tx, t=table: tx.execute(text(f"SELECT * FROM {t}")).all()) for table in tables])


def test_a_password_opens_its_account_alone(farm: Farm):
    ann = add_account(farm, "Ann", Role.ARTIST, "wool")
    add_account(farm, "bob", Role.ARTIST, "hay")
    assert check_password(farm, "ann", "wool") == ann
    for name, password in (("ann", "hay"), ("ann", ""), ("bob", "wool"), ("nobody", "wool"), ("", "")):
        with pytest.raises(BadCredentials):
            check_password(farm, name, password)


@pytest.mark.parametrize("password", ["", " ", "\0 no password", "anonymous"])
def test_nobody_signs_in_to_an_account_without_a_password(farm: Farm, password: str):
    add_account(farm, "ann", Role.OWNER, "")
    for name in ("ann", ANONYMOUS):
        with pytest.raises(BadCredentials):
            check_password(farm, name, password)


def test_a_refusal_does_not_tell_whether_the_name_was_wrong(farm: Farm):
    add_account(farm, "ann", Role.ARTIST, "wool")
    refusals = set()
    for name in ("ann", "nobody"):
        with pytest.raises(BadCredentials) as refused:
            check_password(farm, name, "hay")
        refusals.add(str(refused.value))
    assert len(refusals) == 1


def test_no_more_than_two_passwords_are_hashed_at_once(farm: Farm, monkeypatch: pytest.MonkeyPatch):
    add_account(farm, "ann", Role.ARTIST, "wool")
    lock, at_work, most = threading.Lock(), 0, 0

    def watched(method):
        def watch(*words):
            nonlocal at_work, most
            with lock:
                at_work += 1
                most = max(most, at_work)
            try:
                return method(*words)
            finally:
                with lock:
                    at_work -= 1

        return watch

    monkeypatch.setattr(PasswordHasher, "hash", watched(PasswordHasher.hash))
    monkeypatch.setattr(PasswordHasher, "verify", watched(PasswordHasher.verify))
    in_threads(8, lambda n: hash_password("hay") if n % 2 else check_password(farm, "ann", "wool"))
    assert most == 2


def test_a_name_is_given_once(farm: Farm):
    add_account(farm, "ann", Role.ARTIST, "")
    with pytest.raises(NameTaken):
        add_account(farm, "ANN", Role.OWNER, "")
    with pytest.raises(NameTaken):
        add_account(farm, ANONYMOUS, Role.OWNER, "")
    with pytest.raises(InvalidName):
        add_account(farm, "4nn", Role.OWNER, "")


def test_a_key_opens_its_machine(farm: Farm):
    ann = add_account(farm, "ann", Role.VOLUNTEER, "")
    key = add_key(farm, "ann", "Box-1")
    holder = holder_of(farm, key.key)
    assert (holder.account, holder.machine.name, holder.scope, holder.is_suspended) == (ann, "box-1", Scope.WORK, False)
    with pytest.raises(BadCredentials):
        holder_of(farm, key.key[:-1] + "z")
    with pytest.raises(BadCredentials):
        holder_of(farm, "")


def test_a_key_is_found_by_what_a_wire_makes_of_it(farm: Farm):
    add_account(farm, "ann", Role.VOLUNTEER, "")
    key = add_key(farm, "ann", "box").key
    assert holder_by(farm, "backwards", ["wrong", "ann" + key[::-1]]).machine.name == "box"
    for values in ([], ["wrong"], [key_verifier(key)]):
        with pytest.raises(BadCredentials):
            holder_by(farm, "backwards", values)


def test_a_machine_may_have_several_keys_and_loses_them_together(farm: Farm):
    add_account(farm, "ann", Role.VOLUNTEER, "")
    keys = [add_key(farm, "ann", "box").key for _ in range(2)]
    other = add_key(farm, "ann", "other").key
    assert len({holder_of(farm, key).machine.id for key in keys}) == 1
    assert revoke_keys(farm, "box") == 2
    assert revoke_keys(farm, "box") == 0
    for key in keys:
        with pytest.raises(BadCredentials):
            holder_of(farm, key)
    assert holder_of(farm, other).machine.name == "other"
    with pytest.raises(UnknownMachine):
        revoke_keys(farm, "nothing")


def test_a_revoked_machine_gets_new_keys(farm: Farm):
    add_account(farm, "ann", Role.VOLUNTEER, "")
    add_key(farm, "ann", "box")
    revoke_keys(farm, "box")
    assert holder_of(farm, add_key(farm, "ann", "box").key).machine.name == "box"


def test_a_machine_belongs_to_one_account(farm: Farm):
    for name in ("ann", "bob"):
        add_account(farm, name, Role.VOLUNTEER, "")
    add_key(farm, "ann", "box")
    with pytest.raises(NameTaken):
        add_key(farm, "bob", "box")


def test_a_key_needs_an_account_and_a_name(farm: Farm):
    with pytest.raises(UnknownAccount):
        add_key(farm, "nobody", "box")
    add_account(farm, "ann", Role.VOLUNTEER, "")
    with pytest.raises(InvalidName):
        add_key(farm, "ann", "my box")


@pytest.mark.parametrize(
    ("role", "scope"), [(Role.VOLUNTEER, Scope.WORK), (Role.ARTIST, Scope.ORDER), (Role.OWNER, Scope.ORDER)]
)
def test_a_key_may_what_its_account_may(farm: Farm, role: Role, scope: Scope):
    add_account(farm, "ann", role, "")
    assert add_key(farm, "ann", "box").scope is scope


def test_a_volunteers_key_never_orders(farm: Farm):
    add_account(farm, "vera", Role.VOLUNTEER, "")
    with pytest.raises(Forbidden):
        add_key(farm, "vera", "box", Scope.ORDER)
    with pytest.raises(UnknownMachine):  # and nothing of the attempt is left
        revoke_keys(farm, "box")
    with pytest.raises(Forbidden):
        may_order(holder_of(farm, add_key(farm, "vera", "box").key))


def test_an_artists_key_for_rendering_alone_does_not_order(farm: Farm):
    add_account(farm, "ann", Role.ARTIST, "")
    with pytest.raises(Forbidden):
        may_order(holder_of(farm, add_key(farm, "ann", "box", Scope.WORK).key))
    may_order(holder_of(farm, add_key(farm, "ann", "desk", Scope.ORDER).key))


def test_a_key_stops_ordering_with_its_accounts_role(farm: Farm):
    add_account(farm, "ann", Role.ARTIST, "")
    key = add_key(farm, "ann", "desk", Scope.ORDER).key
    farm.db.write(lambda tx: tx.execute(text("UPDATE accounts SET role = 'volunteer'")))
    with pytest.raises(Forbidden):
        may_order(holder_of(farm, key))


def test_no_secret_is_stored_in_clear(farm: Farm):
    add_account(farm, "ann", Role.ARTIST, "a very woolly password")
    key = add_key(farm, "ann", "box").key
    stored = everything_stored(farm)
    assert "a very woolly password" not in stored
    assert key not in stored
    assert key_verifier(key) in stored
    assert "$argon2id$" in stored


def test_who_orders_without_a_name_is_the_first_owner_else_the_first_artist(farm: Farm):
    with pytest.raises(UnknownAccount):
        find_customer(farm)
    add_account(farm, "vera", Role.VOLUNTEER, "")
    ann = add_account(farm, "ann", Role.ARTIST, "")
    assert find_customer(farm) == ann
    olga = add_account(farm, "olga", Role.OWNER, "")
    add_account(farm, "otto", Role.OWNER, "")
    assert find_customer(farm) == olga
    assert find_customer(farm, "ann") == ann
    with pytest.raises(UnknownAccount):
        find_customer(farm, "nobody")
    close_account(farm, None, "olga")
    assert find_customer(farm).name == "otto"


def test_names_are_known_in_any_case(farm):
    add_account(farm, "Ann", Role.ARTIST, "a fine password")
    assert check_password(farm, "ANN", "a fine password").name == "ann"
    assert add_key(farm, " Ann", "Box").machine.name == "box"
