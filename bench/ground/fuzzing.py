"""Strangers' requests: how they are spoilt by chance, and sent below HTTP to the whole application."""

import logging
import random
from dataclasses import dataclass, field, replace

from starlette.types import ASGIApp, Message

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as an application gets it; with `cut_at` its client is gone after so many bytes of the body."""

    method: str
    path: str
    query: bytes = b""
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    cut_at: int | None = None


@dataclass(slots=True)
class Answered:
    """What came back of a request; of a long body the beginning."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    endpoint: object = None
    """What the application's routes led to."""


class Tracebacks(logging.Handler):
    """Keeps what was logged with a traceback, which is kept with it, or as an error, and every line's text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())
        if record.exc_info or record.levelno >= logging.ERROR:
            self.found.append(self.format(record))


FORM = b"multipart/form-data; boundary=sheep"
_BOOM = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]><a>&b;</a>'
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


def _with_an_early_end(asked: Asked, chance: random.Random) -> Asked:
    return replace(asked, cut_at=chance.randrange(len(asked.body) + 1))


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


_WAYS = (_with_other_word, _with_other_word, _with_more_words, _with_other_body, _with_other_body, _with_an_early_end,
         _with_other_header, _with_other_path, _with_other_method)


async def answered(app: ASGIApp, asked: Asked) -> Answered:
    """Ask an application; a body comes in pieces, and after it the client is gone."""
    answer = Answered()
    come, is_whole = asked.body[:asked.cut_at], asked.cut_at is None
    pieces = [come[at:at + 4096] for at in range(0, len(come), 4096)] or [b""]
    waiting = [{"type": "http.request", "body": piece, "more_body": at < len(pieces) - 1 or not is_whole}
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
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": asked.method, "scheme": "http",
        "path": asked.path, "raw_path": asked.path.encode("utf-8", "replace"), "query_string": asked.query,
        "root_path": "", "headers": [*asked.headers, *announced], "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 9)}
    await app(scope, receive, send)
    answer.endpoint = scope.get("endpoint")
    return answer
