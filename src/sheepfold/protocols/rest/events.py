"""What happens, as it happens: a stream of server-sent events."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from sheepfold.farm.browse import newest_event_id
from sheepfold.farm.farm import Farm
from sheepfold.farm.feed import Feed
from sheepfold.farm.sight import Viewer
from sheepfold.model.errors import NotAllowed
from sheepfold.model.events import Event
from sheepfold.model.jobs import JobId
from sheepfold.protocols.bell import Bell
from sheepfold.protocols.listener import Listener
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.callers import FarmHere, Token, caller_of
from sheepfold.protocols.rest.sight import ViewerHere

QUIET_S = 15.0
"""After this long without an event comes a comment, so that nothing between thinks the line dead."""

router = APIRouter(tags=["events"])
_STREAM: dict[int | str, dict[str, Any]] = {200: {
    "description": "Events without end, oldest first; each one's data is an EventOut.",
    "content": {wire.EVENTS_MEDIA_TYPE: {"schema": {"type": "string"}}},
}}


async def listener_of(farm: FarmHere, token: Token, viewer: ViewerHere) -> Listener:
    """Return who hears a stream, by key or by session."""
    return Listener(viewer, partial(_looked_up, farm, token, viewer.shares))


ListenerHere = Annotated[Listener, Depends(listener_of)]


@router.get("/events", response_class=StreamingResponse, responses=_STREAM, summary="Follow what happens")
async def get_events(
    request: Request, farm: FarmHere, listener: ListenerHere,
    after: Annotated[int | None, Query(ge=0, le=wire.MOST_ID, description="The last event that is known.")] = None,
    job: Annotated[int | None, Query(ge=0, le=wire.MOST_ID, description="Only this job's events.")] = None,
    last_event_id: Annotated[str | None, Header(max_length=19, pattern="^[0-9]*$")] = None,
) -> StreamingResponse:
    """Follow the events after `Last-Event-ID`, or after `after`, or from now on; the stream ends when the client goes,
    and where its key or session does, or its account has another role.

    A comment comes every 15 seconds in which nothing happens.
    """
    known = min(int(last_event_id), wire.MOST_ID) if last_event_id else after
    start = await run_in_threadpool(newest_event_id, farm) if known is None else known
    bell: Bell = request.app.state.bell
    frames = _frames(farm, bell, listener, start, None if job is None else JobId(job))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(frames, headers=headers, media_type=wire.EVENTS_MEDIA_TYPE)


async def _frames(farm: Farm, bell: Bell, listener: Listener, after: int, job_id: JobId | None
                  ) -> AsyncIterator[bytes]:
    def is_mine(event: Event) -> bool:
        return job_id is None or event.job_id == job_id

    yield b": sheepfold\n\n"
    async with bell.ear(is_mine) as ear:
        feed = await run_in_threadpool(Feed, farm, after, job_id, listener.viewer)
        while not farm.closing.is_set():
            events = await run_in_threadpool(feed.next)
            if not await listener.is_as_before():
                return
            for event in events:
                yield wire.encode_event(wire.EventOut.of(event))
            if not events and not await ear.wait(QUIET_S):
                yield b": quiet\n\n"


def _looked_up(farm: Farm, token: str, shares: tuple[str, ...]) -> Viewer | None:
    try:
        return Viewer(caller_of(farm, token).account, shares)
    except NotAllowed:
        return None
