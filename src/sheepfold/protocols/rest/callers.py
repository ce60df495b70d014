"""Who calls: a machine key or a session's token, from `Authorization: Bearer …`, becomes a person or a machine."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from sheepfold.farm.accounts import holder_of, may_order
from sheepfold.farm.dispatch import Maker, session_of
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account, Role, Scope
from sheepfold.model.errors import BadCredentials, Forbidden, SessionEnded
from sheepfold.model.machines import Session
from sheepfold.model.matching import Abilities
from sheepfold.protocols.rest import wire
from sheepfold.store.accounts import KeyHolder
from sheepfold.store.sessions import OpenSession


@dataclass(frozen=True, slots=True)
class Worker:
    """A machine with a session: what its leases are granted to, and what it said that it can do."""

    holder: KeyHolder
    session: Session
    abilities: Abilities

    @property
    def maker(self) -> Maker:
        """Return who renders, as the farm's operations want it."""
        return Maker(self.session.machine_id, self.session.account_id, wire.PROTOCOL, self.session.id)


async def farm_of(request: Request) -> Farm:
    """Return the farm that this application serves."""
    farm: Farm = request.app.state.farm
    return farm


FarmHere = Annotated[Farm, Depends(farm_of)]
_bearer = HTTPBearer(auto_error=False, description="A machine key, or the token of a session.")
_Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def token_of(credentials: _Credentials) -> str:
    """Return the key or token of a request; raises BadCredentials where it has none."""
    if credentials is None or not credentials.credentials:
        raise BadCredentials("This needs the header 'Authorization: Bearer KEY'.")
    return credentials.credentials


Token = Annotated[str, Depends(token_of)]


def key_holder(farm: FarmHere, token: Token) -> KeyHolder:
    """Return whom a machine key belongs to; a session's token is none. Raises BadCredentials."""
    return holder_of(farm, token)


def worker_of(farm: FarmHere, token: Token) -> Worker:
    """Return the machine of a session; raises SessionEnded, also where the session's key was revoked."""
    return worker_in(session_of(farm, token))


def worker_in(known: OpenSession) -> Worker:
    """Return the machine of a living session; raises SessionEnded as `worker_of` does."""
    if known.session.protocol != wire.PROTOCOL:
        raise SessionEnded
    if known.holder is None:
        raise SessionEnded("The key that opened this session was revoked.")
    return Worker(known.holder, known.session, abilities_told(known.abilities))


@lru_cache(maxsize=1024)
def abilities_told(told: str) -> Abilities:
    """Read what a session told; the machines of a farm mostly tell the same, with each of their requests."""
    return wire.Abilities.model_validate_json(told).to_model()


def caller_of(farm: FarmHere, token: Token) -> KeyHolder:
    """Return who reads, by key or by session; raises BadCredentials, SessionEnded."""
    try:
        return holder_of(farm, token)
    except BadCredentials:
        return worker_of(farm, token).holder


async def customer_of(holder: Annotated[KeyHolder, Depends(key_holder)]) -> Account:
    """Return the account that a key may order for; raises Forbidden."""
    may_order(holder)
    return holder.account


async def canceler_of(holder: Annotated[KeyHolder, Depends(key_holder)]) -> Account:
    """Return the account whose jobs a key may cancel, the owner's all; raises Forbidden."""
    if not holder.scope.covers(Scope.ORDER):
        raise Forbidden("This key is for rendering; canceling needs a key with the scope 'order'.")
    return holder.account


async def manager_of(holder: Annotated[KeyHolder, Depends(key_holder)]) -> Account:
    """Return the account that a key may change, with its machines' keys; raises Forbidden."""
    if not holder.scope.covers(Scope.MANAGE):
        raise Forbidden("This needs a key with the scope 'manage', which opens its account too.")
    return holder.account


async def owner_of(account: Annotated[Account, Depends(manager_of)]) -> Account:
    """Return the farm's owner, whose key may rule the farm; raises Forbidden."""
    if account.role is not Role.OWNER:
        raise Forbidden(f"{account.name} is a {account.role}; this is the owner's to do.")
    return account


def may_order_at_all(holder: KeyHolder) -> bool:
    """Say whether `customer_of` would let this key order."""
    return holder.scope.covers(Scope.ORDER) and holder.account.role.covers(Role.ARTIST)


KeyHolderHere = Annotated[KeyHolder, Depends(key_holder)]
WorkerHere = Annotated[Worker, Depends(worker_of)]
CallerHere = Annotated[KeyHolder, Depends(caller_of)]
CustomerHere = Annotated[Account, Depends(customer_of)]
CancelerHere = Annotated[Account, Depends(canceler_of)]
ManagerHere = Annotated[Account, Depends(manager_of)]
OwnerHere = Annotated[Account, Depends(owner_of)]
