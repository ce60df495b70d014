"""Screenshot factories: their browsers and screens, which of them makes a request, and whether it was that one."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NewType

from sheepfold.model.errors import Conflict, NotFound
from sheepfold.model.machines import Machine, MachineId
from sheepfold.model.matching import Abilities, Browser, Needs, Program
from sheepfold.model.user_agents import LINUX, engine_of, family_of, identify, platform_of, tells_version, version_of

BrowserId = NewType("BrowserId", int)

BLOCKED_S = 600
"""How long a browser is left in peace after an error (protocol note, section 4.2)."""
ACTIVE_S = 600
"""How long after its last poll a factory counts as there."""
USUAL_WIDTHS = (1024, 800, 1152, 1280, 640)
"""Which screen is chosen where several will do, the first one first (protocol note, section 4.2)."""
USUAL_SCREENS = {640: 480, 800: 600, 1024: 768, 1152: 864, 1280: 1024}
USUAL_DEPTH = 24


class UnknownUserAgent(NotFound):
    """The browser is not registered for this factory."""


class OtherBrowser(Conflict):
    """Another browser came than the one that was asked for."""

    def __init__(self, wanted: str = "", found: str = "") -> None:
        super().__init__(f"Requested browser {wanted} but got {found}." if wanted else "")
        self.wanted, self.found = wanted, found


class OtherVersion(OtherBrowser):
    """Another version of the browser came than the one that was asked for."""


@dataclass(frozen=True, slots=True)
class Screen:
    """A size and depth that a factory can set up: pixels, and bits a pixel."""

    width: int
    height: int
    bpp: int


@dataclass(frozen=True, slots=True)
class BrowserProgram:
    """A browser of a factory as its owner describes it; an empty User-Agent is learned from its first visit.

    An empty command is the factory's own idea of how to start it. Features are `enabled`, `disabled` or a version.
    """

    name: str
    version: str
    user_agent: str = ""
    command: str = ""
    javascript: str = "enabled"
    java: str = "disabled"
    flash: str = "disabled"


@dataclass(frozen=True, slots=True)
class Registered:
    """A browser of a factory with what became of it; `fault` is what it was last blocked for."""

    id: BrowserId
    machine_id: MachineId
    program: BrowserProgram
    added_at: int
    uploaded_at: int | None = None
    failed_at: int | None = None
    fault: str = ""

    def is_blocked(self, now: int) -> bool:
        """Say whether the browser is left in peace after an error."""
        return self.failed_at is not None and now < self.failed_at + BLOCKED_S

    @property
    def ability(self) -> Browser:
        """Return the browser as the matcher knows it."""
        told = self.program
        return Browser(told.name, told.version, told.javascript, told.java, told.flash)


@dataclass(frozen=True, slots=True)
class Factory:
    """A machine that makes screenshots; without any screen it makes every size and depth."""

    machine: Machine
    platform: str = LINUX
    browsers: tuple[Registered, ...] = field(default=())
    screens: tuple[Screen, ...] = ()
    polled_at: int | None = None
    uploaded_at: int | None = None
    queue_estimate_s: int | None = None

    def is_active(self, now: int) -> bool:
        """Say whether the factory has asked for work of late."""
        return self.polled_at is not None and now < self.polled_at + ACTIVE_S

    def able_browsers(self, now: int) -> tuple[Registered, ...]:
        """Return the browsers that are not blocked."""
        return tuple(one for one in self.browsers if not one.is_blocked(now))


def abilities_of(factory: Factory, protocol: str, now: int) -> Abilities:
    """Return what a factory can make now."""
    return Abilities(
        kinds=frozenset({"screenshot"}),
        browsers=frozenset(one.ability for one in factory.able_browsers(now)),
        platform=factory.platform,
        protocol=protocol,
        sizes=frozenset((screen.width, screen.height) for screen in factory.screens),
        depths=frozenset(screen.bpp for screen in factory.screens if screen.bpp),
    )


def choose_browser(factory: Factory, needs: Needs, now: int) -> Registered | None:
    """Return the newest of the browsers that satisfy a request, None where none does (any more)."""
    able = [
        one for one in factory.able_browsers(now)
        if one.ability.covers(needs.browser, needs.browser_version)
        and one.ability.has_features(needs.javascript, needs.java, needs.flash)
    ]  # fmt: skip
    return max(able, key=lambda one: (numbers_of(one.program.version), one.id), default=None)


def choose_screen(factory: Factory, width: int, height: int, bpp: int) -> Screen:
    """Return the screen to set up for a request, where zero means any (protocol note, section 4.2)."""
    fit = [one for one in factory.screens if width in {0, one.width} and height in {0, one.height}]
    deep = [one for one in fit if bpp in {0, one.bpp}] or fit
    if not deep:
        wide = width or USUAL_WIDTHS[0]
        return Screen(wide, height or USUAL_SCREENS.get(wide, wide * 3 // 4), bpp or USUAL_DEPTH)
    chosen = min(deep, key=_rank)
    return replace(chosen, bpp=bpp or max(one.bpp for one in deep if one.width == chosen.width) or USUAL_DEPTH)


def _rank(screen: Screen) -> tuple[int, int, int]:
    usual = USUAL_WIDTHS.index(screen.width) if screen.width in USUAL_WIDTHS else len(USUAL_WIDTHS)
    return usual, screen.width, screen.height


def meet(factory: Factory, chosen: Registered, user_agent: str) -> Registered:
    """Return the browser that a visit with this User-Agent is by, with what the visit taught of it.

    A changed User-Agent of the same browser and platform replaces the old one: browsers update themselves each month,
    and that must not break a factory. Raises UnknownUserAgent, OtherBrowser.
    """
    known = [one for one in factory.browsers if one.program.user_agent == user_agent]
    for one in sorted(known, key=lambda one: one.id != chosen.id):
        if family_of(one.program.name) == family_of(chosen.program.name):
            return one
        raise OtherBrowser(chosen.program.name, one.program.name)
    version = version_of(user_agent, chosen.program.name)
    if version and platform_of(user_agent) in {"", factory.platform}:
        return _taught(chosen, user_agent, version)
    family, _ = identify(user_agent)
    if not family and not chosen.program.user_agent:
        return _taught(chosen, user_agent, chosen.program.version)
    for one in factory.browsers:
        if family and family == family_of(one.program.name) != family_of(chosen.program.name):
            raise OtherBrowser(chosen.program.name, one.program.name)
    raise UnknownUserAgent(f"Unknown user agent: {user_agent}.")


def check_version(browser: Registered, wanted: str) -> None:
    """Raise OtherVersion unless a browser is of the version that was asked for, if any."""
    if wanted and not browser.ability.covers(browser.program.name, wanted):
        raise OtherVersion(f"version {wanted}", browser.program.version)


def _taught(browser: Registered, user_agent: str, version: str) -> Registered:
    known = browser.program.version
    better = _newer(known, version) if tells_version(browser.program.name) else known
    return replace(browser, program=replace(browser.program, user_agent=user_agent, version=better))


def _newer(known: str, told: str) -> str:
    """Return the better of two versions: what browsers tell is often cut short, as in 128.0 or 128.0.0.0."""
    is_cut = numbers_of(known)[:1] == numbers_of(told)[:1] and not any(numbers_of(told)[1:])
    return known if known and is_cut else told


def numbers_of(version: str) -> tuple[int, ...]:
    """Return a version as numbers, to be compared; what is no number counts as zero."""
    return tuple(int(word) if word.isascii() and word.isdigit() else 0 for word in version.split("."))


def major_minor(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version."""
    major, minor, *_ = (*numbers_of(version), 0, 0)
    return major, minor


def wire_name(platform: str, name: str, version: str) -> str:
    """Return a browser as orders name it, such as linux_firefox_2_0; an empty version is any."""
    parts = [str(part) for part in major_minor(version)] if version else ["None", "None"]
    return "_".join([*(f"{text}".casefold().replace(" ", "-") for text in (platform or "any", name)), *parts])


@dataclass(frozen=True, slots=True)
class Alive:
    """A browser that machines which are here have, on a platform; without sizes it is shot in every size.

    `is_driven` says that one of them drives it by remote control, for which sizes do not matter.
    """

    platform: str
    name: str
    engine: str
    versions: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    machines: int
    is_driven: bool


def browsers_alive(told: Iterable[tuple[Abilities, int]], driven_by: str) -> list[Alive]:
    """Return the browsers that machines have, by platform and name; `told` is what so many machines can do.

    Who speaks the protocol `driven_by` drives its browsers by remote control.
    """
    having: dict[tuple[str, str], list[tuple[Abilities, Program, int]]] = {}
    for abilities, machines in told:
        for one in abilities.browsers if "screenshot" in abilities.kinds else ():
            having.setdefault((abilities.platform, one.name.casefold()), []).append((abilities, one, machines))
    return [_alive(platform, having[platform, name], driven_by) for platform, name in sorted(having)]


def _alive(platform: str, having: list[tuple[Abilities, Program, int]], driven_by: str) -> Alive:
    versions = sorted({one.version for _, one, _ in having if one.version}, key=numbers_of)
    name = having[0][1].name
    makes_all = any(not abilities.sizes for abilities, _, _ in having)
    sizes = () if makes_all else tuple(sorted({size for abilities, _, _ in having for size in abilities.sizes}))
    return Alive(platform, name, engine_of(name, versions[-1] if versions else ""), tuple(versions), sizes,
                 sum(machines for _, _, machines in having), any(one.protocol == driven_by for one, _, _ in having))


def active_names(factories: Iterable[Factory], now: int) -> list[str]:
    """Return the browsers that can be asked for now, each once, as orders name them."""
    return sorted({
        wire_name(factory.platform, one.program.name, one.program.version)
        for factory in factories if factory.is_active(now) for one in factory.browsers
    })  # fmt: skip
