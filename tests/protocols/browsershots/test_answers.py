"""Typed answers: each survives its way through XML-RPC, and a wrong one is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sheepfold.model.errors import MalformedMessage
from sheepfold.protocols.browsershots.answers import (
    ChallengeAnswer,
    PollAnswer,
    StatusRow,
    multicall_answer,
    read_multicall,
    read_texts,
)
from sheepfold.protocols.browsershots.credentials import Algorithm
from sheepfold.protocols.browsershots.xmlrpc import Fault, read_response, write_response

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), max_size=20)
numbers = st.integers(0, 2**31 - 1)
structs = st.one_of(
    st.builds(ChallengeAnswer, st.sampled_from(Algorithm), texts, texts),
    st.builds(PollAnswer, numbers, texts, texts, numbers, numbers, texts, numbers, numbers, numbers, texts, texts,
              texts),
    st.builds(StatusRow, texts, texts, numbers, texts))


@given(structs)
def test_a_struct_survives_its_way(answer):
    assert type(answer).from_value(read_response(write_response(answer.to_value()))) == answer


def test_a_poll_always_has_twelve_keys():
    assert set(PollAnswer(1, "Firefox").to_value()) == {
        "request", "browser", "version", "major", "minor", "command", "width", "height", "bpp", "javascript", "java",
        "flash"}


def test_our_client_reads_a_poll_that_lacks_what_no_client_needs():
    value = {"request": 1, "browser": "Opera", "command": "", "width": 800, "height": 600, "bpp": 16, "more": "x"}
    assert PollAnswer.from_value(value) == PollAnswer(1, "Opera", width=800, height=600, bpp=16)


@pytest.mark.parametrize("lost", ["request", "browser", "command", "width", "height", "bpp"])
def test_a_poll_without_the_indispensable_is_refused(lost):
    value = PollAnswer(1, "Opera").to_value()
    del value[lost]
    with pytest.raises(MalformedMessage, match=lost):
        PollAnswer.from_value(value)


@pytest.mark.parametrize("value", [
    "text", [], {}, {"algorithm": "sha512", "salt": "", "nonce": ""}, {"algorithm": "md5", "salt": 1, "nonce": ""}])
def test_a_challenge_that_cannot_be_met_is_refused(value):
    with pytest.raises(MalformedMessage):
        ChallengeAnswer.from_value(value)


def test_a_multicall_answers_each_call_for_itself():
    value = read_response(write_response(multicall_answer([[1], Fault(404, "User not found."), "x"])))
    assert value == [[[1]], {"faultCode": 404, "faultString": "User not found."}, ["x"]]
    first, fault, last = read_multicall(value)
    assert (first, last) == ([1], "x")
    assert isinstance(fault, Fault)
    assert (fault.code, fault.message) == (404, "User not found.")


@pytest.mark.parametrize("value", ["x", [1], [[1, 2]], [{}]])
def test_a_broken_multicall_is_refused(value):
    with pytest.raises(MalformedMessage):
        read_multicall(value)


def test_a_list_of_names_is_read():
    assert read_texts(["a", "b"]) == ["a", "b"]
    for value in ([1], {}, 7, "text"):
        with pytest.raises(MalformedMessage):
            read_texts(value)
