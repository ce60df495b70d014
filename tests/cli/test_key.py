"""Keys by the command line."""

import re

import pytest


@pytest.fixture
def spot(fold):
    fold.done("account", "add", "spot", "--role", "volunteer", "--password-stdin", said="correct horse\n")
    return fold


def test_a_key_comes_with_the_words_for_each_client(spot):
    told = spot.done("key", "add", "spot", "bedroom", "--server", "https://farm.example")
    key = told.splitlines()[0]
    assert len(key) == 32
    assert told.count(key) == 5
    assert f"sheepfold work --server https://farm.example --key {key}" in told
    assert "nickname spot" in told
    assert "It opens rendering." in told


def test_a_bare_key_is_the_key_alone(spot):
    assert re.fullmatch("[0-9a-f]{32}\n", spot.done("key", "add", "spot", "bedroom", "--bare"))


def test_revoking_says_how_many_there_were(spot):
    for _ in range(2):
        spot.done("key", "add", "spot", "bedroom")
    assert spot.done("key", "revoke", "bedroom") == "Revoked 2 keys of bedroom.\n"
    assert spot.done("key", "revoke", "bedroom") == "Revoked 0 keys of bedroom.\n"


@pytest.mark.parametrize("words", [("add", "rex", "bedroom"), ("add", "spot", "Bed room"), ("revoke", "attic"),
                                   ("add", "spot", "bedroom", "--scope", "order")])
def test_what_cannot_be_is_one_line(spot, words):
    ended = spot.do("key", *words)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.splitlines()[-1].startswith("sheepfold: ")
    assert "Traceback" not in ended.err
