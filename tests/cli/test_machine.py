"""Machines by the command line: when they may work, and what they are told."""

import pytest


@pytest.fixture
def studio(fold):
    fold.done("account", "add", "ann", "--role", "owner", "--password-stdin", said="correct horse\n")
    fold.done("key", "add", "ann", "laptop")
    return fold


def test_rules_are_said_one_by_one_and_stay(studio):
    assert studio.done("machine", "rules", "laptop") == "It works always.\n"
    studio.done("machine", "rules", "laptop", "--idle", "10", "--hours", "22-6")
    told = studio.done("machine", "rules", "laptop", "--mains", "--load", "1.5")
    assert told == "It works after 10 minutes without anybody, from 22 to 6 o'clock, on mains alone, below load 1.5.\n"
    studio.done("machine", "rules", "laptop", "--idle", "0", "--hours", "", "--battery", "--load", "0")
    assert studio.done("machine", "rules", "laptop") == "It works always.\n"


def test_rules_that_make_no_sense_are_refused_in_a_sentence(studio):
    ended = studio.do("machine", "rules", "laptop", "--hours", "25-3")
    assert (ended.status, ended.err.splitlines()[-1]) == (
        1, "sheepfold: Hours are like 22-6, from 0 to 24; found '25-3'.")


@pytest.mark.parametrize("command", ["pause", "resume", "stop"])
def test_a_machine_is_told_what_to_do(studio, command):
    assert studio.done("machine", command, "laptop") == f"Told laptop to {command}.\n"
