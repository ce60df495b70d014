"""Registering browsers."""

import pytest

from sheepfold.farm.accounts import add_key
from sheepfold.farm.browsers import add_browser, list_factories, remove_browser, view_factory
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import BrowserId, BrowserProgram, Screen
from sheepfold.model.errors import BadInput, Forbidden, NotFound, UnknownMachine

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
FIREFOX = BrowserProgram("Firefox", "128.0")


@pytest.fixture
def argo(world):
    ann = world.account("ann", Role.ARTIST)
    add_key(world.farm, "ann", "argo")
    return ann


def test_the_same_browser_again_is_changed_and_a_newer_one_stands_beside_it(world, argo):
    first = add_browser(world.farm, argo, "argo", FIREFOX, "linux", Screen(1024, 768, 24))
    again = add_browser(world.farm, argo, "argo", BrowserProgram("firefox", "128.0.3", command="fx"))
    newer = add_browser(world.farm, argo, "argo", BrowserProgram("firefox", "140.1"))
    assert first.id == again.id != newer.id
    factory = view_factory(world.farm, "argo")
    assert [one.program.version for one in factory.browsers] == ["128.0.3", "140.1"]
    assert factory.screens == (Screen(1024, 768, 24),)
    assert list_factories(world.farm) == [factory]


def test_a_user_agent_belongs_to_one_browser_of_a_machine(world, argo):
    add_browser(world.farm, argo, "argo", BrowserProgram("firefox", "127.0", AGENT))
    add_browser(world.farm, argo, "argo", BrowserProgram("firefox", "", AGENT))
    (browser,) = view_factory(world.farm, "argo").browsers
    assert browser.program.version == "128.0"


def test_only_its_owner_and_the_farms_may_change_a_machine(world, argo):
    with pytest.raises(Forbidden):
        add_browser(world.farm, world.account("bob", Role.ARTIST), "argo", FIREFOX)
    made = add_browser(world.farm, world.account("chief", Role.OWNER), "argo", FIREFOX)
    with pytest.raises(Forbidden):
        remove_browser(world.farm, world.account("eve", Role.ARTIST), "argo", made.id)
    assert remove_browser(world.farm, argo, "argo", made.id) == made
    with pytest.raises(NotFound):
        remove_browser(world.farm, argo, "argo", made.id)
    with pytest.raises(UnknownMachine):
        add_browser(world.farm, argo, "nemo", FIREFOX)
    with pytest.raises(NotFound):
        remove_browser(world.farm, None, "argo", BrowserId(99))


@pytest.mark.parametrize(
    "program",
    [
        BrowserProgram("../x", "1"),
        BrowserProgram("firefox", ""),
        BrowserProgram("firefox", "new"),
        BrowserProgram("firefox", "1", user_agent="a\nb"),
        BrowserProgram("firefox", "1", user_agent="a" * 401),
        BrowserProgram("firefox", "1", command="/bin/sh"),
        BrowserProgram("firefox", "1", command="firefox -P"),
        BrowserProgram("firefox", "1", command="c:\\firefox"),
        BrowserProgram("firefox", "1", java="yes"),
    ],
)
def test_what_makes_no_sense_is_refused(world, argo, program):
    with pytest.raises(BadInput):
        add_browser(world.farm, argo, "argo", program)


def test_an_unknown_platform_and_an_odd_screen_are_refused(world, argo):
    with pytest.raises(BadInput):
        add_browser(world.farm, argo, "argo", FIREFOX, "amiga")
    with pytest.raises(BadInput):
        add_browser(world.farm, argo, "argo", FIREFOX, "", Screen(9, 768, 24))
