"""Numbers as people read them: spans of time, days, points."""

from datetime import UTC, datetime

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


_BROWSERS = (("Firefox/", "Firefox"), ("Edg/", "Edge"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "an iPhone"), ("Windows", "Windows"), ("Mac OS", "a Mac"),
            ("Linux", "Linux"))


def browser(user_agent: str) -> str:
    """Return what a browser calls itself in few words, such as `Firefox on Linux`; else its own words, cut."""
    name = next((name for sign, name in _BROWSERS if sign in user_agent), user_agent[:60])
    system = next((system for sign, system in _SYSTEMS if sign in user_agent), "")
    return f"{name} on {system}" if system else name
