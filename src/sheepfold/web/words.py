"""What the farm knows as people read it: spans of time, days, points, the names of programs, what was just done."""

from datetime import UTC, datetime

from sheepfold.model.accounts import Scope
from sheepfold.protocols.registry import PROTOCOLS

_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def span(seconds: int | None) -> str:
    """Return a span of time in its largest unit, such as `3 hours`."""
    if seconds is None:
        return "unknown"
    for size, name in _UNITS:
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "no time"


def ago(at: int | None, now: int) -> str:
    """Return how long ago a time was."""
    if at is None:
        return "never"
    return "just now" if now - at < 5 else f"{span(now - at)} ago"


def day(at: int) -> str:
    """Return a time as a day with hours and minutes, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def power(cores: float) -> str:
    """Return how many reference cores a machine is worth."""
    return f"{cores:,.0f}" if cores >= 10 else f"{cores:.2g}"


def points(millipoints: int) -> str:
    """Return credit in points."""
    if millipoints == 0:
        return "0"
    return f"{millipoints / 1000:,.1f}" if millipoints >= 10_000 else f"{millipoints / 1000:.3f}"


_PROGRAMS = {"webkitgtk": "WebKitGTK", "mac os": "Mac OS", "bsd": "BSD", "msie": "Internet Explorer"}
DONE = {
    "saved": "Saved.",
    "asked": "A letter with a code is on its way; until the code is entered, the address is not proven.",
    "proven": "The address is yours.",
    "password": "The password is changed; every other browser is signed out.",
    "revoked": "Taken back; it opens nothing any more.",
    "ended": "That browser is signed out.",
    "voted": "Your vote counts.",
    "retired": "It has left the flock; its film and its pictures stay.",
    "priority": "Its priority is changed.",
    "added": "More frames are ordered.",
    "canceled": "The job is canceled; what was made of it stays.",
    "kept": "This job is kept for ever.",
    "unkept": "This job is kept as long as others.",
    "private": "Only you, who has a link, and whoever runs the farm see it now.",
    "shown": "Everybody who sees the farm sees it now.",
    "unshared": "Its links open nothing any more.",
    "reported": "Thank you: whoever ordered it is told.",
    "prolonged": "It waits longer now.",
    "accepted": "The next pictures are held against these.",
    "pause": "The machine is told to pause; it takes nothing new.",
    "resume": "The machine may work again.",
    "stop": "The machine is told to stop; somebody has to start it again.",
    "revoke": "Its keys open nothing any more.",
    "backup": "The house makes a backup now; below it says how far it is.",
    "removed": "It is gone; nothing more is sent there.",
    "sent": "A test is on its way; its answer appears below.",
}
"""What a page says once, after a form of it was sent: by the word that the answer to the form carries."""


_OPENS = {
    Scope.WORK: "rendering",
    Scope.ORDER: "rendering and ordering",
    Scope.MANAGE: "everything that its account may do",
}


def opens(scope: str) -> str:
    """Return what a key of a scope opens."""
    return _OPENS[Scope(scope)]


def client(protocol: str) -> str:
    """Return the program that speaks a protocol."""
    row = PROTOCOLS.get(protocol)
    return (row and row.program) or protocol  # what was rendered may name one that the house speaks no more


def fact(name: str, value: object) -> str:
    """Return what an event tells besides, such as `machine 3`; of a digest as much as tells it from others."""
    match name:
        case "millipoints":
            return f"{points(int(str(value)))} points"
        case "digest":
            return f"digest {str(value)[:12]}…"
        case "protocol":
            return f"with {client(str(value))}"
    return f"{name} {value}"


def program(name: str) -> str:
    """Return the name of a browser or a platform as its makers write it."""
    return _PROGRAMS.get(name.lower(), name[:1].upper() + name[1:])


_BROWSERS = (("Firefox/", "Firefox"), ("Edg/", "Edge"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "an iPhone"), ("Windows", "Windows"), ("Mac OS", "a Mac"),
            ("Linux", "Linux"))


def browser(user_agent: str) -> str:
    """Return what a browser calls itself in few words, such as `Firefox on Linux`; else its own words, cut."""
    name = next((name for sign, name in _BROWSERS if sign in user_agent), user_agent[:60])
    system = next((system for sign, system in _SYSTEMS if sign in user_agent), "")
    return f"{name} on {system}" if system else name
