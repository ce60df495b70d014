"""Nonces: one call each, for one machine or account, bound to the neighbourhood of an address."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from sheepfold.farm.addresses import network_of, read_address
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account, AccountId, Scope
from sheepfold.model.errors import BadCredentials, SessionEnded
from sheepfold.model.machines import Machine
from sheepfold.store import accounts as account_rows
from sheepfold.store import browsers as browser_rows
from sheepfold.store.browsers import Door, Nearest, NonceRow
from sheepfold.store.database import Tx, read_at_once

NONCE_S = 600
"""How long a nonce is good (protocol note, section 1.5)."""
REMEMBERED_S = 86_400
"""How long one that has expired is still told from one that never was."""
MOST_OPEN = 500
"""How many of an owner's nonces are looked through, of those for the caller's own network and again of all.

Anybody may ask for nonces in another's name: who asks for more pushes out the oldest of its own network alone.
"""
IPV4_BITS = 24
"""How many bits of an IPv4 address are its network's."""
SWEEP_EVERY = 256
"""Each how many nonces the forgotten ones are swept."""

T = TypeVar("T")
IsProof = Callable[[str, str], bool]
"""Of a shared digest and a nonce: whether what the client sent was made of them."""


class OtherAddress(BadCredentials):
    """The nonce was given to another address."""


class OwnerOf(StrEnum):
    """Whose a nonce is; the one's opens nothing of the other's."""

    MACHINE = "machine"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Owner:
    """A machine or an account, by its id."""

    sort: OwnerOf
    id: int


def account_named(farm: Farm, name: str) -> Account:
    """Return an account; raises UnknownAccount."""
    return farm.db.look(lambda tx: account_rows.account_named(tx, name))


def issue_nonce(farm: Farm, account_id: AccountId, address: str) -> str:
    """Give an account a nonce: 32 small hex digits."""
    nonce, _ = _issued(farm, address, lambda tx, row: browser_rows.add_nonce(tx, OwnerOf.ACCOUNT, account_id, row))
    return nonce


def issue_nonce_to_machine(farm: Farm, name: str, address: str) -> tuple[str, str]:
    """Give the machine of a name a nonce; returns also the name of whose it is. Raises UnknownMachine."""
    return _issued(farm, address, lambda tx, row: browser_rows.add_nonce_of_machine(tx, name, row))


def _issued(farm: Farm, address: str, add: Callable[[Tx, NonceRow], T]) -> tuple[str, T]:
    nonce = farm.token()
    network = _network(farm, address)

    def issue(tx: Tx) -> T:
        now = farm.now()
        added = add(tx, NonceRow(nonce, address, now, network))
        if int(nonce[:8], 16) % SWEEP_EVERY == 0:
            browser_rows.sweep_nonces(tx, now - REMEMBERED_S)
        return added

    return nonce, farm.db.write_singly(issue)


def find_door(farm: Farm, machine_name: str, address: str, schemes: Collection[str]) -> tuple[Machine, Door]:
    """Return a machine with what it may come in by from an address, with one look; raises UnknownMachine."""
    near = Nearest(_network(farm, address), MOST_OPEN)
    return read_at_once(farm.db, lambda tx: browser_rows.door_of_machine(tx, machine_name, near, schemes))


def use_nonce(farm: Farm, owner: Owner, address: str, schemes: Collection[str], is_proof: IsProof) -> Scope:
    """Use up the nonce that a client proved its key with, and return the scope of that key.

    Raises BadCredentials where no nonce fits, OtherAddress (the nonce stays) and SessionEnded where it is too old.
    """
    near = Nearest(_network(farm, address), MOST_OPEN)
    door = read_at_once(farm.db, lambda tx: browser_rows.door_of(tx, owner.sort, owner.id, near, schemes))
    return enter(farm, door, address, is_proof)


def enter(farm: Farm, door: Door, address: str, is_proof: IsProof) -> Scope:
    """Do as `use_nonce` does, at a door that was looked up just now."""
    for nonce in door.nonces:
        for proof in door.proofs:
            if is_proof(proof.inner, nonce.nonce):
                _check_address(farm, nonce, address)
                _use(farm, nonce)
                return proof.scope
    raise BadCredentials("Password mismatch.")


def _check_address(farm: Farm, nonce: NonceRow, address: str) -> None:
    if not is_near(nonce.address, address, farm.settings.browsershots_addresses):
        raise OtherAddress


def _use(farm: Farm, nonce: NonceRow) -> None:
    if not farm.db.write_singly(lambda tx: browser_rows.drop_nonce(tx, nonce.nonce)):
        raise BadCredentials("Password mismatch.")
    if farm.now() > nonce.issued_at + NONCE_S:
        raise SessionEnded("The nonce is too old.")


def is_near(one: str, other: str, rule: str) -> bool:
    """Say whether two addresses may be one client's: `strict` the same, `loose` one network, `any` always.

    Under `loose` an address of the other family is near: a machine with both may call by one and browse by the other.
    """
    if rule == "any" or one == other:
        return True
    if rule == "strict":
        return False
    first, second = read_address(one), read_address(other)
    if first is None or second is None:
        return False
    return first.version != second.version or network_of(one, IPV4_BITS) == network_of(other, IPV4_BITS)


def _network(farm: Farm, address: str) -> str:
    """Return the name of the network that an address counts with: by the rule `strict` with none but itself."""
    return address if farm.settings.browsershots_addresses == "strict" else network_of(address, IPV4_BITS)
