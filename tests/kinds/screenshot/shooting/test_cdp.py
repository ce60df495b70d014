"""That a browser is asked over its pipes, and that one which refuses, ends or says nothing is known as such."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sheepfold.kinds.screenshot.shooting.cdp import Cdp, Refusal, Told
from sheepfold.kinds.screenshot.shooting.shot import ShotFailed

BROWSER = """
import json, os
pending = b""
while piece := os.read(3, 65536):
    *whole, pending = (pending + piece).split(b"\\0")
    for told in map(json.loads, whole):
        if told["method"] == "end":
            os._exit(0)
        answer = {"error": {"message": "unknown"}} if told["method"] == "refuse" else {"result": told["params"]}
        event = {"method": "heard", "sessionId": told.get("sessionId", "")}
        if told["method"] != "wait":
            os.write(4, json.dumps(event).encode() + b"\\0" + json.dumps({"id": told["id"]} | answer).encode() + b"\\0")
"""


@contextmanager
def browser(heard: list[Told], patience_s: float = 20) -> Iterator[Cdp]:
    cdp = Cdp([sys.executable, "-I", "-S", "-c", BROWSER], {}, patience_s, heard.append)
    try:
        yield cdp
    finally:
        cdp.close()
        cdp.close()


def test_a_command_gets_its_answer_and_events_are_heard_before_it():
    heard: list[Told] = []
    with browser(heard) as cdp:
        assert cdp.send("say", "page", words="x" * 200_000) == {"words": "x" * 200_000}
        assert heard == [{"method": "heard", "sessionId": "page"}]


def test_a_refusal_is_told_with_its_reason():
    with browser([]) as cdp, pytest.raises(Refusal, match="refuse: unknown"):
        cdp.send("refuse")


def test_a_browser_that_ends_has_crashed():
    with browser([]) as cdp, pytest.raises(ShotFailed, match="crashed"):
        cdp.send("end")


def test_a_browser_that_says_nothing_hangs():
    with browser([], patience_s=0.1) as cdp, pytest.raises(ShotFailed, match="no answer to wait"):
        cdp.send("wait")


def test_a_program_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(ShotFailed, match="cannot be started"):
        Cdp([str(tmp_path / "none")], {}, 1)
