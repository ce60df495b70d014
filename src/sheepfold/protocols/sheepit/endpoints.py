"""SheepIt's requests: decode, do, encode. Sources: seeds 001 and 004, and the protocol note, whose sections are cited.

Every answer is HTTP 200 with a status of its own inside; only downloads know 404. Nothing is redirected or compressed.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from sheepfold.blobs.spool import Spool, Spooled
from sheepfold.farm.archives import leased_job, open_archive, open_chunk
from sheepfold.farm.dispatch import (
    Assignment,
    Input,
    claim_task,
    close_session,
    give_up,
    lease_at,
)
from sheepfold.farm.farm import Farm
from sheepfold.farm.frametimes import expected_s
from sheepfold.farm.intake import Receipt, submit_wanted
from sheepfold.farm.keeping import keep_log
from sheepfold.farm.outstanding import ask_next, keep_alive, keep_lease, keep_off, rendering
from sheepfold.farm.renderers import open_renderer, pick, renderers_for
from sheepfold.farm.standing import earned_in_session, open_last_picture
from sheepfold.model.errors import (
    BadResult,
    BrokenPicture,
    MissingParameter,
    NotFound,
    SheepfoldError,
    TooLarge,
    UndecodablePicture,
    WrongDimensions,
)
from sheepfold.model.events import Event
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import LeaseId, Soundness, Verdict
from sheepfold.protocols.bell import MAKES_WORK, Bell
from sheepfold.protocols.direct import DirectRoute, at_once, judged
from sheepfold.protocols.sheepit import multipart, wire
from sheepfold.protocols.sheepit.sessions import COOKIE, Visit, check_living, has_cookie, log_in, log_in_again, visit_of
from sheepfold.protocols.sheepit.tasks import Offer, answer, stats
from sheepfold.protocols.sheepit.wire import Endpoint, Era, RequestKind
from sheepfold.protocols.uploads import base_url, file_response
from sheepfold.store.leases import Holding, Wanted

ANYWAY_S = 10.0
"""How often a request that is held asks again though nothing rang: upkeep wakes lanes without telling of it."""
TOO_LONG_S = 3600
"""How long a machine is not offered a job whose frames take too long for it; later more is known of them."""
DOWNLOAD_BEAT_S = 60.0
"""How often a download that goes on counts as a sign of life: slow lines take hours for a large project."""

_log = logging.getLogger(__name__)
_VERSION = re.compile(r"[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Room:
    """What the answers need: the farm, and the bell that rings when there may be work."""

    farm: Farm
    bell: Bell


_HOT = frozenset({RequestKind.JOB, RequestKind.VALIDATION, RequestKind.HEARTBEAT})
"""What a fleet at work asks all the time."""
_Answer = Callable[[Room, Request], Awaitable[Response]]


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of this wire, at the root of the application."""
    room = Room(farm, Bell(farm))

    def route(path: str, kind: RequestKind, reply: _Answer) -> Route:
        sort = DirectRoute if kind in _HOT else Route
        return sort(path, partial(_guarded, room, kind, reply), methods=["GET", "POST"])

    plain = [route(wire.CONFIG_PATH, RequestKind.CONFIG, _config)]
    for path, endpoint in wire.LITERAL_PATHS.items():
        plain.append(route(path, *_ENDPOINTS[endpoint]))
        if path.startswith("/server/"):
            plain.append(route("/s/{token}" + path, *_ENDPOINTS[endpoint]))
    return [*plain, _DoubledSlashes(plain)]


class _DoubledSlashes(BaseRoute):
    """Finds this wire's routes for paths with slashes twice: clients glue a server's URL and a path together."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match a path as if each of its slashes stood alone."""
        path = scope.get("path", "")
        if scope["type"] != "http" or "//" not in path:
            return Match.NONE, {}
        single = {"path": wire.collapse_slashes(path)}
        for route in self._routes:
            match, found = route.matches({**scope, **single})
            if match is not Match.NONE:
                return match, {**found, **single, "sheepit.route": route}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the route that was found."""
        await scope["sheepit.route"].handle(scope, receive, send)


async def _guarded(room: Room, kind: RequestKind, reply: _Answer, request: Request) -> Response:
    """Answer a request, or refuse it with its status; what a refused upload still sends is heard out."""
    request.state.era = None
    try:
        return await reply(room, request)
    except SheepfoldError as error:
        era = Era.B if room.farm.settings.sheepit_seed_statuses else _era(request)
        status = wire.status_for(error, kind, era)
        _log.info("wire=sheepit request=%s%s refused=%s status=%d reason=%s", kind, _ids(request),
                  type(error).__name__, status, error)
        if kind in {RequestKind.VALIDATION, RequestKind.ERROR}:
            await multipart.drain(request)
        return _refusal(kind, status)


def _ids(request: Request) -> str:
    """Return which job and frame a refused request names, for the log."""
    said = {name: request.query_params.get(name, "") for name in ("job", "frame")}
    return "".join(f" {name}={value}" for name, value in said.items() if value.isascii() and value.isdecimal())


def _era(request: Request) -> Era:
    """Return the era of a request's client; of one whose session is unknown, its boundary may tell."""
    era: Era | None = request.state.era
    if era is None and multipart.OLD_BOUNDARY in request.headers.get("content-type", ""):
        return Era.A
    return era or Era.B


_REFUSALS: dict[RequestKind, Callable[[int], bytes]] = {
    RequestKind.CONFIG: lambda status: wire.ConfigAnswer(status).to_xml(),
    RequestKind.JOB: lambda status: wire.JobAnswer(status).to_xml(),
    RequestKind.VALIDATION: lambda status: wire.ValidationAnswer(status).to_xml(),
    RequestKind.HEARTBEAT: lambda status: wire.KeepAliveAnswer(status).to_xml(),
    RequestKind.ERROR: lambda status: wire.ErrorAnswer(status).to_xml(),
}


def _refusal(kind: RequestKind, status: int) -> Response:
    if kind in _REFUSALS:
        return _xml(_REFUSALS[kind](status))
    if kind is RequestKind.DOWNLOAD:
        return Response("There is no such file.\n", status, media_type="text/plain; charset=utf-8")
    return _goodbye()


def _xml(body: bytes) -> Response:
    return Response(body, headers={"Content-Type": wire.CONTENT_TYPE})


# Sessions ------------------------------------------------------------------------------------------------------------


async def _config(room: Room, request: Request) -> Response:
    """Open a session (note, section 3): by GET until 2017-11, by a form since."""
    body = await multipart.read_small(request, wire.MAX_PAIRS_BYTES)
    pairs = wire.read_pairs(request.scope["query_string"], body)
    token = await run_in_threadpool(_logged_in, room.farm, request, pairs)
    settings = room.farm.settings
    response = _xml(wire.ConfigAnswer(paths=wire.session_paths(token), max_period_s=settings.sheepit_max_period_s)
                    .to_xml())
    # The oldest clients know this one spelling alone, and only where the server below keeps it; hence tokens in paths.
    response.raw_headers.append((b"Set-Cookie", f"{COOKIE}={token}; path=/".encode()))
    return response


def _logged_in(farm: Farm, request: Request, pairs: wire.Pairs) -> str:
    _check_version(pairs.get("version", ""), farm.settings.sheepit_min_version)
    if not pairs.get("login") and not pairs.get("password") and has_cookie(request):
        return log_in_again(farm, request)
    return log_in(farm, wire.ConfigRequest.from_pairs(pairs, _opened_by(request)))


def _opened_by(request: Request) -> wire.OpenedBy:
    """Say by which method a session is opened; a HEAD, which no client sends, counts as a GET."""
    return wire.OpenedBy.POST if request.method == "POST" else wire.OpenedBy.GET


def _check_version(version: str, least: str) -> None:
    if not version:
        raise wire.MissingVersion
    if least and _numbers(version) < _numbers(least):
        raise wire.ClientTooOld(f"This farm wants clients of version {least} or later, not {version[:40]!r}.")


def _numbers(version: str) -> list[int]:
    return [int(number[:9]) for number in _VERSION.findall(version)[:4]]


async def _visit(room: Room, request: Request, pairs: wire.Pairs) -> Visit:
    return await at_once(_visited, room.farm, request, pairs)


def _visited(farm: Farm, request: Request, pairs: wire.Pairs) -> Visit:
    visit = visit_of(farm, request, pairs)
    request.state.era = visit.told.era
    return visit


def _term_s(farm: Farm) -> int:
    return max(farm.settings.sheepit_lease_term_s, farm.settings.sheepit_max_period_s)


async def _logout(room: Room, request: Request) -> Response:
    """End the session, and free what it holds (section 10)."""
    pairs = wire.read_pairs(request.scope["query_string"])
    wire.Logout.from_pairs(pairs)
    visit = await _visit(room, request, pairs)
    await run_in_threadpool(close_session, room.farm, visit.session)
    return _goodbye()


def _goodbye() -> Response:
    return Response("Goodbye.\n", media_type="text/plain; charset=utf-8")


# Tasks ---------------------------------------------------------------------------------------------------------------


async def _request_job(room: Room, request: Request) -> Response:
    """Grant a task, or hold the request in the hope of one, since a client without work sleeps for up to 20 minutes."""
    farm = room.farm
    query = request.scope["query_string"]
    body = await multipart.read_small(request, MAX_CACHE_BYTES)
    # Old clients label their XML as a form; a form that is one is read as such.
    is_form = bool(body) and not body.lstrip().startswith(b"<")
    pairs = wire.read_pairs(query, body if is_form else b"")
    offer, granted = await at_once(_offered, farm, request, pairs, b"" if is_form else body)
    granted = await _granted(room, request, offer, granted)
    if granted is None:
        figures = await at_once(stats, farm, offer.visit)
        return _xml(wire.JobAnswer(wire.JobStatus.NO_JOB, figures).to_xml())
    return _xml(await at_once(_answered, farm, offer, granted))


MAX_CACHE_BYTES = 1024 * 1024
"""Ten thousand archives in a client's cache; a longer list helps nobody."""


def _offered(farm: Farm, request: Request, pairs: wire.Pairs, xml: bytes) -> tuple[Offer, Assignment | None]:
    """Return who asks, with which renderers, and the first try's task."""
    visit = _visited(farm, request, pairs)
    asked = wire.JobRequest.from_pairs(pairs, xml)
    renderers = ask_next(farm, visit.session, farm.settings.sheepit_awaiting_uploads, visit.told.system,
                         visit.told.bits)
    client = request.headers.get("user-agent", "")[:100]
    offer = Offer(visit, asked, renderers, base_url(request, farm), client)
    return offer, _claim(farm, offer)


def _answered(farm: Farm, offer: Offer, granted: Assignment) -> bytes:
    """Write the answer; a task that cannot be put into words is given back, as failed where its job is to blame."""
    try:
        return answer(farm, offer, granted).to_xml()
    except SheepfoldError as error:
        is_its_own_fault = wire.numbers_for(type(error)).job is wire.JobStatus.INTERNAL_ERROR
        held = granted.held_by(offer.visit.maker)
        give_up(farm, held, f"Its project cannot be sent: {error}", failed=is_its_own_fault)
        raise


async def _granted(room: Room, request: Request, offer: Offer, granted: Assignment | None) -> Assignment | None:
    """Wait for a task where there was none yet; one whose client went away meanwhile is given back."""
    wait_s = room.farm.settings.claim_wait_limit_s
    if granted is None and wait_s:
        granted = await _awaited(room, request, offer, wait_s)
    if granted is not None and await request.is_disconnected():
        held = granted.held_by(offer.visit.maker)
        await run_in_threadpool(give_up, room.farm, held, "The client went away.", failed=False)
    return granted


async def _awaited(room: Room, request: Request, offer: Offer, wait_s: int) -> Assignment | None:
    """Claim again whenever there may be work, until there is some, the time is up or one of both ends goes."""
    clock = asyncio.get_running_loop()
    ends_at = clock.time() + wait_s
    async with room.bell.ear(_makes_work) as ear:
        while not room.farm.closing.is_set() and not await request.is_disconnected():
            granted = await at_once(_claimed_again, room.farm, offer)
            left_s = ends_at - clock.time()
            if granted is not None or left_s <= 0:
                return granted
            await ear.wait(min(left_s, ANYWAY_S))
    return None


def _claimed_again(farm: Farm, offer: Offer) -> Assignment | None:
    """Claim for a request that is held; raises SessionEnded, and Forbidden where its key was revoked meanwhile."""
    check_living(farm, offer.visit)
    return _claim(farm, offer)


def _claim(farm: Farm, offer: Offer) -> Assignment | None:
    """Claim the best task whose frame is made in the time that the client's owner allows for one."""
    maker, limit_s = offer.visit.maker, offer.asked.rendertime_max_s
    while granted := claim_task(farm, maker, offer.abilities(), _term_s(farm), offer.figures()):
        cores = offer.asked.cpu_cores or offer.visit.told.cpu_cores
        if limit_s is None or expected_s(farm, granted.task_id, cores) <= limit_s:
            return granted
        held = granted.held_by(maker)
        keep_off(farm, held, TOO_LONG_S)
        give_up(farm, held, "Its frames take longer than the machine's owner allows.", failed=False)
    return None


def _makes_work(event: Event) -> bool:
    return event.what in MAKES_WORK


async def _heartbeat(room: Room, request: Request) -> Response:
    """Take note that a client lives (section 4); 400 where what it renders is wanted no more."""
    body = await multipart.read_small(request, wire.MAX_PAIRS_BYTES)
    pairs = wire.read_pairs(request.scope["query_string"], body)
    visit = await _visit(room, request, pairs)
    is_wanted = await at_once(_kept, room.farm, visit, wire.Heartbeat.from_pairs(pairs))
    status = wire.HeartbeatStatus.OK if is_wanted else wire.HeartbeatStatus.STOP
    return _xml(wire.KeepAliveAnswer(status).to_xml())


def _kept(farm: Farm, visit: Visit, beat: wire.Heartbeat) -> bool:
    """Move a deadline: of the task that was named, else of what the session renders, which newer clients do not say."""
    if beat.job is None or beat.frame_number is None:
        keep_alive(farm, visit.session, _term_s(farm))
        return True
    held = _wanted(farm, visit, beat.job, beat.frame_number, beat.extras).held
    told = {"seconds_done": beat.rendertime_s, "seconds_left": beat.remainingtime_s}
    return keep_lease(farm, held, _term_s(farm), {name: value for name, value in told.items() if value is not None})


def _wanted(farm: Farm, visit: Visit, job: int, frame: int, extras: str) -> Wanted:
    """Return the lease that a frame was given out with, as its client's extras tell, and what its result is judged by.

    For who brings none back it is the machine's active or newest one. Raises UnknownTask, UnknownLease.
    """
    named = LeaseId(wire.read_extras(extras)[1])
    return lease_at(farm, visit.session.machine_id, (JobId(job), frame, 0), named)


# Downloads -----------------------------------------------------------------------------------------------------------


async def _download_archive(room: Room, request: Request) -> Response:
    pairs = await _pairs(request)
    asked = wire.ArchiveRequest.from_pairs(pairs)
    visit = await _visit(room, request, pairs)
    opened = partial(_opened_renderer, job=asked.job) if asked.type is wire.ArchiveType.RENDERER else partial(
        _opened_project, job=asked.job, revision=asked.revision)
    return await _download(room, visit, opened)


async def _download_binary(room: Room, request: Request) -> Response:
    pairs = await _pairs(request)
    asked = wire.DownloadBinary.from_pairs(pairs)
    return await _download(room, await _visit(room, request, pairs), partial(_opened_renderer, job=asked.job))


async def _download_chunk(room: Room, request: Request) -> Response:
    pairs = await _pairs(request)
    asked = wire.DownloadChunk.from_pairs(pairs)
    return await _download(room, await _visit(room, request, pairs), partial(_opened_chunk, chunk=asked.chunk))


async def _pairs(request: Request) -> dict[str, str]:
    body = await multipart.read_small(request, wire.MAX_PAIRS_BYTES)
    return wire.read_pairs(request.scope["query_string"], body)


async def _download(room: Room, visit: Visit, opened: Callable[[Farm, Visit], Input]) -> Response:
    file = await run_in_threadpool(opened, room.farm, visit)
    beat = partial(keep_alive, room.farm, visit.session, _term_s(room.farm))
    await run_in_threadpool(beat)
    clock = asyncio.get_running_loop().time
    return file_response(replace(file, chunks=_beating(file.chunks, beat, clock)), "application/zip")


def _beating(chunks: Iterator[bytes], beat: Callable[[], None], clock: Callable[[], float]) -> Iterator[bytes]:
    """Walk over a file's chunks, with a sign of life once a minute."""
    next_beat = clock() + DOWNLOAD_BEAT_S
    for chunk in chunks:
        yield chunk
        if clock() >= next_beat:
            next_beat = clock() + DOWNLOAD_BEAT_S
            beat()


def _opened_renderer(farm: Farm, visit: Visit, *, job: int) -> Input:
    wanted = leased_job(farm, visit.session.machine_id, JobId(job)).spec.get("renderer_version", "")
    return open_renderer(farm, pick(renderers_for(farm, visit.told.system, visit.told.bits), wanted))


def _opened_project(farm: Farm, visit: Visit, *, job: int, revision: str | None) -> Input:
    """Open a job's archive; clients until 2016-10 name the revision that they were told, later ones none."""
    wanted = int(revision) if revision is not None and re.fullmatch("[0-9]{1,9}", revision) else None
    return open_archive(farm, visit.session.machine_id, JobId(job), wanted)


def _opened_chunk(farm: Farm, visit: Visit, *, chunk: str) -> Input:
    return open_chunk(farm, visit.session.machine_id, chunk)


# Frames and errors ---------------------------------------------------------------------------------------------------


async def _validate(room: Room, request: Request) -> Response:
    """Take a frame in (section 8): late, twice, or after its task went to others."""
    farm = room.farm
    query = wire.read_pairs(request.scope["query_string"])
    visit = await _visit(room, request, query)
    try:
        async with multipart.spooled_file(request, farm) as (spooled, fields):
            sent = wire.FrameUpload.from_pairs({**fields, **query})
            receipt = await judged(_submitted, farm, visit, sent, spooled)
    except TooLarge as error:
        await run_in_threadpool(_given_up_as_too_large, farm, visit, query, error)
        raise
    _log.info("wire=sheepit request=jobvalidate job=%d frame=%s verdict=%s", sent.job, sent.frame, receipt.verdict)
    if receipt.verdict is Verdict.INVALID:
        raise _fault(receipt)
    return _xml(wire.ValidationAnswer().to_xml())


def _given_up_as_too_large(farm: Farm, visit: Visit, query: wire.Pairs, error: TooLarge) -> None:
    """Free the task of a frame that will never fit; its client does not send it again, and may not say so."""
    with suppress(MissingParameter, NotFound):
        sent = wire.FrameUpload.from_pairs(query)
        held = _wanted(farm, visit, sent.job, sent.frame_number, sent.extras).held
        give_up(farm, held, f"Its frame is too large: {error}", failed=True)


def _submitted(farm: Farm, visit: Visit, sent: wire.FrameUpload, spooled: Spooled) -> Receipt:
    wanted = _wanted(farm, visit, sent.job, sent.frame_number, sent.extras)
    told = {"seconds": sent.rendertime_s, "memory_kib": sent.memory_kib, "cores": sent.cores,
            "samples_a_second": sent.speedsamples}
    return submit_wanted(farm, wanted, spooled, {name: value for name, value in told.items() if value is not None})


_FAULTS: dict[Soundness, type[BadResult]] = {
    Soundness.UNDECODABLE: UndecodablePicture,
    Soundness.WRONG_SIZE: WrongDimensions,
}


def _fault(receipt: Receipt) -> BadResult:
    return _FAULTS.get(receipt.soundness, BrokenPicture)(receipt.reason)


async def _error(room: Room, request: Request) -> Response:
    """Keep a client's log and free its task at once (section 9); type 0 comes at each log-in and is no error."""
    farm = room.farm
    query = wire.read_pairs(request.scope["query_string"])
    visit = await _visit(room, request, query)
    tail = multipart.Tail(farm.settings.log_limit_bytes)
    form = await multipart.read_form(request, tail, farm.settings.result_limit_bytes)
    report = wire.ErrorReport.from_pairs({**form.fields, **query})
    _log.info("wire=sheepit request=error type=%s job=%s frame=%s", report.type, report.job, report.frame)
    if report.is_failure:
        await run_in_threadpool(_given_up, farm, visit, report, tail.value())
    return _xml(wire.ErrorAnswer().to_xml())


def _given_up(farm: Farm, visit: Visit, report: wire.ErrorReport, log: bytes) -> None:
    held = _reported(farm, visit, report)
    if not held:
        return
    digest = _kept_log(farm, log) if log else None
    reason = f"The client reported {_words(report.type)}."
    for one in held:
        if seconds := wire.KEPT_OFF_S.get(report.type):
            keep_off(farm, one, seconds)
        give_up(farm, one, reason, failed=report.type not in wire.NOT_THE_TASKS_FAULT, log=digest)


def _reported(farm: Farm, visit: Visit, report: wire.ErrorReport) -> list[Holding]:
    """Return the leases that a report is about; clients of 2015 that could not read their job do not name it."""
    if report.job is None or report.frame_number is None:
        return rendering(farm, visit.session)
    return [_wanted(farm, visit, report.job, report.frame_number, report.extras).held]


def _kept_log(farm: Farm, log: bytes) -> str:
    with Spool(farm.spool_folder, farm.settings.log_limit_bytes) as spool:
        spool.write(log)
        return keep_log(farm, spool.finish())


def _words(number: int | None) -> str:
    if number is None:
        return "an error without a type"
    known = number in set(wire.ErrorType)
    return f"error {number}" + (f", {wire.ErrorType(number).name.lower().replace('_', ' ')}" if known else "")


# Figures -------------------------------------------------------------------------------------------------------------


async def _last_frame(room: Room, request: Request) -> Response:
    visit = await _visit(room, request, await _pairs(request))
    media_type, picture = await run_in_threadpool(open_last_picture, room.farm, visit.session.machine_id)
    return file_response(picture, media_type)


async def _credits(room: Room, request: Request) -> Response:
    visit = await _visit(room, request, await _pairs(request))
    earned = await run_in_threadpool(earned_in_session, room.farm, visit.session.id)
    return Response(str(earned // 1000), media_type="text/plain; charset=utf-8")


async def _speedtest(room: Room, request: Request) -> Response:
    """Thank for measurements that this farm does not ask for; anything but 200 ends a client of 2022."""
    await multipart.read_small(request, wire.MAX_PAIRS_BYTES)
    del room
    return _xml(b"<speedtest status=\"0\"/>")


_ENDPOINTS: dict[Endpoint, tuple[RequestKind, _Answer]] = {
    Endpoint.VALIDATE_JOB: (RequestKind.VALIDATION, _validate),
    Endpoint.REQUEST_JOB: (RequestKind.JOB, _request_job),
    Endpoint.DOWNLOAD_ARCHIVE: (RequestKind.DOWNLOAD, _download_archive),
    Endpoint.ERROR: (RequestKind.ERROR, _error),
    Endpoint.LOGOUT: (RequestKind.LOGOUT, _logout),
    Endpoint.LAST_RENDER_FRAME: (RequestKind.DOWNLOAD, _last_frame),
    Endpoint.CREDITS_EARNED: (RequestKind.DOWNLOAD, _credits),
    Endpoint.DOWNLOAD_BINARY: (RequestKind.DOWNLOAD, _download_binary),
    Endpoint.DOWNLOAD_CHUNK: (RequestKind.DOWNLOAD, _download_chunk),
    Endpoint.SPEEDTEST_ANSWER: (RequestKind.DOWNLOAD, _speedtest),
    Endpoint.KEEPALIVE: (RequestKind.HEARTBEAT, _heartbeat),
}
