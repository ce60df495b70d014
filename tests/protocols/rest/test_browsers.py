"""Browsers of machines over REST."""

import pytest

from sheepfold.farm.owner import change_machine
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import ACTIVE_S
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.link import FarmRefused
from sheepfold.protocols.rest.browser_wire import BrowserAsked, FactoryOut, ScreenOut
from sheepfold.protocols.rest.calls import FarmProblem
from sheepfold.protocols.rest.client import FarmClient, RestLink


@pytest.fixture
def client(site):
    """Return the hands of a volunteer, whose machine is argo."""
    with FarmClient(site.url, site.key("vera", "argo", Role.VOLUNTEER)) as made:
        yield made


def test_a_machine_registers_its_browsers_with_its_own_key(client):
    asked = BrowserAsked(name="firefox", version="115.0", screen=ScreenOut(width=1024, height=768))
    made = client.add_browser("self", asked)
    assert (made.name, made.version, made.user_agent) == ("firefox", "115.0", "")
    factory = client.factory("argo")
    assert factory == FactoryOut(machine="argo", platform="linux", browsers=[made],
                                 screens=[ScreenOut(width=1024, height=768, bpp=24)])
    assert client.factories().factories == [factory]
    assert client.remove_browser("argo", made.id) == made
    assert client.factory("self").browsers == []


def test_browsers_of_workers_that_are_here_are_alive_until_nobody_hears_of_them(site, client):
    assert client.alive_browsers().browsers == []
    with RestLink(site.url, site.key("vera", "argo", Role.VOLUNTEER), "test/1") as link:
        link.open(Abilities(frozenset({"screenshot"}), browsers=frozenset({Program("Firefox", "128.0")}),
                            platform="linux"))
        (one,) = client.alive_browsers().browsers
        assert (one.platform, one.name, one.engine, one.versions) == ("linux", "Firefox", "Gecko", ["128.0"])
        assert (one.sizes, one.machines, one.driven) == ([], 1, True)
        change_machine(site.farm, None, "argo", "pause")
        assert client.alive_browsers().browsers == []
        change_machine(site.farm, None, "argo", "resume")
        assert len(client.alive_browsers().browsers) == 1
        site.clock.now += ACTIVE_S
        assert client.alive_browsers().browsers == []


def test_anothers_machine_is_not_touched(site, client):
    site.key("bob", "other", Role.VOLUNTEER)
    for deed in (lambda: client.add_browser("other", BrowserAsked(name="firefox", version="1")),
                 lambda: client.remove_browser("other", 1)):
        with pytest.raises(FarmRefused, match="is for that machine alone"):
            deed()
    with pytest.raises(FarmRefused, match="belongs to another account"):
        site.client("ann").add_browser("other", BrowserAsked(name="firefox", version="1"))
    with pytest.raises(FarmProblem) as unknown:
        client.factory("nemo")
    assert unknown.value.status == 404


def test_what_makes_no_sense_is_a_problem(client):
    with pytest.raises(FarmProblem) as refused:
        client.add_browser("self", BrowserAsked(name="../x", version="1"))
    assert refused.value.status in {400, 422}
