"""Factories, their browsers and screens."""

from dataclasses import replace

import pytest

from sheepfold.model.accounts import AccountId
from sheepfold.model.browsers import (
    Alive,
    BrowserId,
    BrowserProgram,
    Factory,
    OtherBrowser,
    OtherVersion,
    Registered,
    Screen,
    UnknownUserAgent,
    abilities_of,
    active_names,
    browsers_alive,
    check_version,
    choose_browser,
    choose_screen,
    meet,
    wire_name,
)
from sheepfold.model.machines import Machine, MachineId
from sheepfold.model.matching import Abilities, Needs, Program

NOW = 1_800_000_000
OLD = "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0"
NEW = OLD.replace("115.0", "128.0")
CHROMIUM = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"


def registered(number: int, name: str, version: str, **told: str) -> Registered:
    return Registered(BrowserId(number), MachineId(1), BrowserProgram(name, version, **told), NOW)


FIREFOX = registered(1, "Firefox", "115.3.1", user_agent=OLD)
CHROME = registered(2, "chromium", "119.0.6045.199")
FACTORY = Factory(Machine(MachineId(1), AccountId(1), "argo", NOW), "linux", (FIREFOX, CHROME), (), NOW)


def test_a_known_user_agent_is_its_browser() -> None:
    assert meet(FACTORY, FIREFOX, OLD) == FIREFOX


def test_a_first_visit_teaches_the_user_agent_and_keeps_the_fuller_version() -> None:
    told = CHROMIUM.replace("120", "119")
    assert meet(FACTORY, CHROME, told) == replace(CHROME, program=replace(CHROME.program, user_agent=told))


def test_an_update_changes_user_agent_and_version() -> None:
    learned = meet(FACTORY, FIREFOX, NEW).program
    assert (learned.user_agent, learned.version) == (NEW, "128.0")


def test_another_browser_is_not_learned() -> None:
    with pytest.raises(OtherBrowser, match=r"Requested browser Firefox but got chromium\."):
        meet(FACTORY, FIREFOX, CHROMIUM)
    with pytest.raises(OtherBrowser, match=r"Requested browser chromium but got Firefox\."):
        meet(FACTORY, CHROME, OLD)


def test_another_platform_is_not_learned() -> None:
    with pytest.raises(UnknownUserAgent):
        meet(FACTORY, FIREFOX, NEW.replace("X11; Linux x86_64", "Windows NT 10.0"))


def test_a_browser_without_a_known_name_is_believed_once() -> None:
    factory = replace(FACTORY, browsers=(registered(3, "Lynx", "2.8"),))
    learned = meet(factory, factory.browsers[0], "Lynx/2.8.9")
    assert learned.program.user_agent == "Lynx/2.8.9"
    odd = replace(FACTORY, browsers=(registered(3, "Odd", "1.0"),))
    assert meet(odd, odd.browsers[0], "Some Thing").program == BrowserProgram("Odd", "1.0", "Some Thing")
    taught = replace(odd, browsers=(registered(3, "Odd", "1.0", user_agent="Some Thing"),))
    with pytest.raises(UnknownUserAgent, match=r"Unknown user agent: Other Thing\."):
        meet(taught, taught.browsers[0], "Other Thing")


def test_a_browser_that_tells_anothers_number_keeps_its_own() -> None:
    told = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"
    factory = replace(FACTORY, browsers=(registered(3, "webkitgtk", "2.48.5"),))
    assert meet(factory, factory.browsers[0], told).program.version == "2.48.5"


def test_the_version_that_was_asked_for_must_have_come() -> None:
    check_version(FIREFOX, "")
    check_version(FIREFOX, "115.3")
    with pytest.raises(OtherVersion, match=r"Requested browser version 115\.4 but got 115\.3\.1\."):
        check_version(FIREFOX, "115.4")


def test_a_blocked_browser_is_not_offered_for_ten_minutes() -> None:
    factory = replace(FACTORY, browsers=(replace(FIREFOX, failed_at=NOW), CHROME))
    assert {one.name for one in abilities_of(factory, "browsershots", NOW + 599).browsers} == {"chromium"}
    assert {one.name for one in abilities_of(factory, "browsershots", NOW + 600).browsers} == {"Firefox", "chromium"}


def test_the_newest_browser_is_chosen_by_numbers_not_by_letters() -> None:
    factory = replace(FACTORY, browsers=(registered(1, "Opera", "9.64"), registered(2, "Opera", "10.10")))
    chosen = choose_browser(factory, Needs("screenshot", browser="opera"), NOW)
    assert chosen is not None
    assert chosen.program.version == "10.10"
    assert choose_browser(factory, Needs("screenshot", browser="opera", browser_version="11"), NOW) is None


SCREENS = (Screen(800, 600, 16), Screen(1024, 768, 16), Screen(1024, 768, 24), Screen(1680, 1050, 24))


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ((0, 0, 0), Screen(1024, 768, 24)),
        ((800, 0, 0), Screen(800, 600, 16)),
        ((1024, 0, 16), Screen(1024, 768, 16)),
        ((1680, 1050, 24), Screen(1680, 1050, 24)),
    ],
)
def test_the_usual_screen_is_chosen_of_those_that_fit(asked: tuple[int, int, int], chosen: Screen) -> None:
    assert choose_screen(replace(FACTORY, screens=SCREENS), *asked) == chosen


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ((0, 0, 0), Screen(1024, 768, 24)),
        ((1280, 0, 0), Screen(1280, 1024, 24)),
        ((1600, 0, 16), Screen(1600, 1200, 16)),
        ((390, 844, 0), Screen(390, 844, 24)),
    ],
)
def test_a_factory_without_screens_sets_up_any(asked: tuple[int, int, int], chosen: Screen) -> None:
    assert choose_screen(FACTORY, *asked) == chosen


def test_browsers_are_named_as_orders_name_them() -> None:
    assert wire_name("mac os", "Internet Explorer", "5.2.3") == "mac-os_internet-explorer_5_2"
    assert wire_name("linux", "Firefox", "") == "linux_firefox_None_None"
    assert active_names([FACTORY], NOW) == ["linux_chromium_119_0", "linux_firefox_115_3"]
    assert active_names([FACTORY], NOW + 600) == []


def test_browsers_alive_are_told_by_platform_with_all_that_their_machines_make():
    def able(platform, version, sizes=(), protocol="browsershots", name="Firefox"):
        return Abilities(frozenset({"screenshot"}), browsers=frozenset({Program(name, version)}), platform=platform,
                         protocol=protocol, sizes=frozenset(sizes))

    told = [(able("windows", "2.0", {(800, 600)}), 1), (able("windows", "128.0", {(640, 480)}), 2),
            (able("linux", "128.0", protocol="rest"), 3), (able("linux", "9.10", name="Opera", sizes={(800, 600)}), 1),
            (Abilities(frozenset({"flame"}), browsers=frozenset({Program("firefox", "1")})), 9)]
    assert browsers_alive(told, "rest") == [
        Alive("linux", "Firefox", "Gecko", ("128.0",), (), 3, is_driven=True),
        Alive("linux", "Opera", "Presto", ("9.10",), ((800, 600),), 1, is_driven=False),
        Alive("windows", "Firefox", "Gecko", ("2.0", "128.0"), ((640, 480), (800, 600)), 3, is_driven=False),
    ]
    assert browsers_alive([], "rest") == []
