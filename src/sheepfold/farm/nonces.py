"""Nonces: one call each, for one machine or account, bound to the neighbourhood of an address."""

import ipaddress
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account, AccountId, Scope
from sheepfold.model.errors import BadCredentials, SessionEnded
from sheepfold.model.machines import Machine, MachineId
from sheepfold.store import accounts as account_rows
from sheepfold.store import browsers as browser_rows
from sheepfold.store.browsers import NonceRow, ProofRow
from sheepfold.store.database import Tx

NONCE_S = 600
"""How long a nonce is good (protocol note, section 1.5)."""
REMEMBERED_S = 86_400
"""How long one that has expired is still told from one that never was."""
MOST_OPEN = 500
"""How many of an owner's nonces are looked through; whoever asks for more pushes the oldest out."""
SWEEP_EVERY = 256
"""Each how many nonces the forgotten ones are swept."""

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


def machine_with_account(farm: Farm, name: str) -> tuple[Machine, Account]:
    """Return a machine and whose it is; raises UnknownMachine."""
    return farm.db.look(lambda tx: account_rows.machine_with_account(tx, name))


def account_named(farm: Farm, name: str) -> Account:
    """Return an account; raises UnknownAccount."""
    return farm.db.read(lambda tx: account_rows.account_named(tx, name))


def issue_nonce(farm: Farm, owner: Owner, address: str) -> str:
    """Give out a nonce: 32 small hex digits."""
    nonce = farm.token()

    def add(tx: Tx) -> None:
        now = farm.now()
        browser_rows.add_nonce(tx, owner.sort, owner.id, NonceRow(nonce, address, now))
        if int(nonce[:8], 16) % SWEEP_EVERY == 0:
            browser_rows.sweep_nonces(tx, now - REMEMBERED_S)

    farm.db.write_singly(add)
    return nonce


def use_nonce(farm: Farm, owner: Owner, address: str, schemes: Collection[str], is_proof: IsProof) -> Scope:
    """Use up the nonce that a client proved its key with, and return the scope of that key.

    Raises BadCredentials where no nonce fits, OtherAddress (the nonce stays) and SessionEnded where it is too old.
    """

    def find(tx: Tx) -> tuple[Sequence[NonceRow], Sequence[ProofRow]]:
        nonces = browser_rows.nonces_of(tx, owner.sort, owner.id, MOST_OPEN)
        if owner.sort is OwnerOf.MACHINE:
            return nonces, browser_rows.proofs_of_machine(tx, MachineId(owner.id), schemes)
        return nonces, browser_rows.proofs_of_account(tx, AccountId(owner.id), schemes)

    nonces, proofs = farm.db.read(find)
    for nonce in nonces:
        for proof in proofs:
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
    try:
        first, second = (ipaddress.ip_address(text) for text in (one, other))
    except ValueError:
        return False
    if first.version != second.version:
        return True
    network = ipaddress.ip_network((first, 24 if first.version == 4 else 64), strict=False)
    return second in network
