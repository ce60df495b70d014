"""Why a machine should not render just now."""

import pytest

from sheepfold.model.errors import BadInput
from sheepfold.model.machines import Command, Wish, WorkRules
from sheepfold.worker.hindrance import Here, hindrance, look

QUIET = Here(hour=12, load=0.2, is_on_battery=False, idle_s=None)


def why(here=QUIET, command=Command.WORK, **rules):
    return hindrance(Wish(command, WorkRules(**rules)), here)


def test_without_rules_nothing_speaks_against_it():
    assert why(Here(3, 99.0, True, 0.0)) == ""


@pytest.mark.parametrize(("rules", "hindered", "free"), [
    ({"idle_min": 5}, Here(12, 0, False, 299), Here(12, 0, False, 300)),
    ({"idle_min": 5}, Here(12, 0, False, 0), Here(12, 0, False, None)),
    ({"hours": "22-6"}, Here(6, 0, False, None), Here(22, 0, False, None)),
    ({"hours": "8-18"}, Here(7, 0, False, None), Here(17, 0, False, None)),
    ({"mains_only": True}, Here(12, 0, True, None), Here(12, 0, False, None)),
    ({"load_limit": 1.5}, Here(12, 1.6, False, None), Here(12, 1.5, False, None)),
], ids=["somebody", "nobody", "night", "day", "battery", "load"])
def test_a_rule_hinders_where_it_does_not_hold(rules, hindered, free):
    assert why(hindered, **rules) != ""
    assert why(free, **rules) == ""


@pytest.mark.parametrize("command", [Command.PAUSE, Command.STOP])
def test_a_command_hinders_whatever_the_rules_say(command):
    assert why(command=command) == f"told to {command}"


@pytest.mark.parametrize("hours", ["0-24", "5-5", "24-0"])
def test_equal_hours_are_all_day(hours):
    assert all(WorkRules(hours=hours).allows_hour(hour) for hour in range(24))


@pytest.mark.parametrize("rules", [{"hours": "x"}, {"hours": "25-3"}, {"hours": "3"}, {"idle_min": -1},
                                   {"load_limit": float("nan")}, {"load_limit": -1.0}])
def test_rules_that_make_no_sense_are_refused(rules):
    with pytest.raises(BadInput):
        WorkRules(**rules).check()


def test_this_machine_can_be_looked_at():
    here = look()
    assert 0 <= here.hour < 24
    assert here.load >= 0
    assert here.idle_s is None or here.idle_s >= 0
