"""Strangers' requests: near-valid ones of every wire, spoilt by chance, sent below HTTP to the whole application.

What is sent follows from a seed alone. An answer of 5xx other than 503, a traceback in the log or a redirect that no
wire knows is a mistake of the farm's.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from starlette.types import ASGIApp, Message

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as an application gets it."""

    method: str
    path: str
    query: bytes = b""
    headers: tuple[Header, ...] = ()
    body: bytes = b""


@dataclass(slots=True)
class Answered:
    """What came back of a request; of a long body the beginning."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class Tracebacks(logging.Handler):
    """Keeps what was logged with a traceback or as an error, and every line's text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        line = record.getMessage()
        self.lines.append(line)
        if record.exc_info or record.levelno >= logging.ERROR:
            self.found.append(line)


FORM = b"multipart/form-data; boundary=sheep"
_BOOM = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><a>&b;</a>'
_CALL = (b"<?xml version='1.0'?><methodCall><methodName>%s</methodName><params>"
         b"<param><value><string>box</string></value></param><param><value><int>1</int></value></param></params></methodCall>")
_ORDER = (b'--sheep\r\nContent-Disposition: form-data; name="order"\r\nContent-Type: application/json\r\n\r\n'
          b'{"kind": "screenshot", "spec": {"url": "http://example.org/", "browsers": ["Firefox"]}}\r\n--sheep--\r\n')
_FRAME = (b'--sheep\r\nContent-Disposition: form-data; name="file"; filename="1000_0001.png"\r\n\r\n\x89PNG\r\n\x1a\n'
          b'\r\n--sheep--\r\n')
_TOLD = (b"login=vera&password=x&job=1000&frame=1&extras=1&revision=0&version=6.0.0&os=linux&bits=64&cpu_cores=1"
         b"&ram_max=100000&computemethod=1")
METHODS = (b"nonces.challenge", b"nonces.challengeUrl", b"requests.poll", b"requests.poll_new", b"screenshots.upload",
           b"factories.features", b"system.listMethods", b"%s" % (b"x" * 300))
SHEEPIT = ("config", "request_job", "send_frame", "archive", "error", "logout", "last_frame", "credits", "bin", "chunk",
           "speedtest", "keepmealive", "download")


def seeds(key: str, session: str) -> list[Asked]:
    """Return requests that make sense, or nearly so, of all wires; some carry a key or a session that opens doors."""
    bearer, token = ((b"authorization", f"Bearer {secret}".encode()) for secret in (key, session))
    json = (b"content-type", b"application/json")
    xml = (b"content-type", b"text/xml")
    rest = [
        Asked("POST", "/api/v1/sessions", b"", (bearer, json), b'{"abilities": {"kinds": ["flame"], "memory_mib": 1}}'),
        Asked("POST", "/api/v1/leases", b"", (token, json), b'{"wait_s": 0}'),
        Asked("POST", "/api/v1/leases", b"", (token,)),
        Asked("PUT", "/api/v1/leases/1/result", b"render_time_s=4&cores=2", (token,), b"\x89PNG\r\n\x1a\n"),
        Asked("POST", "/api/v1/leases/1/heartbeat", b"", (token, json), b'{"seconds_done": 3}'),
        Asked("DELETE", "/api/v1/leases/1", b"reason=why&failed=1", (token,), b"a log"),
        Asked("GET", "/api/v1/leases/1/inputs/genome", b"", (token,)),
        Asked("POST", "/api/v1/jobs", b"", (bearer, (b"content-type", FORM), (b"idempotency-key", b"a")), _ORDER),
        *(Asked("GET", path, b"limit=3&before=9", (bearer,)) for path in (
            "/api/v1/jobs", "/api/v1/jobs/1000", "/api/v1/tasks/1/story", "/api/v1/tasks/1/preview",
            "/api/v1/jobs/1000/products/film.mp4", "/api/v1/whoami", "/api/openapi.json")),
    ]
    sheepit = [Asked(method, f"{root}/server/{name}.php", _TOLD,
                     ((b"content-type", FORM),) if name in {"send_frame", "error"} else (xml,),
                     _FRAME if name in {"send_frame", "error"} else b"<cache><file md5='x'/></cache>")
               for name in SHEEPIT for root in ("", "/s/" + session) for method in ("GET", "POST")]
    calls = [Asked("POST", "/xmlrpc/", b"", (xml,), _CALL % name) for name in METHODS]
    sheep = [Asked("GET", "/query.php", b"q=redir&u=spot&p=d41d8cd98f00b204e9800998ecf8427e&v=LNX_2.7b12&i=AB"),
             Asked("GET", "/cgi/get", b"n=a&w=b&v=LNX_2.7b12&u=ABCD&r=1&c=1"), Asked("GET", "/cgi/list", b"u=AB"),
             Asked("PUT", "/cgi/put", b"j=1&id=1&s=4&g=1&v=LNX&u=ABCD", (), b"four"),
             Asked("GET", "/cgi/vote.cgi", b"id=1&vote=1&u=AB")]
    pages = [Asked("GET", path) for path in ("/", "/fragments/jobs/1000", "/previews/1.jpg", "/products/1000/film.mp4",
                                             "/screenshots/", "/redirect/box/abc/1/", "/static/none.css")]
    return rest + sheepit + calls + sheep + pages


NUMBERS = (b"0", b"-1", b"2147483648", b"9" * 19, b"9" * 4400, b"1e9", b"NaN", "٣".encode(), b"0x10", b"1_0", b" 1")
TEXTS = (b"", b"%", b"%00", b"%FF%FE", b"../../etc/passwd", b"<a b='c'>&amp;", b"\x00", b"\xff\xfe", b"a" * 10_000,
         b"{", b"[" * 2000, b"'\"; --", b"&" * 3000, b"=", b"\r\nX: y", _BOOM, b"]]>", b"{{7*7}}")


def spoilt(asked: Asked, chance: random.Random) -> Asked:
    """Return a request with up to four things wrong with it."""
    for _ in range(chance.randrange(5)):
        asked = chance.choice(_WAYS)(asked, chance)
    return asked


def _with_other_word(asked: Asked, chance: random.Random) -> Asked:
    words = asked.query.split(b"&")
    place = chance.randrange(len(words))
    name = words[place].partition(b"=")[0]
    words[place] = name + b"=" + chance.choice(NUMBERS + TEXTS)
    return replace(asked, query=b"&".join(words)[:20_000])


def _with_more_words(asked: Asked, chance: random.Random) -> Asked:
    count = chance.choice((1, 20, 10_000))
    return replace(asked, query=asked.query + b"&x=%d" % chance.randrange(9) * count)


def _with_other_body(asked: Asked, chance: random.Random) -> Asked:
    body = bytearray(asked.body or b"x")
    for _ in range(chance.randrange(1, 8)):
        at = chance.randrange(len(body))
        match chance.randrange(4):
            case 0:
                body[at] = chance.randrange(256)
            case 1:
                del body[at:at + chance.randrange(1, 30)]
                body = body or bytearray(b"x")
            case 2:
                body[at:at] = chance.choice(NUMBERS + TEXTS)
            case _:
                body[at:at] = body[:at][-200:]
    return replace(asked, body=bytes(body[:200_000]))


def _with_other_header(asked: Asked, chance: random.Random) -> Asked:
    names = (b"content-type", b"content-length", b"authorization", b"cookie", b"host", b"range", b"x-sha256", b"accept",
             b"content-digest", b"idempotency-key", b"transfer-encoding", b"last-event-id", b"user-agent")
    values = (b"bytes=0-", b"bytes=9-1,5", b"text/xml", b"multipart/form-data", FORM, b"Bearer \xff", b"Basic !",
              b"chunked")
    value = chance.choice(NUMBERS + TEXTS + values)[:8000].replace(b"\r\n", b" ")
    kept = [header for header in asked.headers if chance.random() < 0.8]
    return replace(asked, headers=(*kept, *[(chance.choice(names), value)] * chance.choice((1, 1, 100))))


def _with_other_path(asked: Asked, chance: random.Random) -> Asked:
    parts = asked.path.split("/")
    place = chance.randrange(len(parts))
    parts[place] = chance.choice(NUMBERS + TEXTS)[:300].decode("utf-8", "replace")
    return replace(asked, path="/" + "/".join(parts).lstrip("/"))


def _with_other_method(asked: Asked, chance: random.Random) -> Asked:
    return replace(asked, method=chance.choice(("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW")))


_WAYS = (_with_other_word, _with_other_word, _with_more_words, _with_other_body, _with_other_body, _with_other_header,
         _with_other_path, _with_other_method)


async def answered(app: ASGIApp, asked: Asked) -> Answered:
    """Ask an application; a body comes in pieces, and after it the client is gone."""
    answer = Answered()
    pieces = [asked.body[at:at + 4096] for at in range(0, len(asked.body), 4096)] or [b""]
    waiting = [{"type": "http.request", "body": piece, "more_body": at < len(pieces) - 1}
               for at, piece in enumerate(pieces)]

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], dict(message["headers"])
        elif len(answer.body) < 100_000:
            answer.body += message.get("body", b"")

    announced = () if any(name == b"content-length" for name, _ in asked.headers) else (
        (b"content-length", str(len(asked.body)).encode()),)
    await app({
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": asked.method, "scheme": "http",
        "path": asked.path, "raw_path": asked.path.encode("utf-8", "replace"), "query_string": asked.query,
        "root_path": "", "headers": [*asked.headers, *announced], "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 9)}, receive, send)
    return answer


class Upset(Exception):
    """The farm made a mistake: the text says which, and of which request."""


async def fuzz(app: ASGIApp, log: Tracebacks, known: Sequence[Asked], seed: int, count: int) -> Counter[int]:
    """Send so many spoilt requests and count the answers by status; raises Upset at the first mistake."""
    chance = random.Random(seed)
    statuses: Counter[int] = Counter()
    for number in range(count):
        asked = spoilt(chance.choice(known), chance)
        try:
            answer = await asyncio.wait_for(answered(app, asked), 60)
        except Exception as error:
            raise Upset(f"input {number} of seed {seed}: {type(error).__name__}: {error}: {asked!r:.2000}") from error
        if (answer.status >= 500 and answer.status != 503) or log.found:
            raise Upset(f"input {number} of seed {seed}: {answer.status}, {log.found[:1]}: {asked!r:.2000}")
        statuses[answer.status] += 1
        log.lines.clear()
    return statuses
