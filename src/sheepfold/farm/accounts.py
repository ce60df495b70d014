"""Accounts, machines and their keys: who may do what."""

import hashlib
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account, Role, Scope, checked_name, chosen_name
from sheepfold.model.errors import BadCredentials, Forbidden, NameTaken, UnknownAccount
from sheepfold.model.machines import Machine
from sheepfold.store import accounts as account_rows
from sheepfold.store import people as people_rows
from sheepfold.store.accounts import KeyHolder
from sheepfold.store.database import Tx

KEY_SCHEME = "key"
"""Verifies the key itself, by its SHA-256: keys are random, so no slow hash is needed to protect them."""
_hashing = threading.BoundedSemaphore(2)
"""So many passwords are hashed at once in a process: each takes 64 MiB meanwhile, and up to four cores."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A machine key, the only time that it is seen in clear."""

    key: str
    account: Account
    machine: Machine
    scope: Scope


def add_account(farm: Farm, name: str, role: Role, password: str) -> Account:
    """Add an account; an empty password means that nobody can sign in to it. Raises InvalidName, NameTaken."""
    checked = chosen_name(name)
    password_hash = hash_password(password) if password else ""
    return farm.db.write(lambda tx: account_rows.add_account(tx, checked, role, password_hash, farm.now()))


def check_password(farm: Farm, name: str, password: str) -> Account:
    """Return the account of a name and password; raises BadCredentials without saying which of them is wrong."""

    def find(tx: Tx) -> tuple[Account, str] | None:
        account = account_rows.find_account(tx, name)
        return None if account is None else (account, account_rows.password_hash_of(tx, account.id))

    found = farm.db.read(find)
    expected = found[1] if found and found[1] else _no_password()
    try:
        with _hashing:
            _hasher().verify(expected, password)
    except VerificationError as error:
        raise BadCredentials from error
    if found is None or not found[1]:
        raise BadCredentials
    return found[0]


def prove_password(farm: Farm, account: Account, password: str) -> None:
    """Check the password of somebody who is signed in, or has a key; raises BadCredentials, TooManyTries."""
    with farm.tries.counted(f"known {account.name}"):
        check_password(farm, account.name, password)


def find_customer(farm: Farm, name: str = "") -> Account:
    """Return the account of a name; without one the first owner who is here still, or else the first artist.

    Raises UnknownAccount.
    """

    def find(tx: Tx) -> Account | None:
        if name:
            return account_rows.account_named(tx, name)
        customers = [account for account in account_rows.list_accounts(tx) if account.role.covers(Role.ARTIST)]
        owners = people_rows.owners(tx)
        return min(customers, key=lambda account: account.id not in owners, default=None)

    account = farm.db.read(find)
    if account is None:
        raise UnknownAccount("Nobody may order yet: add an account with the role owner or artist.")
    return account


def add_key(farm: Farm, account_name: str, machine_name: str, scope: Scope | None = None) -> NewKey:
    """Make a key for a machine of an account, adding the machine where it is new.

    Without a scope, artists' and owners' keys may order, volunteers' may not; none may manage. Raises UnknownAccount,
    InvalidName, and NameTaken where the machine belongs to somebody else.
    """
    checked = checked_name(machine_name)
    key = farm.token()

    def add(tx: Tx) -> NewKey:
        account = account_rows.account_named(tx, account_name)
        machine = account_rows.find_machine(tx, checked)
        if machine is None:
            machine = account_rows.ensure_machine(tx, account.id, chosen_name(checked), farm.now())
        if machine.account_id != account.id:
            raise NameTaken(f"The machine {checked!r} belongs to another account.")
        given = scope or (Scope.ORDER if account.role.covers(Role.ARTIST) else Scope.WORK)
        if given is Scope.ORDER and not account.role.covers(Role.ARTIST):
            raise Forbidden(f"{account.name} is a {account.role} and may not order.")
        verifiers = [(KEY_SCHEME, key_verifier(key)), *farm.verifiers(key, account.name)]
        account_rows.add_key(tx, machine.id, given, verifiers, farm.now())
        return NewKey(key, account, machine, given)

    return farm.db.write(add)


def revoke_keys(farm: Farm, machine_name: str) -> int:
    """Revoke all keys of a machine; returns how many that were."""
    return farm.db.write(
        lambda tx: account_rows.revoke_keys(tx, account_rows.machine_named(tx, machine_name).id, farm.now())
    )


def holder_of(farm: Farm, key: str) -> KeyHolder:
    """Return whom a key belongs to; raises BadCredentials."""
    return holder_by(farm, KEY_SCHEME, [key_verifier(key)])


def holder_by(farm: Farm, scheme: str, values: Iterable[str]) -> KeyHolder:
    """Return whom a key belongs to, by what a wire makes of it; raises BadCredentials."""
    candidates = list(values)

    def find(tx: Tx) -> KeyHolder | None:
        found = (account_rows.find_key_holder(tx, scheme, value) for value in candidates)
        return next((holder for holder in found if holder is not None), None)

    holder = farm.db.look(find) if len(candidates) == 1 else farm.db.read(find)
    if holder is None:
        raise BadCredentials
    return holder


def may_order(holder: KeyHolder) -> None:
    """Raise Forbidden unless a key may order for its account."""
    if not holder.scope.covers(Scope.ORDER) or not holder.account.role.covers(Role.ARTIST):
        raise Forbidden(f"The key of {holder.machine.name} is for rendering; orders need a key with the scope 'order'.")


def may_command(farm: Farm, holder: KeyHolder, machine_name: str) -> None:
    """Raise Forbidden unless a key may command a machine, as far as its account may; raises UnknownMachine, too.

    Its own it commands with any scope, others of its account with `order`, and the owner's everybody's with `manage`.
    """
    name = machine_name.lower()
    if name == holder.machine.name or holder.scope.covers(Scope.MANAGE):
        return
    if not holder.scope.covers(Scope.ORDER):
        raise Forbidden(f"The key of {holder.machine.name} is for that machine alone; others need one that may order.")
    if holder.account.role is Role.OWNER:  # to all others it is told as much by their account
        machine = farm.db.look(lambda tx: account_rows.machine_named(tx, name))
        if machine.account_id != holder.account.id:
            raise Forbidden(f"The machine {name} belongs to another account; that needs a key with the scope 'manage'.")


def key_verifier(key: str) -> str:
    """Return the SHA-256 of a key or token, which is all that the database keeps of it."""
    return hashlib.sha256(key.encode()).hexdigest()


def hash_password(password: str) -> str:
    """Return the Argon2 hash of a password; it takes up to a tenth of a second, so never inside a transaction."""
    with _hashing:
        return _hasher().hash(password)


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _no_password() -> str:
    """Return a hash that no password has, so that unknown names take as long as known ones."""
    return hash_password(secrets.token_hex())
