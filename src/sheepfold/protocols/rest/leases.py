"""What machines ask: sessions, leases, inputs, heartbeats, results."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from sheepfold.blobs.spool import Spooled
from sheepfold.farm.accounts import key_verifier
from sheepfold.farm.dispatch import (
    Assignment,
    Input,
    Maker,
    claim_task,
    close_session,
    give_up,
    granted_before,
    heartbeat,
    held_lease,
    named,
    open_session,
    read_input,
)
from sheepfold.farm.farm import Farm
from sheepfold.farm.intake import Receipt, submit_result
from sheepfold.farm.keeping import keep_log
from sheepfold.farm.rules import wish_for
from sheepfold.model.events import Event
from sheepfold.model.matching import Abilities
from sheepfold.model.tasks import LeaseId, Verdict
from sheepfold.protocols.bell import MAKES_WORK, Bell
from sheepfold.protocols.direct import judged
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.bodies import JsonRoute, checked_upload, spooled_tail
from sheepfold.protocols.rest.callers import FarmHere, KeyHolderHere, Token, Worker, WorkerHere, worker_of
from sheepfold.protocols.rest.errors import refused_result
from sheepfold.protocols.rest.files import FILE
from sheepfold.protocols.rest.machine_wire import MachineRules, WishOut
from sheepfold.protocols.rest.paths import IdInPath
from sheepfold.protocols.uploads import answer_file

ANYWAY_S = 10.0
"""How often a request that is held asks again though nothing rang: upkeep wakes lanes without telling of it."""

router = APIRouter(tags=["machines"], route_class=JsonRoute)
uploads = APIRouter(tags=["machines"])

LeaseInPath = Annotated[IdInPath, Path(ge=0, le=wire.MOST_ID, description="The lease's id.")]
InputInPath = Annotated[str, Path(pattern=wire.INPUT_NAME, description="The input's name, as the lease lists it.")]
_BYTES = {"requestBody": {"required": True, "content": {
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}
_LOG = {"requestBody": {"required": False, "content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.post("/sessions", status_code=201, summary="Open a session for the key's machine")
def add_session(farm: FarmHere, token: Token, holder: KeyHolderHere, asked: wire.SessionAsked) -> wire.SessionOpened:
    """Tell what the machine can do, and get the token that its further requests carry instead of the key.

    Sessions do not end by time; one ends when its key is revoked, or by `DELETE /sessions/current`.
    """
    maker = Maker(holder.machine.id, holder.account.id, wire.PROTOCOL)
    session = open_session(farm, maker, asked.abilities.model_dump_json(), key_verifier(token))
    return wire.SessionOpened(
        session=session,
        machine=holder.machine.name,
        account=holder.account.name,
        lease_term_s=farm.settings.lease_term_s,
        claim_wait_limit_s=min(farm.settings.claim_wait_limit_s, wire.MOST_WAIT_S),
        retry_s=farm.settings.retry_s,
    )


@router.get("/sessions/current", summary="Ask what this machine is told")
def get_wish(farm: FarmHere, worker: WorkerHere) -> WishOut:
    """Ask what the machine's owner wishes of it now: to work, pause or stop, and when it may work at all."""
    wish = wish_for(farm, worker.session)
    return WishOut(command=wish.command, rules=MachineRules.of(wish.rules))


@router.delete("/sessions/current", status_code=204, summary="End this session")
def end_session(farm: FarmHere, worker: WorkerHere) -> None:
    """End the session; what it still holds goes back to the farm at once."""
    close_session(farm, worker.session)


@router.post(
    "/leases",
    status_code=201,
    response_model=wire.LeaseGranted,
    summary="Ask for a task",
    responses={204: {"description": "There is nothing to do now; Retry-After says when to ask again."}},
)
async def add_lease(
    request: Request, farm: FarmHere, token: Token, worker: WorkerHere, asked: wire.LeaseAsked | None = None
) -> wire.LeaseGranted | Response:
    """Get a lease on the best task that the machine can do: it may make it until the deadline.

    With `wait_s` the request is held for up to that many seconds in the hope of work. One that never got its answer is
    sent once more with its `name` and `again`: so a lease that it was granted is not lost.
    """
    wish = asked or wire.LeaseAsked()
    abilities = worker.abilities if wish.abilities is None else wish.abilities.to_model()
    wait_s = min(wish.wait_s, farm.settings.claim_wait_limit_s)
    granted = await run_in_threadpool(_claimed, farm, worker, abilities, wish)
    if granted is None and wait_s:
        granted = await _awaited(request, token, abilities, wait_s, named(wish.name))
    if granted is None:
        retry_s = 1 if wait_s else farm.settings.retry_s
        return Response(status_code=204, headers={"Retry-After": str(retry_s)})
    return granted_lease(granted)


def _claimed(farm: Farm, worker: Worker, abilities: Abilities, wish: wire.LeaseAsked) -> Assignment | None:
    term_s = farm.settings.lease_term_s
    if wish.again and (granted := granted_before(farm, worker.maker, wish.name, term_s)):
        return granted
    return claim_task(farm, worker.maker, abilities, term_s, named(wish.name))


async def _awaited(
    request: Request, token: str, abilities: Abilities, wait_s: int, figures: Mapping[str, str]
) -> Assignment | None:
    """Claim again whenever there may be work, until there is some, the time is up or the client has gone."""
    farm: Farm = request.app.state.farm
    bell: Bell = request.app.state.bell
    clock = asyncio.get_running_loop()
    ends_at = clock.time() + wait_s
    async with bell.ear(_makes_work) as ear:
        while not farm.closing.is_set() and not await request.is_disconnected():
            granted = await run_in_threadpool(_claimed_again, farm, token, abilities, figures)
            left_s = ends_at - clock.time()
            if granted is not None or left_s <= 0:
                return granted
            await ear.wait(min(left_s, ANYWAY_S))
    return None


def _claimed_again(farm: Farm, token: str, abilities: Abilities, figures: Mapping[str, str]) -> Assignment | None:
    """Claim for a request that is held; raises SessionEnded where its session ended meanwhile, or its key did."""
    return claim_task(farm, worker_of(farm, token).maker, abilities, farm.settings.lease_term_s, figures)


def granted_lease(granted: Assignment) -> wire.LeaseGranted:
    """Write a lease that was granted, with all that its machine must know."""
    job = granted.job
    return wire.LeaseGranted(
        lease=granted.lease_id,
        task=granted.task_id,
        job=job.id,
        title=job.title,
        kind=job.kind,
        spec=dict(job.spec),
        frame=granted.frame,
        part=granted.part,
        deadline_at=granted.deadline_at,
        term_s=granted.term_s,
        inputs=dict(job.inputs),
        has_input=granted.input is not None,
    )


@router.get("/leases/{lease_id}/input", response_class=Response, responses=FILE, summary="Fetch the task's own file")
async def get_task_input(request: Request, farm: FarmHere, worker: WorkerHere, lease_id: LeaseInPath) -> Response:
    """Fetch the file that was made for this task alone, such as a frame's genome; 404 where there is none."""
    return answer_file(request, await run_in_threadpool(_input, farm, worker, lease_id), _BINARY)


@router.get("/leases/{lease_id}/inputs/{name}", response_class=Response, responses=FILE,
            summary="Fetch one of the job's files")
async def get_input(
    request: Request, farm: FarmHere, worker: WorkerHere, lease_id: LeaseInPath, name: InputInPath
) -> Response:
    """Fetch a file that all tasks of the job share; the lease tells its digest, so it may be cached for ever."""
    return answer_file(request, await run_in_threadpool(_input, farm, worker, lease_id, name), _BINARY)


_BINARY = "application/octet-stream"


def _input(farm: Farm, worker: Worker, lease_id: int, name: str = "") -> Input:
    return read_input(farm, held_lease(farm, worker.maker, LeaseId(lease_id)), name)


@router.post("/leases/{lease_id}/heartbeat", summary="Tell that the render goes on")
def beat(
    farm: FarmHere, worker: WorkerHere, lease_id: LeaseInPath, told: wire.Heartbeat | None = None
) -> wire.Deadline:
    """Move the lease's deadline on; 409 where the farm wants the task no more, and the render may stop."""
    held = held_lease(farm, worker.maker, LeaseId(lease_id))
    term_s = farm.settings.lease_term_s
    figures = {"seconds_done": told.seconds_done} if told else {}
    return wire.Deadline(deadline_at=heartbeat(farm, held, term_s, figures), term_s=term_s)


@uploads.put("/leases/{lease_id}/result", summary="Send the picture", openapi_extra=_BYTES)
async def put_result(
    request: Request, farm: FarmHere, worker: WorkerHere, lease_id: LeaseInPath,
    figures: Annotated[wire.Figures, Query()],
) -> wire.ResultReceipt:
    """Send the bytes of the picture as the body; how late it comes does not matter, and repeating it changes nothing.

    The answer is 200 for a picture that is valid, or pending until other machines made the same, and 422 with the
    receipt for one that was refused. `Content-Digest` or `X-Sha256` is checked where it is sent.
    """
    held = await run_in_threadpool(held_lease, farm, worker.maker, LeaseId(lease_id))
    told = figures.model_dump(exclude_defaults=True)
    async with checked_upload(request, farm, farm.settings.result_limit_bytes) as spooled:
        receipt = receipt_of(await judged(submit_result, farm, held, spooled, told))
    if receipt.verdict is Verdict.INVALID:
        raise refused_result(receipt)
    return receipt


def receipt_of(receipt: Receipt) -> wire.ResultReceipt:
    """Write what became of a result."""
    return wire.ResultReceipt(
        result=receipt.result_id,
        digest=receipt.digest,
        verdict=receipt.verdict,
        soundness=receipt.soundness,
        reason=receipt.reason,
        task_state=receipt.task_state,
    )


@uploads.delete("/leases/{lease_id}", status_code=204, summary="Give the task back", openapi_extra=_LOG)
async def give_back(
    request: Request, farm: FarmHere, worker: WorkerHere, lease_id: LeaseInPath,
    reason: Annotated[wire.Reason, Query(description="Why, in a sentence.")] = "",
    failed: Annotated[bool, Query(description="Whether the render failed, rather than being unwanted.")] = False,
) -> None:
    """Give a lease back, with the renderer's log as the body if there is one; of a long log the end is kept.

    A failed one uses up one of the task's attempts, one that is merely given back does not. A lease that has ended
    stays as it is.
    """
    spooled = await spooled_tail(request, farm)
    await run_in_threadpool(_given_up, farm, worker, lease_id, reason, spooled, failed=failed)


def _given_up(
    farm: Farm, worker: Worker, lease_id: int, reason: str, spooled: Spooled | None, *, failed: bool
) -> None:
    try:
        held = held_lease(farm, worker.maker, LeaseId(lease_id))
        log = None if spooled is None else keep_log(farm, spooled)
        give_up(farm, held, reason, failed=failed, log=log)
    finally:
        if spooled is not None:
            spooled.discard()


def _makes_work(event: Event) -> bool:
    return event.what in MAKES_WORK
