"""The table of the API: what system.* and the documentation say."""

from dataclasses import fields
from itertools import pairwise

import pytest

from sheepfold.protocols.browsershots.methods import METHODS, list_methods, method_help, method_signature

SIGNATURES = {
    "browsers.active": ["list"], "factories.features": ["string", "string"], "nonces.challenge": ["dict", "string"],
    "nonces.challengeUser": ["dict", "string"], "nonces.verify": ["bool", "string", "string"],
    "nonces.verifyUser": ["bool", "string", "string"], "requests.poll": ["dict", "string", "string"],
    "requests.status": ["list", "int"], "requests.submit": ["int", "string", "string", "string", "list"],
    "screenshots.upload": ["string", "string", "string", "int", "Binary"], "system.listMethods": ["list"],
    "system.methodHelp": ["string", "string"], "system.methodSignature": ["list", "string"],
    "system.multicall": ["list", "list"]}


def test_the_fourteen_methods_are_listed_in_order():
    assert list_methods() == sorted(SIGNATURES)


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_a_method_has_the_old_signature(name):
    assert method_signature(name) == [SIGNATURES[name]]


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_a_request_has_a_field_for_each_parameter(name):
    row = METHODS[name]
    assert row.request.method == name
    assert len(fields(row.request)) == len(row.parameters)


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_help_explains_every_parameter(name):
    text = method_help(name)
    assert text == text.strip()
    for parameter in METHODS[name].parameters:
        assert parameter.name == "method_name" or f"* {parameter.name} -- " in text


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_headings_in_help_are_underlined_to_their_length(name):
    lines = method_help(name).splitlines()
    for above, line in pairwise(lines):
        assert set(line) != {"~"} or len(line) == len(above)


def test_an_unknown_method_is_a_sentence_and_no_fault():
    assert method_help("requests.upload") == method_signature("requests.upload") == "method not found"


def test_the_documentation_shows_a_line():
    assert METHODS["requests.poll"].line == "requests.poll(string, string) => dict"
    assert METHODS["browsers.active"].line == "browsers.active() => list"
