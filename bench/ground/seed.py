"""What seeds are: requests that make sense on a furnished farm, made anew when they are sent, and their parts."""

from collections.abc import Callable
from dataclasses import dataclass

from sheepfold.farm import people, privacy, teams
from sheepfold.farm.accounts import add_key
from sheepfold.farm.backups import ask_backup
from sheepfold.farm.browsers import add_browser
from sheepfold.model.browsers import BrowserProgram
from sheepfold.protocols.visitors import COOKIE

from .furnished import (
    PAGE,
    Furnished,
    Person,
)
from .fuzzing import FORM, Asked, Header

BEGIN = "/begin"
"""Where the owner of an empty farm is made: the one page whose form a farm with an owner does not take."""
JSON = (b"content-type", b"application/json")
TYPED = (b"content-type", b"application/x-www-form-urlencoded")
XML = (b"content-type", b"text/xml")
PARTS = (b"content-type", FORM)
SHOTS = {"kind": "screenshot", "spec": {"url": PAGE, "browsers": ["Firefox"]}}
FLAME = {"kind": "flame", "spec": {"frames": 2, "width": 64, "height": 48, "quality": 1, "temporal_samples": 1}}
Make = Callable[[Furnished], Asked]
Who = Callable[[Furnished], Person]
RARE = 0.2
"""The weight of what is inspected or makes new accounts, and takes ten times as long as other requests."""
SLOW = 0.02
"""The weight of what takes a second: passwords that are hashed, and sketches."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A request of a wire, made when it is wanted; its weight is how often it is, beside others' 1."""

    wire: str
    make: Make
    weight: float = 1.0


def form(*parts: tuple[str, bytes]) -> bytes:
    """Write a multipart form of files, and of fields, whose names say `order`."""
    written = b"".join(
        f'--sheep\r\nContent-Disposition: form-data; name="{name}"'.encode()
        + (b"" if name == "order" else b'; filename="f"') + b"\r\n\r\n" + body + b"\r\n" for name, body in parts)
    return written + b"--sheep--\r\n"


def bearer(secret: str) -> Header:
    """Return the header that carries a key or a token."""
    return b"authorization", b"Bearer " + secret.encode()


def named(path: str, room: Furnished) -> str:
    """Put what the farm has in the place of names in braces."""
    for name, found in _NAMES.items():
        if "{" + name + "}" in path:
            path = path.replace("{" + name + "}", str(found(room)))
    return path


def _browser(room: Furnished) -> int:
    program = BrowserProgram("Firefox", f"{room.number() % 90 + 4}.0", "", "")
    return add_browser(room.farm, None, room.owner.key.machine.name, program, "linux", None).id


def _key_of_passer(room: Furnished) -> int:
    add_key(room.farm, room.passer.name, room.passer.key.machine.name)
    return privacy.list_keys(room.farm, room.passer.account)[0].id


def _session_of_passer(room: Furnished) -> int:
    people.open_web_session(room.farm, room.passer.account, "another browser")
    return people.list_web_sessions(room.farm, room.passer.account.id)[0].id


_NAMES: dict[str, Callable[[Furnished], object]] = {
    "done": lambda room: room.flame.id, "again": lambda room: room.again.id, "page": lambda room: room.page.id,
    "spare": lambda room: room.spare().id, "blend": lambda room: room.spare("blender").id,
    "task": lambda room: room.tasks[0], "product": lambda room: room.product, "team": lambda room: room.team,
    "generation": lambda room: room.sheep.generation, "sheep": lambda room: room.sheep.number,
    "lamb": lambda room: room.lamb().number, "hook": Furnished.hook, "key": _key_of_passer,
    "machine": lambda room: room.owner.key.machine.name, "session": _session_of_passer,
    "passing": lambda room: room.passer.name, "new": lambda room: room.number(), "hashkey": lambda room: room.hashkey,
    "browser": _browser,
    "backup": lambda room: ask_backup(room.farm, room.owner.account).id,
    "head": lambda room: room.hashkey[:2],
    "share": Furnished.share,
}  # fmt: skip


def invitation(room: Furnished) -> str:
    """Return the code by which one joins the owner's team."""
    return teams.invite(room.farm, room.owner.account, room.team)


def got(path: str) -> Make:
    """Make a request for a page by the owner, whose browser is signed in."""
    return lambda room: Asked("GET", named(path, room), b"", (cookie(room.owner),))


def cookie(person: Person) -> Header:
    """Return the header by which somebody's browser is signed in."""
    return b"cookie", f"{COOKIE}={person.cookie}".encode()
