"""What owners tell their machines over the wire, and how our worker's line hears of it."""

import pytest

from sheepfold.model.accounts import Role, Scope
from sheepfold.model.machines import Command, WorkRules
from sheepfold.protocols.link import FarmPaused, FarmRefused
from sheepfold.protocols.rest.browser_wire import BrowserAsked
from sheepfold.protocols.rest.calls import FarmProblem
from sheepfold.protocols.rest.client import FarmClient
from sheepfold.protocols.rest.machine_wire import MachineRules
from sheepfold.store.accounts import machine_named, suspend_machine


@pytest.fixture
def vera(site):
    """Return the client of who owns the machine `box`."""
    return site.client("vera", Role.VOLUNTEER, Scope.MANAGE)


def test_a_paused_machine_hears_of_it_gets_nothing_and_goes_on_after(site, vera):
    site.order(site.client())
    link = site.link("box")
    assert link.wish().command is Command.WORK
    vera.command("box", "pause")
    assert link.wish().command is Command.PAUSE
    with pytest.raises(FarmPaused):
        link.claim(site.abilities)
    vera.command("box", "resume")
    assert link.wish().command is Command.WORK
    assert link.claim(site.abilities) is not None


def test_a_machine_s_own_key_leads_out_of_no_quarantine(site):
    site.order(site.client())
    link = site.link("box")
    site.farm.db.write(lambda tx: suspend_machine(tx, machine_named(tx, "box").id, site.clock.now))
    box = FarmClient(site.url, site.key("vera", "box"))
    site.closing.append(box)
    box.command("self", "pause")
    with pytest.raises(FarmRefused):
        box.command("self", "resume")
    with pytest.raises(FarmPaused):
        link.claim(site.abilities)


def test_a_stop_ends_the_worker_that_runs_and_not_the_next_one(site, vera):
    link = site.link("box")
    vera.command("box", "stop")
    assert link.wish().command is Command.STOP
    site.clock.now += 1
    assert site.link("box").wish().command is Command.WORK


def test_rules_travel_to_the_worker(site, vera):
    link = site.link("box")
    rules = MachineRules(idle_min=10, hours="22-6", mains_only=True, load_limit=1.5)
    assert vera.rules("box") == MachineRules()
    assert vera.set_rules("box", rules) == vera.rules("box") == rules
    assert link.wish().rules == WorkRules(10, "22-6", True, 1.5)


def test_rules_that_make_no_sense_are_refused(site, vera):
    site.link("box")
    with pytest.raises(FarmProblem) as refused:
        vera.set_rules("box", MachineRules(hours="25-99"))
    assert refused.value.status == 400


def test_other_peoples_machines_are_not_told_anything(site):
    link, eve = site.link("box"), site.client("eve")
    for deed in (lambda: eve.command("box", "pause"), lambda: eve.command("box", "stop"), lambda: eve.rules("box"),
                 lambda: eve.set_rules("box", MachineRules())):
        with pytest.raises(FarmRefused):
            deed()
    assert link.wish().command is Command.WORK
    site.client("boss", Role.OWNER, Scope.MANAGE).command("box", "pause")
    assert link.wish().command is Command.PAUSE


def deeds(client, machine):
    """Return all that a client can do about a machine's work and its browsers."""
    firefox = BrowserAsked(name="firefox", version="128")
    return (lambda: client.rules(machine), lambda: client.set_rules(machine, MachineRules()),
            lambda: client.command(machine, "pause"), lambda: client.command(machine, "resume"),
            lambda: client.command(machine, "stop"),
            lambda: client.remove_browser(machine, client.add_browser(machine, firefox).id))


def is_obeyed(client, machine):
    """Say whether a machine hears of all that a client tells it, or of nothing."""
    def heard(deed):
        try:
            deed()
        except FarmRefused:
            return False
        return True

    (answer,) = {heard(deed) for deed in deeds(client, machine)}
    return answer


@pytest.mark.parametrize(("scope", "obeyed"), [
    (Scope.WORK, {"self", "boss-desk"}),
    (Scope.ORDER, {"self", "boss-desk", "attic"}),
    (Scope.MANAGE, {"self", "boss-desk", "attic", "box"}),
])
def test_an_owner_s_key_commands_as_many_machines_as_its_scope_says(site, scope, obeyed):
    site.key("vera", "box", Role.VOLUNTEER)
    boss = site.client("boss", Role.OWNER, scope)
    site.key("boss", "attic")
    assert {name for name in ("self", "boss-desk", "attic", "box") if is_obeyed(boss, name)} == obeyed


def test_a_volunteer_s_work_key_commands_its_own_machine_alone(site):
    vera = site.client("vera", Role.VOLUNTEER)
    site.key("vera", "box")
    site.key("bob", "other")
    assert [is_obeyed(vera, name) for name in ("self", "vera-desk", "box", "other")] == [True, True, False, False]
