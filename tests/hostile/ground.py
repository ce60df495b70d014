"""The ground of the hostile tests: an application asked below HTTP, and what strangers are likely to send."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote_from_bytes

from anyio.from_thread import BlockingPortal
from bench.ground.fuzzing import Answered, Asked, Tracebacks, answered
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount

from sheepfold.protocols.rest.endpoints import ROOT

Headers = Sequence[tuple[bytes, bytes]]


class Door:
    """An application that is asked below HTTP, where even what no server would let through arrives."""

    def __init__(self, application: Starlette, portal: BlockingPortal, log: Tracebacks) -> None:
        self.application = application
        self._portal = portal
        self._log = log

    def ask(self, method: str, path: str, query: bytes = b"", headers: Headers = (), body: bytes = b"") -> Answered:
        """Send a request; fails where it is answered with a 5xx but 503, or the farm stumbles over it."""
        self._log.lines.clear()
        answer = self._portal.call(answered, self.application, Asked(method, path, query, tuple(headers), body))
        assert answer.status == 503 or 200 <= answer.status < 500, (answer.status, method, path, query)
        assert not self._log.found, self._log.found
        return answer


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a route, its path with parameters in braces."""

    method: str
    path: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def is_met_by(self, method: str, path: str) -> bool:
        """Say whether a request asks for this, or for what stands behind it in the table of routes."""
        pattern = "[^/]+".join(map(re.escape, re.split(r"{[^}]*}", self.path)))
        return method == self.method and re.fullmatch(pattern, path) is not None


def operations_of(application: object) -> list[Operation]:
    """Return all that an application can be asked for: the REST API's by its document, all else by its routes."""
    document = json.loads(asyncio.run(answered(application, Asked("GET", ROOT + "/openapi.json"))).body)
    found = [Operation(method.upper(), ROOT + path) for path, methods in document["paths"].items()
             for method in methods]
    while not hasattr(application, "routes"):
        application = next(one for one in vars(application).values() if callable(one))
    found += _operations(application.routes)
    return list({re.sub("{[^}]*}", "{}", one.name): one for one in reversed(found)}.values())[::-1]


def _operations(routes: Sequence[object], prefix: str = "") -> Iterator[Operation]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _operations(route.routes, prefix + route.path) if route.routes else [
                Operation("GET", prefix + route.path + "/{path}")]
        elif hasattr(route, "path"):
            methods = set(route.methods) - ({"HEAD"} if "GET" in route.methods else set())
            yield from (Operation(method, prefix + route.path) for method in sorted(methods))


def tries(count: int) -> settings:
    """Let Hypothesis try so many inputs, however long they take."""
    return settings(max_examples=count, deadline=None, database=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


near_numbers = st.sampled_from(["0", "-1", "1", "1000", "01", "+1", "1.0", "1e9", "2147483647", "2147483648", "9" * 19,
                                "9" * 4400, "٣", "", " 1", "0x10", "NaN", "-0", "1_0"])
words = st.sampled_from(["redir", "A5BD1F1A9DAB2B36", "d41d8cd98f00b204e9800998ecf8427e", "LNX_3.0.2", "spot",
                         "%", "%G1", "%00", "%FF%FE", "\ud800", "\x00", "../../etc/passwd", "<a b='c'>", "&amp;", ";"])
values = st.one_of(near_numbers, words, st.text(max_size=40), st.binary(max_size=40).map(quote_from_bytes))
huge_queries = st.sampled_from([b"&".join(b"u=%d" % n for n in range(1000)), b"u=" + b"A" * 20_000, b"&" * 5000,
                                b"=" * 5000, b"%" * 5000, bytes(range(256)) * 4])
heads = st.sampled_from([b"host", b"authorization", b"content-length", b"accept", b"range", b"if-none-match",
                         b"x-forwarded-proto", b"content-type", b"cookie", b"transfer-encoding", b"expect"])
head_values = st.one_of(st.binary(max_size=80), st.sampled_from([
    b"Basic", b"Basic =", b"Basic " + b"A" * 4000, b"Basic c3BvdDpGRg==", b"-1", b"9" * 30, b"bytes=0-", b"1e3",
    b"evil.example/\"><x", b"[::1", b"a:b:c", b"h\xc3\xb6st", b"\x00", b"127.0.0.1:99999"]))
odd_headers = st.lists(st.tuples(heads, head_values), max_size=5)


def queries_of(names: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Draw queries that use these names, or are none at all."""
    drawn = st.lists(st.tuples(st.sampled_from(names), values), max_size=12)
    texts = drawn.map(lambda found: "&".join(f"{name}={value}" for name, value in found))
    pairs = texts.map(lambda text: text.encode("utf-8", "surrogatepass"))
    return st.one_of(pairs, st.binary(max_size=200), huge_queries)
