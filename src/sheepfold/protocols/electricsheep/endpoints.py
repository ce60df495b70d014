"""Electric Sheep's requests: decode, do, encode. Sources: seed 002 and the protocol note, whose sections are cited."""

import logging
import re
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from sheepfold.blobs.spool import Spool, Spooled
from sheepfold.farm import flock as flock_verbs
from sheepfold.farm.accounts import holder_by
from sheepfold.farm.dispatch import Assignment, Maker, claim_task, give_up, maker_named, open_blob
from sheepfold.farm.farm import Farm
from sheepfold.farm.intake import Receipt, submit_wanted
from sheepfold.kinds.flame.flam3 import animate_args
from sheepfold.kinds.flame.genome import spex
from sheepfold.model.accounts import Account
from sheepfold.model.errors import (
    BadCredentials,
    IncompleteUpload,
    SheepfoldError,
    Unavailable,
    UnknownBlob,
    UnknownSheep,
)
from sheepfold.model.flock import SheepId
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.direct import DirectRoute, at_once, judged
from sheepfold.protocols.electricsheep import wire
from sheepfold.protocols.electricsheep.credentials import (
    ANONYMOUS_HASH,
    SCHEME,
    Credentials,
    decode_basic,
)
from sheepfold.protocols.electricsheep.wire import RequestKind, Role
from sheepfold.protocols.uploads import base_url, file_response, is_small, small_body, spooled_body

PROTOCOL = "electricsheep"

ABILITIES = Abilities(
    kinds=frozenset({"flame"}),
    renderers=frozenset({Program("flam3")}),
    protocol=PROTOCOL,
)
"""What every client of this wire can do: it tells nothing of itself, and renders on one thread of its processor."""

_log = logging.getLogger(__name__)
_ID = re.compile(r"[0-9]{1,10}|[0-9A-Fa-f]{16}", re.ASCII)
"""A number or a UID, but no key or hash of one, which are longer: those must not get into a log."""
_SECRET = re.compile(r"[0-9A-Fa-f]{17,}")
"""What may be one, where a refusal repeats what was sent."""
_Answer = Callable[[Farm, Request], Awaitable[Response]]


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the routes of this wire, at the root of the application."""

    def route(path: str, kind: RequestKind, answer: _Answer, method: str = "GET") -> DirectRoute:
        made = DirectRoute(path, partial(_guarded, farm, kind, answer), methods=[method])
        if kind in {RequestKind.GET, RequestKind.VOTE} and made.methods:
            made.methods.discard("HEAD")  # which Starlette adds to GET: to look is not to claim, nor to vote
        return made

    return [
        route("/query.php", RequestKind.REDIRECT, _redirect),
        route("/cgi/list", RequestKind.LIST, _list),
        route("/cgi/get", RequestKind.GET, _get),
        route("/cgi/put", RequestKind.PUT, _put, "PUT"),
        route("/cgi/vote", RequestKind.VOTE, _vote),
        route("/cgi/vote.cgi", RequestKind.VOTE, _vote),
        route("/cgi/status.cgi", RequestKind.MEDIA, _status),
        route("/gen/{generation}/{number}/sheep.{ending}", RequestKind.MEDIA, _film),
        route("/gen/{generation}/{number}/{name}.flam3", RequestKind.MEDIA, _genome),
    ]


async def _guarded(farm: Farm, kind: RequestKind, answer: _Answer, request: Request) -> Response:
    """Answer a request, or refuse it in the wire's own terms."""
    try:
        return await answer(farm, request)
    except SheepfoldError as error:
        refusal = wire.answer_for(error, kind)
        _log.info("wire=%s request=%s%s refused=%s status=%d reason=%s", PROTOCOL, kind,
                  _ids(request), type(error).__name__, refusal.status, _SECRET.sub("…", str(error)))
        headers = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
        return Response(refusal.body, refusal.status, headers, refusal.media_type)


def _ids(request: Request) -> str:
    """Return what a refused request says of machine, sheep and frame, for the log."""
    named = {"uid": "u", "generation": "g", "sheep": "id", "job": "j"}
    said = {word: request.query_params.get(name, "") for word, name in named.items()}
    return "".join(f" {word}={value}" for word, value in said.items() if _ID.fullmatch(value))


async def _redirect(farm: Farm, request: Request) -> Response:
    asked = wire.decode_redirect_request(request.scope["query_string"])
    credentials = Credentials(asked.nick, asked.password_hash)
    role = await run_in_threadpool(_role, farm, credentials)
    answer = wire.RedirectAnswer(base_url(request, farm), role=role)
    return Response(wire.encode_redirect_answer(answer), media_type=wire.XML_MEDIA_TYPE)


def _role(farm: Farm, credentials: Credentials) -> Role:
    """Tell a client whether it is logged in; a wrong password is no 401, which would end its whole session."""
    if not credentials.nick or credentials.password_hash == ANONYMOUS_HASH:
        return Role.NONE
    return Role.ERROR if _account(farm, credentials) is None else Role.REGISTERED


def _account(farm: Farm, credentials: Credentials | None) -> Account | None:
    if credentials is None:
        return None
    try:
        account = holder_by(farm, SCHEME, [credentials.password_hash.upper()]).account
    except BadCredentials:
        return None
    return account if account.name == credentials.nick.lower() else None


async def _list(farm: Farm, request: Request) -> Response:
    wire.decode_list_request(request.scope["query_string"])
    flock = await run_in_threadpool(flock_verbs.list_flock, farm)
    base = base_url(request, farm)
    listed = tuple(
        wire.ListedSheep(
            id=one.sheep.id.number,
            first=one.sheep.first,
            last=one.sheep.last,
            size_bytes=one.size_bytes,
            url=f"{base}/gen/{flock.generation}/{one.sheep.id.number}/sheep.avi",
            time=one.made_at,
            rating=one.sheep.rating,
        )
        for one in flock.sheep
    )
    body = await run_in_threadpool(wire.encode_flock, wire.Flock(flock.generation, *flock.size, listed))
    return Response(body, media_type=wire.GZIP_MEDIA_TYPE)


async def _get(farm: Farm, request: Request) -> Response:
    asked = wire.decode_get_request(request.scope["query_string"])
    credentials = decode_basic(request.headers.get("authorization"))
    told = {"nick": asked.nick, "credit_url": asked.url, "version": asked.version}
    body = await at_once(_ordered, farm, asked.uid, credentials, {k: v for k, v in told.items() if v})
    return Response(body, media_type=wire.GZIP_MEDIA_TYPE)


def _ordered(farm: Farm, uid: str, credentials: Credentials | None, told: dict[str, str]) -> bytes:
    account = _account(farm, credentials) or farm.anonymous
    known = maker_named(farm, account.id, machine_name(uid), PROTOCOL)
    maker = Maker(known.machine_id, account.id, PROTOCOL, is_proven=False)  # a UID is neither secret nor unique
    granted = claim_task(farm, maker, ABILITIES, farm.settings.silent_lease_term_s, told)
    if granted is None:
        generation = flock_verbs.living_generation(farm)
        return wire.encode_get_answer(wire.NoWork(generation, farm.settings.retry_s, "There is nothing to render now."))
    try:
        return wire.encode_get_answer(_frame_order(farm, granted))
    except SheepfoldError as error:  # given back, as failed where its job is to blame: the client never hears of it
        is_its_own_fault = not isinstance(error, Unavailable)
        give_up(farm, granted.held_by(maker), f"Its genome cannot be sent: {error}", failed=is_its_own_fault)
        raise


def _frame_order(farm: Farm, granted: Assignment) -> wire.FrameOrder:
    """Write an order: with one part a frame all numbers are the frame's, with several `job` alone tells them apart."""
    sheep = flock_verbs.find_sheep(farm, granted.job.id)
    if sheep is None or granted.input is None:
        raise UnknownSheep(f"Job {granted.job.id} is no sheep.")
    parts = granted.job.spec["parts"]
    is_whole = parts == 1
    return wire.FrameOrder(
        generation=sheep.generation,
        sheep=sheep.number,
        job=granted.frame * parts + granted.part,
        genome=b"".join(open_blob(farm, granted.input).chunks),
        args=animate_args(granted.job.spec, granted.frame, granted.part),
        frame=granted.frame if is_whole else None,
        time=granted.frame if is_whole else None,
    )


async def _put(farm: Farm, request: Request) -> Response:
    asked = wire.decode_put_request(request.scope["query_string"])
    if is_small(request, farm.settings.result_limit_bytes):
        async with small_body(request) as picture:
            receipt = await judged(_spooled, farm, asked, picture)
    else:
        async with spooled_body(request, farm, farm.settings.result_limit_bytes) as spooled:
            receipt = await judged(_submitted, farm, asked, spooled)
    _log.info("wire=%s request=put sheep=%d job=%d verdict=%s", PROTOCOL, asked.sheep, asked.job, receipt.verdict)
    return Response(wire.PUT_ACCEPTED, media_type=wire.XML_MEDIA_TYPE)


def _spooled(farm: Farm, asked: wire.PutRequest, picture: bytes) -> Receipt:
    with Spool(farm.spool_folder, len(picture)) as spool:
        spool.write(picture)
        return _submitted(farm, asked, spool.finish())


def _submitted(farm: Farm, asked: wire.PutRequest, spooled: Spooled) -> Receipt:
    """Find the lease by UID, generation, sheep and job, since this wire carries no other name of it."""
    if spooled.size_bytes != asked.size_bytes:
        raise IncompleteUpload(f"{asked.size_bytes} bytes were announced, {spooled.size_bytes} came.")
    sheep_id = SheepId(asked.generation, asked.sheep)
    wanted = flock_verbs.lease_on_sheep(farm, machine_name(asked.uid), sheep_id, asked.job)
    return submit_wanted(farm, wanted, spooled)


async def _vote(farm: Farm, request: Request) -> Response:
    asked = wire.decode_vote_request(request.scope["query_string"])
    address = request.client.host if request.client else ""
    credentials = decode_basic(request.headers.get("authorization"))
    counts = await run_in_threadpool(_voted, farm, asked, credentials, address)
    said = "Your vote was counted." if counts else "Too many votes came from your network today; yours was not counted."
    return Response(f"{said}\n", media_type="text/plain; charset=utf-8")


def _voted(farm: Farm, asked: wire.VoteRequest, credentials: Credentials | None, address: str) -> bool:
    """Vote as an account, else as a player of whom nothing is known; say whether the vote counts."""
    account = _account(farm, credentials)
    if account is None:
        return flock_verbs.vote_from(farm, address, asked.sheep, asked.uid, asked.vote)
    flock_verbs.vote_as(farm, account, asked.sheep, asked.vote)
    return True


async def _status(farm: Farm, request: Request) -> Response:
    """Say how the flock does, for people whose client leads them here."""
    flock = await run_in_threadpool(flock_verbs.list_flock, farm)
    best = max(flock.sheep, key=lambda one: one.sheep.rating, default=None)
    liked = f" Best liked: sheep {best.sheep.id.number}, rated {best.sheep.rating}." if best else ""
    text = f"Generation {flock.generation}: {len(flock.sheep)} sheep can be played.{liked}\n"
    return Response(text, media_type="text/plain; charset=utf-8")


_NUMBER = re.compile(r"[0-9]{1,5}", re.ASCII)
_FILMS = {"avi": "film.avi", "mp4": "film.mp4"}


async def _film(farm: Farm, request: Request) -> Response:
    name = _FILMS.get(request.path_params["ending"])
    if name is None:
        raise UnknownBlob(f"Sheep are offered as {' and '.join(_FILMS)}.")
    media_type, film = await run_in_threadpool(flock_verbs.open_film, farm, _sheep_id(request), name)
    return file_response(film, media_type)


async def _genome(farm: Farm, request: Request) -> Response:
    """Offer a sheep's genome under the name that archives have kept it by: electricsheep.G.ID, five digits of ID."""
    sheep = _sheep_id(request)
    if request.path_params["name"] != f"electricsheep.{sheep.generation}.{sheep.number:05d}":
        raise UnknownBlob(f"There is no genome {request.path_params['name'][:80]!r}.")
    return Response(await run_in_threadpool(_spex, farm, sheep), media_type="application/xml")


def _spex(farm: Farm, sheep: SheepId) -> bytes:
    genomes = flock_verbs.read_genomes(farm, sheep)
    return spex(genomes, len(genomes))


def _sheep_id(request: Request) -> SheepId:
    generation, number = request.path_params["generation"], request.path_params["number"]
    if not (_NUMBER.fullmatch(generation) and _NUMBER.fullmatch(number)):
        raise UnknownSheep(f"There is no sheep {number[:20]!r} in generation {generation[:20]!r}.")
    return SheepId(int(generation), int(number))


def machine_name(uid: str) -> str:
    """Return the name of the machine that a UID is; anybody may send any UID, so it opens only its own leases."""
    return f"es-{uid.lower()}"
