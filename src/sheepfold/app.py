"""The composition: one application for every protocol and the pages, and the server that it runs in."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import ssl
import string
from collections.abc import Iterator, MutableSequence, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from urllib.parse import quote_from_bytes

import uvicorn
import uvloop
from anyio import to_thread
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from sheepfold.connection import Connection
from sheepfold.doorkeeper import ABSENT, Doorkeeper
from sheepfold.farm.farm import Farm
from sheepfold.farm.postman import Postman
from sheepfold.farm.upkeep import House
from sheepfold.kinds.cores import keep_to_share
from sheepfold.kinds.orphans import HumblePool
from sheepfold.model.errors import BadInput, Unavailable
from sheepfold.protocols import registry
from sheepfold.protocols.direct import ShortWays
from sheepfold.web import pages, vitals

_log = logging.getLogger(__name__)
IDLE_CONNECTION_S = 30
"""How long a quiet connection is kept open; clients that ask each ten minutes open a new one each time."""
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder of what processes that serve together share; Prometheus' library reads it, too."""


@dataclass(frozen=True, slots=True)
class Door:
    """A socket that listens, and the certificate and its key where TLS is spoken there."""

    bound: socket.socket
    certificate: tuple[Path, Path] | None = None
    held: MutableSequence[int] | None = None
    """How many connections each of several servers holds that listen here, in memory that they share: ABSENT for one
    that does not listen. None where one serves alone."""

    @property
    def url(self) -> str:
        """Return the address at which it listens."""
        host, port = self.bound.getsockname()[:2]
        named = f"[{host}]" if ":" in host else host
        return f"{'http' if self.certificate is None else 'https'}://{named}:{port}"

    def for_several(self, servers: int) -> "Door":
        """Return the same door for so many servers, which share what comes."""
        return replace(self, held=RawArray("i", [ABSENT] * servers))

    def note_death(self, number: int) -> None:
        """Note that one of several servers died, so that nothing is left to it."""
        if self.held is not None:
            self.held[number] = ABSENT


@dataclass(frozen=True, slots=True)
class Place:
    """Which this server is of those that serve together."""

    number: int = 0
    of: int = 1


def open_door(host: str, port: int, certificate: tuple[Path, Path] | None = None) -> Door:
    """Listen on an address; port 0 lets the system choose. Raises Unavailable where it is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends without delay only where the protocol is named; else each answer waits some 40 ms (decision 0002)
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise Unavailable(f"Nothing can listen on {host}, port {port}: {error.strerror}.") from error
    bound.listen(2048)
    return Door(bound, certificate)


def make_app(farm: Farm, number: int = 0) -> ASGIApp:
    """Make the application of a farm: all protocols and the pages at one root, since their paths do not collide.

    `number` is its place among processes that serve together.
    """
    collectors = CollectorRegistry()
    shared = Path(os.environ[SHARED]) if SHARED in os.environ else None
    meter = vitals.Meter(collectors, shared, number)
    farm.inspector.listen(meter.inspected)
    routes = [*_protocol_routes(farm), *vitals.routes(farm, collectors, shared), *pages.routes(farm)]
    application = Starlette(routes=routes, middleware=[Middleware(AsciiQueries)],
                            exception_handlers={404: pages.nowhere(farm), BadInput: _senseless})
    application.router.redirect_slashes = False  # old clients do not follow, or lose their body on the way
    return vitals.Measured(ShortWays(routes, application), meter)


async def _senseless(_request: Request, error: Exception) -> Response:
    """Answer what no wire and no page has an answer of its own for, such as a zero byte in a name."""
    return PlainTextResponse(str(error), 400)


class AsciiQueries:
    """Writes bytes of a query that are not ASCII as %XX, as they should have come: the framework decodes UTF-8."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        query = scope.get("query_string", b"")
        if not query.isascii():
            scope["query_string"] = quote_from_bytes(query, safe=string.punctuation).encode()
        await self._inner(scope, receive, send)


@contextlib.contextmanager
def house_kept(farm: Farm) -> Iterator[None]:
    """Keep house while the block runs: upkeep, and chores by several hands, each with a process of its own."""
    house = House(farm, lambda: HumblePool(1))
    postman = Postman(farm)
    house.start()
    postman.start()
    try:
        yield
    finally:
        farm.closing.set()
        postman.stop()
        house.stop()


def serve(farm: Farm, doors: Sequence[Door], place: Place = Place(), *, with_house: bool = True) -> None:
    """Serve a farm at some doors until SIGINT or SIGTERM, which let answers that are under way finish."""
    with house_kept(farm) if with_house else contextlib.nullcontext():
        keep_to_share(place.number, place.of)  # now: the house and its chores have begun, and use all cores
        application = make_app(farm, place.number)
        gc.freeze()  # what is there now stays: to walk it at each full collection made single answers 100 ms slower
        uvloop.run(_serve(farm, application, doors, place))


def _protocol_routes(farm: Farm) -> list[BaseRoute]:
    return [route for row in registry.PROTOCOLS.values() if row.routes for route in registry.load(row.routes)(farm)]


class _Server(uvicorn.Server):
    """A server at one door, which leaves signals to whoever runs several of them, and others their share."""

    def __init__(self, config: uvicorn.Config, door: Door, place: Place) -> None:
        super().__init__(config)
        self._door = door
        self._place = place

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        if self._door.held is None:
            await super().startup(sockets)
            return
        await super().startup([])
        make = partial(Connection, self.config, self.server_state, self.lifespan.state)
        keeper = Doorkeeper(self._door.bound, self.config.ssl, self._door.held, self._place.number, make,
                            self.server_state.connections)
        keeper.open()
        self.servers = [keeper]  # type: ignore[list-item]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve(farm: Farm, application: ASGIApp, doors: Sequence[Door], place: Place) -> None:
    to_thread.current_default_thread_limiter().total_tokens = farm.settings.threads
    servers = [_Server(_config(application, door), door, place) for door in doors]
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, _end, farm, servers)
    for door in doors:
        _log.info("listening=%s", door.url)
    await asyncio.gather(*(server.serve(sockets=[door.bound]) for server, door in zip(servers, doors, strict=True)))


def _end(farm: Farm, servers: list[_Server]) -> None:
    farm.closing.set()
    for server in servers:
        server.should_exit = True


def _config(application: ASGIApp, door: Door) -> uvicorn.Config:
    cert, key = door.certificate or (None, None)
    return uvicorn.Config(
        application,
        http=Connection,
        ws="none",  # there are none, and uvicorn logs whole addresses of those that are asked for
        access_log=False,  # the old wires carry secrets in their queries
        log_config=None,
        lifespan="off",
        timeout_keep_alive=IDLE_CONNECTION_S,
        timeout_graceful_shutdown=3,
        server_header=False,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
