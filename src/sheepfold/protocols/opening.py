"""What starts a program while somebody waits, to open a project or to sketch a genome: on threads of its own.

Pictures, pages and all other orders wait for none of it, however many drop a file or turn a knob at the same time.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar
from weakref import WeakKeyDictionary

from starlette.requests import Request

from sheepfold.kinds.registry import KINDS, optional_module_of
from sheepfold.model.errors import Overloaded
from sheepfold.protocols.direct import Executors, executor_of, judged

T = TypeVar("T")

MOST_WAITING = 200
"""How many wait or are served at once in a queue; who comes then is told to come again."""
LONGEST_WAIT_S = 120.0
"""How long somebody waits for a thread; who has waited for longer is told to come again, and often is gone."""
_GONE_S = 1.0
"""How often it is looked whether somebody who waits is still there."""
_CROWDED = "Too many wait for the farm to look into their files: try again in a few minutes."


class Queue:
    """A queue before some threads of each event loop, which only those stay in who still wait for an answer."""

    def __init__(self, name: str, share: float, least: int) -> None:
        """Have a share of the threads that the farm may have, and at least some."""
        self._name, self._share, self._least = name, share, least
        self._executors = Executors()
        self._waiting = WeakKeyDictionary[asyncio.AbstractEventLoop, int]()

    async def run(self, request: Request, deed: Callable[..., T], *args: object) -> T:
        """Run a deed on a thread when its turn comes; what has begun is brought to its end.

        Raises Overloaded where MOST_WAITING are there already, where it has waited for LONGEST_WAIT_S, and where who
        asks is gone.
        """
        loop, until = asyncio.get_running_loop(), time.monotonic() + LONGEST_WAIT_S
        if self._waiting.get(loop, 0) >= MOST_WAITING:
            raise Overloaded(_CROWDED)

        def begun() -> T:
            if time.monotonic() > until:
                raise Overloaded(_CROWDED)
            return deed(*args)

        self._waiting[loop] = self._waiting.get(loop, 0) + 1
        turn = executor_of(self._executors, self._name, self._share, self._least).submit(begun)
        watch = asyncio.create_task(_leave_with(request, turn))
        try:
            return await asyncio.wrap_future(turn)
        except asyncio.CancelledError:
            if not (watch.done() and turn.cancelled()):
                raise
            raise Overloaded(_CROWDED) from None  # nobody hears it
        finally:
            watch.cancel()
            self._waiting[loop] -= 1


_PROJECTS = Queue("opening", 0.125, 3)  # two have a Blender open, and one has answers for who needs none after all
_SKETCHES = Queue("sketching", 0.03, 2)


async def ordered(request: Request, kind: str, deed: Callable[..., T], *args: object) -> T:
    """Run what is done with an order of a kind on a thread: as `opened` where the kind completes orders by their files.

    Raises Overloaded as that does.
    """
    is_completed = kind in KINDS and optional_module_of(kind, "complete") is not None
    return await (opened(request, deed, *args) if is_completed else judged(deed, *args))


async def opened(request: Request, deed: Callable[..., T], *args: object) -> T:
    """Run what may wait minutes for a program that opens a project; raises Overloaded as `Queue.run` does."""
    return await _PROJECTS.run(request, deed, *args)


async def sketched(request: Request, deed: Callable[..., T], *args: object) -> T:
    """Run what renders a small picture for somebody who waits; raises Overloaded as `Queue.run` does."""
    return await _SKETCHES.run(request, deed, *args)


async def _leave_with(request: Request, turn: Future[T]) -> None:
    """Cancel somebody's turn when they are gone before it has come."""
    while not (turn.running() or turn.done()):
        await asyncio.sleep(_GONE_S)
        if await request.is_disconnected():
            turn.cancel()
