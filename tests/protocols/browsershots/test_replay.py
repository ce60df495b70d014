"""What a real factory sent is sent again to a farm: nonces, ids and the clock are mapped, all else is as it was."""

import hashlib
import re
import xmlrpc.client
from base64 import encodebytes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sheepfold.model.browsers import Screen

FOLDER = Path(__file__).resolve().parents[2] / "traffic" / "browsershots"
SECRET = "fb6565caf387334f80c756dc4c89fa0b245c62b9"  # what the recorded factory's password and salt hash to


def read_exchange(text: str) -> Any:
    request, answer = text.split("#################### RESPONSE\n")
    head, body = request.split("#################### REQUEST\n")[1].split("\n\n", 1)
    return SimpleNamespace(path=head.split(" ")[1], body=body.encode(), answer=answer.split("\n\n", 1)[1].encode())


class Replay:
    """A recorded conversation, told to another farm than the one that it was had with."""

    def __init__(self, site: Any) -> None:
        self.site = site
        self.words: dict[str, str] = {}

    def send(self, exchange: Any, png: bytes = b"") -> tuple[Any, Any]:
        """Send one exchange; returns what came then and what came now, both read by the standard library.

        The recordings leave out most of the pictures: a whole one may be put in its place.
        """
        body = exchange.body
        if png:
            whole = b"<base64>\n" + encodebytes(png) + b"</base64>"
            body = re.sub(rb"<base64>.*</base64>", whole, body, flags=re.DOTALL)
        for old, new in self.words.items():
            body = body.replace(old.encode(), new.encode())
        answer = self.site.http.post(exchange.path, content=body, headers={"Content-Type": "text/xml"})
        assert answer.status_code == 200
        then, now = read(exchange.answer), read(answer.content)
        if isinstance(then, dict) and "nonce" in then:
            self.words[encrypted(SECRET, then["nonce"])] = self.own(now)
        if isinstance(then, dict) and "request" in then:
            self.words[f"<int>{then['request']}</int>"] = f"<int>{now['request']}</int>"
        return then, now

    def own(self, told: dict[str, str]) -> str:
        inner = hashlib.sha1((told["salt"] + self.site.argo.password).encode()).hexdigest()
        return encrypted(inner, told["nonce"])


def encrypted(inner: str, nonce: str) -> str:
    return hashlib.md5((inner + nonce).encode()).hexdigest()


def read(body: bytes) -> Any:
    try:
        return xmlrpc.client.loads(body)[0][0]
    except xmlrpc.client.Fault as fault:
        return fault.faultCode, fault.faultString


@pytest.fixture
def replay(site: Any) -> Replay:
    site.browser("argo", command="fakefox", screen=Screen(1024, 768, 24))
    site.order(browsers=[{"name": "firefox", "version": "3.0"}])
    return Replay(site)


def test_a_recorded_job_is_done_again(replay: Replay, exchange: Any, picture: Any) -> None:
    site = replay.site
    then, now = replay.send(exchange(1))
    assert then.keys() == now.keys()
    assert (then["algorithm"], len(then["salt"]), len(then["nonce"])) == (
        now["algorithm"], len(now["salt"]), len(now["nonce"]))  # fmt: skip
    assert replay.send(exchange(2)) == (True, True)
    replay.send(exchange(3))
    then, now = replay.send(exchange(4))
    assert then | {"request": now["request"]} == now
    replay.send(exchange(5))
    _, factory, password, _ = exchange(6).path.strip("/").split("/")
    agent = re.search(r"User-Agent: (.*)", next(FOLDER.glob("006-*")).read_text())
    assert agent
    site.browser("argo", command="fakefox", user_agent=agent[1])
    led = site.argo.visit(now["request"], agent[1], replay.words[password])
    assert (factory, led.status_code, led.headers["location"]) == ("argo", 302, "http://127.0.0.1/page.html")
    replay.send(exchange(7))
    assert replay.send(exchange(8))[1][0] == 415  # what the recording has left of the picture
    replay.words.clear()
    site.clock.now += 601  # the browser has had its fault
    site.order(browsers=[{"name": "firefox", "version": "3.0"}])
    for number in (3, 4, 5):
        _, now = replay.send(exchange(number))
    task_id = int(replay.words["<int>101</int>"][5:-6])
    assert site.argo.visit(task_id, agent[1], replay.words[password]).status_code == 302
    replay.send(exchange(7))
    then, now = replay.send(exchange(8), picture())
    assert len(then) == len(now) == 32


def exchanges() -> list[Path]:
    return sorted(FOLDER.glob("behaviour-*.txt"))


@pytest.mark.parametrize("path", exchanges(), ids=lambda path: path.stem)
def test_each_behaviour_is_as_its_file_says(site: Any, path: Path) -> None:
    told = read_exchange(path.read_text())
    answer = site.http.post(told.path, content=told.body, headers={"Content-Type": "text/xml"})
    assert answer.status_code == 200
    assert read(answer.content) == read(told.answer)


def test_idling_is_as_it_was(replay: Replay, exchange: Any) -> None:
    for number in (3, 4, 9):
        replay.send(exchange(number))
    then, now = replay.send(exchange(10))
    assert then == now == (204, "No matching request.")
