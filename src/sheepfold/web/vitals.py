"""What watches over a farm asks: /healthz, /readyz, and Prometheus' /metrics."""

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sheepfold.farm.accounts import holder_of
from sheepfold.farm.farm import Farm
from sheepfold.farm.vitals import Gauge, missing
from sheepfold.model.accounts import Role
from sheepfold.model.accounts import Scope as KeyScope
from sheepfold.model.errors import BadCredentials, StoreUnavailable
from sheepfold.web.tally import count_in

BUCKETS_S = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0)
_NO_STORE = {"Cache-Control": "no-store"}


class Meter:
    """Measures requests by protocol and status, the seconds until their answer began; and inspections.

    Of processes that serve together each measures its own, in the files of a folder that have its `number`: `registry`
    tells their sum.
    """

    def __init__(self, registry: CollectorRegistry, shared: Path | None = None, number: int = 0) -> None:
        own: CollectorRegistry | None = registry
        if shared is not None and count_in(shared, number):
            MultiProcessCollector(registry, str(shared))  # type: ignore[no-untyped-call]
            own = None
        self._seconds = Histogram("sheepfold_request_seconds", "Time until an answer began.", ["protocol", "status"],
                                  buckets=BUCKETS_S, registry=own)
        self._files = Counter("sheepfold_inspections", "Files inspected or compared.", registry=own)
        self._file_seconds = Counter("sheepfold_inspection_seconds", "Time of inspections.", registry=own)
        self._known: dict[tuple[str, int], Callable[[float], None]] = {}

    def count(self, protocol: str, status: int, seconds: float) -> None:
        """Count a request; some microseconds, since the names are looked up only once."""
        observe = self._known.get((protocol, status))
        if observe is None:
            observe = self._known[protocol, status] = self._seconds.labels(protocol, str(status)).observe
        observe(seconds)

    def inspected(self, seconds: float) -> None:
        """Count a file that was inspected or compared."""
        self._files.inc()
        self._file_seconds.inc(seconds)


class Measured:
    """Has a meter count all requests that go through."""

    def __init__(self, inner: ASGIApp, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        start = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._meter.count(protocol_of(scope), message["status"], time.perf_counter() - start)
            await send(message)

        await self._inner(scope, receive, counted)


def protocol_of(scope: Scope) -> str:
    """Return the protocol of a request that was answered, by where its answer was written; else `pages`."""
    if scope["path"].startswith("/api/"):
        return "rest"
    answer = scope.get("endpoint")
    while isinstance(answer, partial):
        answer = answer.func
    module: str = getattr(answer, "__module__", "") or ""
    return module.split(".")[2] if module.startswith("sheepfold.protocols.") else "pages"


class FarmCollector(Collector):
    """A farm's standing in Prometheus' words."""

    def __init__(self, farm: Farm, shared: Path | None) -> None:
        self._gauge = Gauge(farm, shared and shared / "gauge")

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering reads nothing."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Read the farm; raises StoreUnavailable."""
        read = self._gauge.read()
        now, oldest_at = read.standing, read.standing.oldest_running_at
        yield _counts("sheepfold_claims", "Leases granted.", "protocol", read.claims)
        yield _counts("sheepfold_results", "Results judged.", "verdict", read.results)
        yield CounterMetricFamily("sheepfold_credit_points", "Credit paid.", value=read.millipoints / 1000)
        yield GaugeMetricFamily("sheepfold_open_tasks", "Tasks of running jobs not yet done.", value=now.open_tasks)
        yield GaugeMetricFamily("sheepfold_oldest_open_task_age_seconds", "Since the oldest running job's order.",
                                value=0 if oldest_at is None else max(0, read.at - oldest_at))
        yield _gauges("sheepfold_jobs", "Jobs.", "state", now.jobs)
        yield _gauges("sheepfold_leases", "Active leases.", "protocol", now.leases)
        yield _gauges("sheepfold_machines_alive", "Machines that work or wait for it.", "protocol", now.machines)
        yield GaugeMetricFamily("sheepfold_chores_waiting", "Previews and films to be made.", value=now.chores)
        yield GaugeMetricFamily("sheepfold_blob_bytes", "Size of all files kept.", value=read.blob_bytes)


def routes(farm: Farm, registry: CollectorRegistry, shared: Path | None = None) -> list[BaseRoute]:
    """Return the routes of whatever watches over a farm; processes that serve together share a folder."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("alive\n", headers=_NO_STORE)

    async def readyz(_request: Request) -> Response:
        found = await run_in_threadpool(missing, farm)
        return PlainTextResponse("\n".join(found or ["ready"]) + "\n", 503 if found else 200, headers=_NO_STORE)

    async def metrics(request: Request) -> Response:
        return await run_in_threadpool(_metrics, farm, registry, request.headers.get("authorization", ""))

    registry.register(FarmCollector(farm, shared))
    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def _metrics(farm: Farm, registry: CollectorRegistry, authorization: str) -> Response:
    try:
        holder = holder_of(farm, authorization.removeprefix("Bearer ").strip())
        if holder.account.role is not Role.OWNER or not holder.scope.covers(KeyScope.ORDER):
            return PlainTextResponse("Metrics are for the owner's keys.\n", 403, headers=_NO_STORE)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4, headers=_NO_STORE)
    except BadCredentials:
        told = {"WWW-Authenticate": "Bearer", **_NO_STORE}
        return PlainTextResponse("This needs the header 'Authorization: Bearer KEY'.\n", 401, headers=told)
    except StoreUnavailable as error:
        return PlainTextResponse(f"{error}\n", 503, headers=_NO_STORE)


def _counts(name: str, words: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, words, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family


def _gauges(name: str, words: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=[label])
    for value, count in sorted(values.items()):
        family.add_metric([value], count)
    return family
