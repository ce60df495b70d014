"""The part of the REST wire that tells of an account: its person, its keys, the browsers where it is signed in."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, RootModel

from sheepfold.model.accounts import Role, Scope
from sheepfold.protocols.rest.wire import Asked, Count, Told

MOST_PASSWORD = 200
Password = Annotated[str, Field(max_length=MOST_PASSWORD)]
Code = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[!-~]+$")]


class AccountOut(Told):
    """An account as its own person sees it; `earned` and `spent` are thousandths of points."""

    account: str
    role: Role
    email: str
    is_email_proven: bool
    team: str | None = None
    machines: Count
    created_at: int
    earned: int
    spent: int


class DataOut(RootModel[dict[str, Any]]):
    """All that the farm keeps of somebody."""


class EmailSet(Asked):
    """An address for letters, empty for none; a code is sent there that proves it."""

    email: Annotated[str, Field(max_length=254)]


class EmailProof(Asked):
    """The code that was sent to an address."""

    code: Code


class PasswordSet(Asked):
    """The password as it is, and as it shall be."""

    old: Password
    password: Password


class Farewell(Asked):
    """The password of an account that wants to be forgotten."""

    password: Password


class KeyAsked(Asked):
    """What a new key shall open; rendering alone where nothing is said."""

    scope: Scope = Scope.WORK


class KeyMade(Told):
    """A new key, which is shown now alone."""

    key: str
    machine: str
    account: str
    scope: Scope


class KeyOut(Told):
    """A key that opens the farm to a machine; the key itself is not kept."""

    id: int
    machine: str
    scope: Scope
    created_at: int


class KeyList(Told):
    """An account's keys, the newest first; `next` is the `before` of the following page, absent on the last."""

    turn: ClassVar[str] = "before"
    keys: list[KeyOut]
    next: int | None = None

    @property
    def rows(self) -> list[KeyOut]:
        """Return the keys."""
        return self.keys


class KeysRevoked(Told):
    """How many keys open nothing any more."""

    revoked: Count


class SignedIn(Told):
    """A browser in which an account is signed in, as it called itself."""

    id: int
    browser: str
    opened_at: int
    last_seen_at: int


class SignedInList(Told):
    """Where an account is signed in, the newest first; `next` is the `before` of the page that follows, if any does."""

    turn: ClassVar[str] = "before"
    browsers: list[SignedIn]
    next: int | None = None

    @property
    def rows(self) -> list[SignedIn]:
        """Return the browsers."""
        return self.browsers


class InvitationAsked(Asked):
    """The role of whoever is invited."""

    role: Role = Role.VOLUNTEER


class InvitationMade(Told):
    """An invitation's code, which works once, within a week."""

    code: str
