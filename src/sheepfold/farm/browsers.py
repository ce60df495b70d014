"""Browsers of screenshot factories: registered by whoever owns the machine, and listed."""

import re
from dataclasses import replace

from sheepfold.farm.farm import Farm
from sheepfold.farm.rights import own_machine
from sheepfold.model.accounts import Account
from sheepfold.model.browsers import (
    ACTIVE_S,
    BrowserId,
    BrowserProgram,
    Factory,
    Registered,
    Screen,
    active_names,
    major_minor,
)
from sheepfold.model.errors import BadInput, NotFound
from sheepfold.model.machines import Machine
from sheepfold.model.user_agents import PLATFORMS, version_of
from sheepfold.store import accounts as account_rows
from sheepfold.store import browsers as browser_rows
from sheepfold.store import sessions as session_rows
from sheepfold.store.database import Tx

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9 +.-]{0,39}", re.ASCII)
_VERSION = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){0,3}", re.ASCII)
_FEATURE = re.compile(r"enabled|disabled|[0-9]{1,3}(\.[0-9]{1,3}){0,3}", re.ASCII)
# What factories themselves take for safe: no blank, no absolute path, no drive (protocol note, section 4.5).
_COMMAND = re.compile(r"([\w-]+[\\/])*[\w.-]+", re.ASCII)
LONGEST_USER_AGENT = 400
LONGEST_COMMAND = 80
MOST_BROWSERS = 200


def add_browser(farm: Farm, caller: Account | None, machine_name: str, program: BrowserProgram, platform: str = "",
                screen: Screen | None = None) -> Registered:
    """Register a browser of a machine, and a screen that it can set up; returns the browser.

    The same browser of the same major and minor version is changed, and another one of the same User-Agent goes.
    `caller` is None on the farm's own command line, else the machine's owner or the farm's. Raises BadInput,
    UnknownMachine and Forbidden.
    """
    checked = _checked(program)
    if platform and platform.casefold() not in PLATFORMS:
        raise BadInput(f"A platform is one of {', '.join(PLATFORMS)}; found {platform[:40]!r}.")
    if screen is not None:
        _check_screen(screen)

    def add(tx: Tx) -> Registered:
        machine = _owned(tx, caller, machine_name)
        before = browser_rows.factory_of(tx, machine)
        browser_rows.ensure_factory(tx, machine.id, platform.casefold() or before.platform)
        if screen is not None:
            browser_rows.add_screen(tx, machine.id, screen)
        browser_id = _set(tx, before, checked, farm.now())
        return _one(browser_rows.factory_of(tx, machine), browser_id)

    return farm.db.write(add)


def _set(tx: Tx, factory: Factory, program: BrowserProgram, now: int) -> BrowserId:
    same = next((one.id for one in factory.browsers if _is_same(one.program, program)), None)
    for one in factory.browsers:
        if one.id != same and program.user_agent and one.program.user_agent == program.user_agent:
            browser_rows.remove_browser(tx, factory.machine.id, one.id)
    if same is not None:
        browser_rows.set_browser(tx, same, program)
        return same
    if len(factory.browsers) >= MOST_BROWSERS:
        raise BadInput(f"A machine has at most {MOST_BROWSERS} browsers.")
    return browser_rows.add_browser(tx, factory.machine.id, program, now)


def _is_same(one: BrowserProgram, other: BrowserProgram) -> bool:
    features = (one.javascript, one.java, one.flash) == (other.javascript, other.java, other.flash)
    return features and one.name.casefold() == other.name.casefold() and (
        major_minor(one.version) == major_minor(other.version)
    )


def _one(factory: Factory, browser_id: BrowserId) -> Registered:
    found = next((one for one in factory.browsers if one.id == browser_id), None)
    if found is None:
        raise NotFound(f"The machine {factory.machine.name} has no browser {browser_id}.")
    return found


def remove_browser(farm: Farm, caller: Account | None, machine_name: str, browser_id: BrowserId) -> Registered:
    """Remove a browser of a machine, and return what it was; raises UnknownMachine, NotFound and Forbidden."""

    def remove(tx: Tx) -> Registered:
        machine = _owned(tx, caller, machine_name)
        found = _one(browser_rows.factory_of(tx, machine), browser_id)
        browser_rows.remove_browser(tx, machine.id, browser_id)
        return found

    return farm.db.write(remove)


def view_factory(farm: Farm, machine_name: str) -> Factory:
    """Return a machine with its browsers and screens; raises UnknownMachine."""

    def view(tx: Tx) -> Factory:
        return browser_rows.factory_of(tx, account_rows.machine_named(tx, machine_name.strip().lower()))

    return farm.db.read(view)


def list_factories(farm: Farm) -> list[Factory]:
    """Return all machines that have browsers, by name."""
    return farm.db.read(browser_rows.list_factories)


def page_of_factories(farm: Farm, limit: int, after: str = "") -> list[Factory]:
    """Return machines that have browsers by name, those after a name."""
    return farm.db.read(lambda tx: browser_rows.page_of_factories(tx, limit, after))


def abilities_alive(farm: Farm, protocol: str) -> list[tuple[str, int]]:
    """Return what machines with a session said of themselves in a protocol's words, and how many said it: those that
    were heard of lately and may work.
    """
    return farm.db.read(lambda tx: session_rows.abilities_alive(tx, protocol, farm.now() - ACTIVE_S))


def active_browsers(farm: Farm) -> list[str]:
    """Return the browsers that can be asked for now, such as linux_firefox_2_0."""
    now = farm.now()
    return active_names(farm.db.read(lambda tx: browser_rows.list_factories(tx, now - ACTIVE_S)), now)


def _owned(tx: Tx, caller: Account | None, machine_name: str) -> Machine:
    return own_machine(tx, caller, machine_name.strip().lower())


def _checked(program: BrowserProgram) -> BrowserProgram:
    """Return a browser that can be registered; raises BadInput."""
    if not _NAME.fullmatch(program.name):
        raise BadInput(f"A browser's name is letters, digits and blanks, like Firefox; found {program.name[:60]!r}.")
    version = program.version or version_of(program.user_agent, program.name)
    if not _VERSION.fullmatch(version):
        raise BadInput(f"A browser's version is like 128 or 128.0.3; found {program.version[:60]!r}.")
    if len(program.user_agent) > LONGEST_USER_AGENT or not program.user_agent.isprintable():
        raise BadInput(f"A User-Agent has at most {LONGEST_USER_AGENT} printable characters.")
    if program.command and (len(program.command) > LONGEST_COMMAND or not _COMMAND.fullmatch(program.command)):
        raise BadInput(f"A command is one relative path without blanks, like firefox; found {program.command[:60]!r}.")
    for name in ("javascript", "java", "flash"):
        if not _FEATURE.fullmatch(getattr(program, name)):
            raise BadInput(f"{name} is 'enabled', 'disabled' or a version like 1.5.")
    return replace(program, version=version)


def _check_screen(screen: Screen) -> None:
    if not (100 <= screen.width <= 8000 and 100 <= screen.height <= 8000 and 1 <= screen.bpp <= 32):
        raise BadInput("A screen is 100 to 8000 pixels wide and high, and 1 to 32 bits deep.")
