"""What owners tell their machines over the wire, and how our worker's line hears of it."""

import pytest

from sheepfold.model.accounts import Role
from sheepfold.model.machines import Command, WorkRules
from sheepfold.protocols.link import FarmPaused, FarmRefused
from sheepfold.protocols.rest.calls import FarmProblem
from sheepfold.protocols.rest.client import FarmClient
from sheepfold.protocols.rest.machine_wire import MachineRules
from sheepfold.store.accounts import machine_named, suspend_machine


@pytest.fixture
def vera(site):
    """Return the client of who owns the machine `box`."""
    return site.client("vera", Role.VOLUNTEER)


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
    site.client("boss", Role.OWNER).command("box", "pause")
    assert link.wish().command is Command.PAUSE
