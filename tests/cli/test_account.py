"""Accounts by the command line."""

import pytest

GOOD = "correct horse\n"


def test_an_account_is_added_and_listed_with_what_it_earned(fold):
    assert fold.done("account", "add", "Spot", "--password-stdin", said=GOOD) == "Added spot (artist).\n"
    listed = fold.done("account", "list").splitlines()
    assert listed[0].split() == ["account", "earned", "spent", "left"]
    assert ["spot", "0.000", "0.000", "0.000"] in [line.split() for line in listed]


@pytest.mark.parametrize(("name", "said", "status", "why"), [
    ("spot", "short\n", 2, "at least 8 characters"),
    ("spot", "", 2, "at least 8 characters"),
    ("9lives", GOOD, 1, "begins with a letter"),
    ("two words", GOOD, 1, "begins with a letter"),
    ("x" * 60, GOOD, 1, "at most 48"),
])
def test_a_bad_name_or_password_is_one_sentence(fold, name, said, status, why):
    ended = fold.do("account", "add", name, "--password-stdin", said=said)
    assert ended.status == status
    assert why in " ".join(ended.err.replace("│", " ").split())
    assert "Traceback" not in ended.err
    assert GOOD.strip() not in ended.err


def test_a_name_is_given_once(fold):
    fold.done("account", "add", "spot", "--password-stdin", said=GOOD)
    ended = fold.do("account", "add", "spot", "--password-stdin", said=GOOD)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].startswith("sheepfold: ")
    assert "spot" in ended.err
