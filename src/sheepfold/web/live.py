"""The live stream of the pages: which jobs have changed, as server-sent events."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from sheepfold.farm import browse, people
from sheepfold.farm.farm import Farm
from sheepfold.farm.feed import Feed
from sheepfold.farm.sight import Viewer
from sheepfold.model.events import Event
from sheepfold.protocols.bell import Bell
from sheepfold.protocols.listener import Listener
from sheepfold.protocols.visitors import viewer_of
from sheepfold.web.frame import VISITOR, Visit, page_route, token_of

KEEP_ALIVE_S = 15
"""A comment is sent after this silence, so that proxies keep the connection, and a reader that went away is noticed."""


def routes(farm: Farm) -> list[BaseRoute]:
    """Return the route of the stream."""
    bell = Bell(farm)

    async def stream(visit: Visit) -> Response:
        start = await _start(farm, visit.request)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        listener = Listener(visit.viewer, partial(_looked_up, visit) if visit.visitor else None)
        lines = _lines(farm, bell, listener, start)
        return StreamingResponse(lines, media_type="text/event-stream", headers=headers)

    return [page_route(farm, "/events", stream, VISITOR)]


async def _start(farm: Farm, request: Request) -> int:
    """Return the event after which a reader wants to hear: what it heard last, what its page was made of, or now."""
    asked = request.headers.get("last-event-id") or request.query_params.get("after", "")
    if asked.isdecimal() and len(asked) < 19:
        return int(asked)
    return await run_in_threadpool(browse.newest_event_id, farm)


async def _lines(farm: Farm, bell: Bell, listener: Listener, after: int) -> AsyncIterator[str]:
    async with bell.ear(lambda _: True) as ear:
        feed = await run_in_threadpool(Feed, farm, after, None, listener.viewer)
        while not farm.closing.is_set():
            events = await run_in_threadpool(feed.next)
            if not await listener.is_as_before():
                return
            # Only the last line has the id: whoever loses the stream between two of them hears all of them again.
            lines = [f"data: {json.dumps(change)}\n" for change in _changes(events)]
            if lines:
                yield "\n".join(lines) + f"id: {events[-1].id}\n\n"
            if not events and not await ear.wait(KEEP_ALIVE_S):
                yield ": still here\n\n"


def _looked_up(visit: Visit) -> Viewer:
    return viewer_of(people.find_visitor(visit.farm, token_of(visit)), visit.request)


def _changes(events: Sequence[Event]) -> Iterator[dict[str, object]]:
    """Say which jobs changed, and which tasks of them."""
    for job_id in dict.fromkeys(one.job_id for one in events):
        tasks = dict.fromkeys(one.task_id for one in events if one.job_id == job_id and one.task_id is not None)
        yield {"job": job_id, "tasks": list(tasks)}
