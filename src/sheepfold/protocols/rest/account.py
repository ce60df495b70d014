"""What people ask of their own account: who they are, their keys and browsers, invitations, and to be forgotten."""

from typing import Annotated

from fastapi import APIRouter, Path

from sheepfold.farm import accounts, people, privacy, teams
from sheepfold.farm.accounts import NewKey
from sheepfold.farm.farm import Farm
from sheepfold.farm.owner import REVOKE, change_machine
from sheepfold.model.accounts import Account, Scope
from sheepfold.model.errors import NotFound
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.account_wire import (
    AccountOut,
    DataOut,
    EmailProof,
    EmailSet,
    Farewell,
    InvitationAsked,
    InvitationMade,
    KeyAsked,
    KeyList,
    KeyMade,
    KeyOut,
    PasswordSet,
    SignedIn,
    SignedInList,
)
from sheepfold.protocols.rest.callers import FarmHere, ManagerHere
from sheepfold.protocols.rest.making import MakingRoute
from sheepfold.protocols.rest.paging import BeforeId, Limit, cut
from sheepfold.protocols.rest.paths import IdInPath, MachineInPath

router = APIRouter(tags=["account"], route_class=MakingRoute)
KeyInPath = Annotated[IdInPath, Path(ge=0, le=wire.MOST_ID, description="The key's id.")]
BrowserInPath = Annotated[IdInPath, Path(ge=0, le=wire.MOST_ID, description="The id of a browser's session.")]


@router.get("/account", summary="See your account")
def get_account(farm: FarmHere, account: ManagerHere) -> AccountOut:
    """See the caller's account as its own person does."""
    return account_out(farm, account)


@router.get("/account/data", summary="Take all your data along")
def get_data(farm: FarmHere, account: ManagerHere) -> DataOut:
    """Return all that the farm keeps of the caller: jobs, machines, keys, browsers, points; no secret is among it."""
    return DataOut(dict(privacy.export_person(farm, account)))


@router.put("/account/email", status_code=204, summary="Set your address")
def put_email(farm: FarmHere, account: ManagerHere, asked: EmailSet) -> None:
    """Set the address that letters go to, or none; a letter with a code that proves it goes there.

    400 for what is no address, 429 where ten letters were sent within ten minutes.
    """
    people.set_email(farm, account, asked.email)


@router.post("/account/email/proof", status_code=204, summary="Prove your address")
def add_proof(farm: FarmHere, account: ManagerHere, asked: EmailProof) -> None:
    """Prove the address by the code of the letter; it works once."""
    people.verify_email(farm, account, asked.code)


@router.put("/account/password", status_code=204, summary="Change your password")
def put_password(farm: FarmHere, account: ManagerHere, asked: PasswordSet) -> None:
    """Change the password; every browser is signed out. 401 where the old one is wrong, 429 where ten were."""
    people.change_password(farm, account, asked.old, asked.password)


@router.get("/account/keys", summary="List your keys")
def get_keys(farm: FarmHere, account: ManagerHere, limit: Limit = 50, before: BeforeId = None) -> KeyList:
    """List the keys of the caller's machines, page by page; the keys themselves are not kept."""
    return key_list(farm, account, limit, before)


@router.delete("/account/keys/{key_id}", status_code=204, summary="Revoke a key")
def remove_key(farm: FarmHere, account: ManagerHere, key_id: KeyInPath) -> None:
    """Revoke one key of the caller's machines: it opens nothing any more."""
    privacy.revoke_key(farm, account, key_id)


@router.get("/account/browsers", summary="List where you are signed in")
def get_browsers(farm: FarmHere, account: ManagerHere, limit: Limit = 50, before: BeforeId = None) -> SignedInList:
    """List the browsers in which the caller is signed in, page by page."""
    return signed_in_list(farm, account, limit, before)


@router.delete("/account/browsers/{session_id}", status_code=204, summary="Sign a browser out")
def remove_browser(farm: FarmHere, account: ManagerHere, session_id: BrowserInPath) -> None:
    """Sign the caller out in a browser."""
    if not people.end_web_session(farm, account.id, session_id):
        raise NotFound("You are not signed in in such a browser.")


@router.post("/account/forget", status_code=204, summary="Be forgotten")
def forget(farm: FarmHere, account: ManagerHere, asked: Farewell) -> None:
    """Close the caller's account and take every name off it; its pictures and points stay, under a number.

    401 for a wrong password, 429 after ten of them, 403 for the last owner.
    """
    privacy.forget_person(farm, account, asked.password)


@router.post("/machines/{machine}/keys", status_code=201, summary="Make a key")
def add_key(farm: FarmHere, account: ManagerHere, machine: MachineInPath, asked: KeyAsked) -> KeyMade:
    """Make a key for one of the caller's machines, adding the machine where it is new; it is shown now alone."""
    return key_made(accounts.add_key(farm, account.name, machine, asked.scope))


@router.delete("/machines/{machine}/keys", status_code=204, summary="Revoke a machine's keys")
def remove_keys(farm: FarmHere, account: ManagerHere, machine: MachineInPath) -> None:
    """Revoke all keys of one of the caller's machines, or of any as the owner."""
    change_machine(farm, account, machine, REVOKE)


@router.post("/invitations", status_code=201, summary="Invite somebody")
def add_invitation(farm: FarmHere, account: ManagerHere, asked: InvitationAsked) -> InvitationMade:
    """Make an invitation that works once, within a week: owners to any role, artists volunteers."""
    return InvitationMade(code=people.invite(farm, account, asked.role))


def account_out(farm: Farm, account: Account) -> AccountOut:
    """Write an account, as the command line too shows it."""
    person, team = people.view_person(farm, account.id), teams.team_of(farm, account)
    return AccountOut(
        account=account.name, role=account.role, email=person.email, is_email_proven=person.is_verified,
        team=None if team is None else team.name, machines=person.machines, created_at=person.created_at,
        earned=person.purse.earned, spent=person.purse.spent,
    )


def key_made(made: NewKey) -> KeyMade:
    """Write a new key."""
    return KeyMade(key=made.key, machine=made.machine.name, account=made.account.name, scope=made.scope)


def key_list(farm: Farm, account: Account, limit: int, before: int | None) -> KeyList:
    """Write a page of an account's keys."""
    page, following = cut(privacy.list_keys(farm, account, limit + 1, before), limit, lambda row: row.id)
    keys = [KeyOut(id=row.id, machine=row.machine, scope=Scope(row.scope), created_at=row.created_at) for row in page]
    return KeyList(keys=keys, next=following)


def signed_in_list(farm: Farm, account: Account, limit: int, before: int | None) -> SignedInList:
    """Write a page of the browsers in which an account is signed in."""
    found = people.list_web_sessions(farm, account.id, limit + 1, before)
    page, following = cut(found, limit, lambda one: one.id)
    browsers = [SignedIn(id=one.id, browser=one.browser, opened_at=one.opened_at, last_seen_at=one.last_seen_at)
                for one in page]
    return SignedInList(browsers=browsers, next=following)
