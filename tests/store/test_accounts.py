"""Rows of accounts, machines and keys."""

import pytest
from tests.store.conftest import NOW, Rows

from sheepfold.model.accounts import Role, Scope
from sheepfold.model.errors import UnknownAccount, UnknownMachine
from sheepfold.store import accounts


def test_accounts_are_listed_oldest_first(rows: Rows):
    for name in ("zoe", "ann"):
        rows.account(name)
    assert [account.name for account in rows.db.read(accounts.list_accounts)] == ["zoe", "ann"]


def test_an_account_is_found_by_name_and_by_id(rows: Rows):
    ann = rows.account("ann")
    assert rows.db.read(lambda tx: accounts.account_named(tx, "ann")) == ann
    assert rows.db.read(lambda tx: accounts.account_of(tx, ann.id)) == ann
    assert rows.db.read(lambda tx: accounts.find_account(tx, " Ann")) == ann
    with pytest.raises(UnknownAccount, match="'bob'"):
        rows.db.read(lambda tx: accounts.account_named(tx, "bob"))


def test_an_account_keeps_its_role_and_password_hash(rows: Rows):
    ann = rows.db.write(lambda tx: accounts.add_account(tx, "ann", Role.OWNER, "$hash", NOW))
    assert (ann.role, ann.weight) == (Role.OWNER, 100)
    assert rows.db.read(lambda tx: accounts.password_hash_of(tx, ann.id)) == "$hash"


def test_a_machine_stays_whose_it_was_first(rows: Rows):
    box = rows.machine("box", "ann")
    bob = rows.account("bob")
    again = rows.db.write(lambda tx: accounts.ensure_machine(tx, bob.id, "box", NOW + 5))
    assert again == box
    with pytest.raises(UnknownMachine, match="'other'"):
        rows.db.read(lambda tx: accounts.machine_named(tx, "other"))


def test_a_suspension_can_be_lifted(rows: Rows):
    box = rows.machine("box")
    assert not rows.db.read(lambda tx: accounts.is_suspended(tx, box.id))
    rows.db.write(lambda tx: accounts.suspend_machine(tx, box.id, NOW))
    assert rows.db.read(lambda tx: accounts.is_suspended(tx, box.id))
    rows.db.write(lambda tx: accounts.suspend_machine(tx, box.id, None))
    assert not rows.db.read(lambda tx: accounts.is_suspended(tx, box.id))


def test_a_key_is_found_by_each_of_its_verifiers_until_it_is_revoked(rows: Rows):
    box = rows.machine("box")
    verifiers = [("key", "one"), ("md5", "two")]
    rows.db.write(lambda tx: accounts.add_key(tx, box.id, Scope.ORDER, verifiers, NOW))
    for scheme, value in verifiers:
        holder = rows.db.read(lambda tx, s=scheme, v=value: accounts.find_key_holder(tx, s, v))
        assert (holder.machine, holder.account.name, holder.scope) == (box, "box-owner", Scope.ORDER)
        assert rows.db.read(lambda tx, v=value: accounts.find_key_holder(tx, "other", v)) is None
    assert rows.db.write(lambda tx: accounts.revoke_keys(tx, box.id, NOW)) == 1
    for scheme, value in verifiers:
        assert rows.db.read(lambda tx, s=scheme, v=value: accounts.find_key_holder(tx, s, v)) is None


def test_accounts_and_machines_are_counted(rows: Rows):
    rows.machine("box", "ann")
    rows.machine("other", "ann")
    assert rows.db.read(accounts.counts) == (1, 2)
