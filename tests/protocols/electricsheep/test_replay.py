"""What the real client sent, byte for byte, to a real server, whose answers that client must accept.

Only what belongs to the recorded farm is changed: nick and key, and the ids of sheep, frames and films.
"""

import base64
import gzip
import http.client
import re
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lxml import etree
from tests.conftest import balances

from sheepfold.model.tasks import Verdict
from sheepfold.protocols.electricsheep import wire
from sheepfold.protocols.electricsheep.credentials import own_password_hash

RECORDED = Path(__file__).parents[2] / "traffic" / "electricsheep"
WIDTH, HEIGHT = 200, 148
RECORDED_HASH = "0123456789ABCDEF0123456789ABCDEF"


@dataclass(frozen=True)
class Recording:
    """A request as it was recorded, or as it is replayed."""

    method: str
    target: str
    headers: tuple[str, ...]
    body: bytes = b""

    @property
    def path(self):
        return urlsplit(self.target).path

    def as_bytes(self):
        """Write it as the client did."""
        head = "\r\n".join([f"{self.method} {self.target} HTTP/1.1", *self.headers])
        return head.encode("latin-1") + b"\r\n\r\n" + self.body


@dataclass(frozen=True)
class Answer:
    """An answer as it came from the socket."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def recordings(scenario):
    return [read(path) for path in sorted((RECORDED / scenario).glob("*.txt"))]


def read(path):
    lines = path.read_text("latin-1").split("=== REQUEST\n")[1].split("=== REPLY")[0].split("\n")
    first, *headers = [line.removesuffix("\\r\\n") for line in lines if line.endswith("\\r\\n")]
    method, target, _ = first.split(" ")
    body = path.with_name(f"{path.name[:3]}_put_body.bin")
    return Recording(method, target, tuple(filter(None, headers)), body.read_bytes() if body.exists() else b"")


def reply(path):
    """Return the recorded reply of the throw-away server, where its body was kept whole."""
    lines = path.read_text("latin-1").split("=== REPLY\n")[1].split("\n")
    status = int(lines[0].split(" ")[1])
    return Answer(status, "\n".join(line for line in lines if not line.endswith("\\r\\n")).strip().encode())


# --- the rules of the real client, by the sections of the protocol note


def accepts(request, answer):
    """Return what the client would not take; empty where it is happy."""
    return list(RULES[request.path.rpartition("/")[2]](answer))


def takes_redirection(answer):
    if answer.status != 200:
        yield f"status {answer.status} is not remembered"
    elif answer.body.startswith(b"\x1f\x8b"):
        yield "a gzipped redirection is an empty document (0.2)"
    else:
        redir = etree.fromstring(answer.body).find("redir")
        bases = {name: redir.get(name) for name in ("host", "vote", "render") if redir.get(name) is not None}
        if "host" not in bases:
            yield "no host"
        yield from (f"{name} has no slash at its end (0.1)" for name, base in bases.items() if not base.endswith("/"))
        yield from (f"{name} is longer than 150 characters (1.5)" for name, base in bases.items() if len(base) >= 150)
        if not redir.get("role"):
            yield "without a role the list is stored as list_(null).xml (1.1)"


def takes_list(answer):
    if answer.status != 200:
        yield f"status {answer.status} is an error (1.2)"
        return
    root = rooted(answer.body)
    if root is None or root.tag != "list":
        yield "a bad list of status 200 is kept for an hour (1.2)"
        return
    if int(root.get("gen", "0")) < 1 or not len(root):
        yield "a list without a generation or a child is rejected (1.2)"
    for sheep in root.iter("sheep"):
        if any(not re.fullmatch("[0-9]+", sheep.get(name) or "") for name in ("id", "size", "first", "last")):
            yield "a sheep without its numbers (0.6)"
        if ":" not in (sheep.get("url") or ""):
            yield "a url without a colon crashes it (0.6)"
        if sheep.get("state") != "done" or sheep.get("type", "0") != "0":
            yield "a sheep that is not offered (0.6)"


def takes_order(answer):
    if answer.status != 200:
        yield f"status {answer.status}: it waits for ten minutes (3.3)"
        return
    root = rooted(answer.body)
    if root is None:
        yield "no XML: it waits for ten minutes (0.4)"
    elif root.tag != "get":
        yield "any other root crashes it (0.4)"
    elif root.find("args") is not None:
        yield from takes_work(root, root.find("args").attrib)


def takes_work(root, args):
    names = ("gen", "id", "job" if root.get("frame") is None else "frame")
    if any(not re.fullmatch("[0-9]+", root.get(name) or "") for name in names):
        yield "numbers that its put cannot repeat (3.1)"
    if "frame" not in args and "time" not in args:
        yield "flam3-animate renders two frames (0.10)"
    if args.get("format") not in {"jpg", "png"}:
        yield "the format is left to the renderer's version (0.10)"
    if set(args) & {"in", "out", "verbose", "nthreads", "LD_PRELOAD"}:
        yield "the renderer's environment is overridden (3.1)"
    if len(root.findall("flame")) != 3:
        yield "flam3 wants three control points (3.4)"


def takes_thanks(answer):
    if answer.status != 200:
        yield f"{answer.status} is a failed upload (0.5)"


def takes_vote(answer):
    if answer.status not in {200, 302}:
        yield f"{answer.status} is a failed vote (0.5)"


def takes_film(answer):
    if answer.status != 200 or not answer.body.startswith(b"RIFF"):
        yield "no film"
    if answer.headers.get("content-length") != str(len(answer.body)):
        yield "a film without its length"


def takes_page(answer):
    if answer.status != 200:
        yield f"status {answer.status}"


def rooted(body):
    """Parse a body as the client does, gzipped or not."""
    try:
        return etree.fromstring(gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body)
    except (etree.XMLSyntaxError, gzip.BadGzipFile, EOFError):
        return None


RULES = {"query.php": takes_redirection, "list": takes_list, "get": takes_order, "put": takes_thanks,
         "vote.cgi": takes_vote, "vote": takes_vote, "status.cgi": takes_page, "sheep.avi": takes_film}


def packed(text):
    return gzip.compress(text.encode())


SHEEP = '<list gen="1"><sheep id="1" type="0" state="done" size="9" first="1" last="1" url="{}"/></list>'


@pytest.mark.parametrize(("path", "answer"), [
    ("/query.php", Answer(200, packed('<query><redir host="http://a/" role="none"/></query>'))),
    ("/query.php", Answer(200, b'<query><redir host="http://a" role="none"/></query>')),
    ("/query.php", Answer(401)),
    ("/cgi/list", Answer(200, b"<html></html>")),
    ("/cgi/list", Answer(200, packed('<list gen="1"/>'))),
    ("/cgi/list", Answer(200, packed(SHEEP.format("gen/1/1/sheep.avi")))),
    ("/cgi/get", Answer(200, packed("<error/>"))),
    ("/cgi/get", Answer(200, packed('<get gen="12" id="1" job="7" frame="3"><args bits="33" jpeg="100"/></get>'))),
    ("/cgi/put", Answer(201)),
    ("/cgi/put", Answer(204)),
    ("/gen/1/1/sheep.avi", Answer(200, b"RIFF", {"content-length": "5"})),
])
def test_the_rules_refuse_what_real_clients_refuse(path, answer):
    assert accepts(Recording("GET", path, ()), answer)


def test_the_rules_take_what_a_real_client_took_and_not_what_it_refused():
    for name, is_taken in (("anonymous/001_GET_query_php", True), ("anonymous/009_PUT_cgi_put", True),
                           ("anonymous/015_GET_cgi_vote_cgi", True), ("login/009_PUT_cgi_put", False)):
        path = RECORDED / f"{name}.txt"
        assert (accepts(read(path), reply(path)) == []) is is_taken, name


# --- the replay


class Replay:
    """A recorded client that meets our farm: it remembers what it was told, and its requests are changed by that."""

    def __init__(self, site, address, nick="", key=""):
        self._site = site
        self._address = address
        self._nick = nick
        self._hash = own_password_hash(key, nick) if key else ""
        self.order = None
        self.films = []
        self.fetched = []

    def play(self, recorded):
        """Send a recorded request, changed as needed; returns what the real client would not take of the answer."""
        request = self._mapped(recorded)
        answer = exchange(self._address, request)
        complaints = accepts(request, answer)
        if not complaints:
            self._remember(request, answer)
        return complaints

    def _mapped(self, recorded):
        target = recorded.target.replace("spot%20user", self._nick).replace(RECORDED_HASH, self._hash)
        if recorded.method == "PUT":
            told = {"j": self.order.put_job, "id": self.order.sheep, "g": self.order.generation}
            for name, value in told.items():
                target = re.sub(rf"([?&]{name})=[0-9]+", rf"\1={value}", target)
        elif recorded.path.startswith("/gen/"):
            target = urlsplit(self.films[len(self.fetched) % len(self.films)].url).path
        target = target.replace("id=101", "id=1")
        return replace(recorded, target=target, headers=tuple(map(self._mapped_header, recorded.headers)))

    def _mapped_header(self, header):
        if not header.startswith("Authorization: Basic "):
            return header
        return "Authorization: Basic " + base64.b64encode(f"{self._nick}:{self._hash}".encode()).decode()

    def _remember(self, request, answer):
        match request.path:
            case "/cgi/get":
                self.order = wire.decode_get_answer(answer.body)
            case "/cgi/list":
                self.films = sorted(wire.decode_flock(answer.body).sheep, key=lambda one: (-one.rating, one.time))
            case path if path.startswith("/gen/"):
                film = self.films[len(self.fetched) % len(self.films)]
                assert len(answer.body) == film.size_bytes
                self.fetched.append(film.id)


def exchange(address, request):
    with socket.create_connection(address, 30) as line:
        line.sendall(request.as_bytes())
        response = http.client.HTTPResponse(line, method=request.method)
        response.begin()
        body = response.read()
        return Answer(response.status, body, {name.lower(): value for name, value in response.getheaders()})


@pytest.fixture
def flock(site):
    """Two sheep that play, so that there is something to list and fetch; the second is liked better."""
    site.filmed("r1.flam3")
    site.filmed("r2.flam3")
    site.http.get("/cgi/vote.cgi?id=2&vote=1&u=ABC")


@pytest.mark.usefixtures("flock")
def test_an_anonymous_clients_day_goes_as_it_was_recorded(site, address):
    job = site.order(frames=3, width=WIDTH, height=HEIGHT)
    client = Replay(site, address)
    requests = recordings("anonymous")
    assert len(requests) == 18
    assert [(request.target, why) for request in requests for why in client.play(request)] == []
    assert client.fetched[:2] == [2, 1]  # the best liked first
    assert isinstance(client.order, wire.NoWork)
    orders = [wire.FrameOrder(1, 3, frame, b"", {}, frame, frame) for frame in range(3)]
    assert [[result.verdict for result in site.results(order)] for order in orders] == [[Verdict.VALID]] * 3
    assert site.story(orders[0]).job.id == job.id
    ratings = {one.id: one.rating for one in site.listed().sheep}
    assert ratings == {1: -1, 2: 1}


@pytest.mark.usefixtures("flock")
def test_a_clients_day_with_a_login_goes_better_than_recorded(site, address):
    site.order(frames=1, width=WIDTH, height=HEIGHT)
    client = Replay(site, address, "spot", site.key("spot", "bedroom"))
    requests = recordings("login")
    assert len(requests) == 9
    assert [(request.target, why) for request in requests for why in client.play(request)] == []
    assert balances(site.farm)["spot"] > 0


@pytest.mark.usefixtures("flock")
def test_a_nick_that_the_farm_does_not_know_still_plays_and_renders(site, address):
    site.order(frames=1, width=WIDTH, height=HEIGHT)
    client = Replay(site, address, "nobody", "no such key")
    for request in recordings("login"):
        assert client.play(request) == [], request.target
    assert balances(site.farm)["anonymous"] > 0
