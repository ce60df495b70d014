"""The short way for the few requests that a farm lives on: past the framework's wrappers, over threads of our own.

Of the event loop's time a fifth went into handing deeds to the framework's threads, and a seventh into the wrappers
around its routes and its application (docs/decisions/0015-short-ways.md, docs/decisions/0024-straight.md).
"""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TypeVar
from weakref import WeakKeyDictionary

from anyio import to_thread
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

T = TypeVar("T")
Executors = WeakKeyDictionary[asyncio.AbstractEventLoop, Executor]
_AT_ONCE, _JUDGING, _SHRINKING = Executors(), Executors(), Executors()


class DirectRoute(Route):
    """A route that calls its endpoint and its answer; whoever calls it answers what either raises."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Route."""
        if self.methods and scope["method"] not in self.methods:
            await super().handle(scope, receive, send)
            return
        answer = await self.endpoint(Request(scope, receive))
        await answer(scope, receive, send)


class ShortWays:
    """Takes requests of direct routes to them at once, and all others, and whatever is odd, to the application."""

    def __init__(self, routes: Iterable[BaseRoute], application: ASGIApp) -> None:
        direct = [route for route in routes if isinstance(route, DirectRoute)]
        self._named = {route.path: route for route in direct if not route.param_convertors}
        self._patterns = [route for route in direct if route.param_convertors]
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and scope["query_string"].isascii():
            named = self._named.get(scope["path"])
            for route in self._patterns if named is None else (named,):
                match, found = route.matches(scope)
                if match is Match.FULL:
                    scope.update(found)
                    await route.handle(scope, receive, send)
                    return
        await self._application(scope, receive, send)


async def at_once(deed: Callable[..., T], *args: object) -> T:
    """Run what waits for the database alone on a thread."""
    return await _run(_AT_ONCE, "at-once", 1.0, deed, *args)


async def judged(deed: Callable[..., T], *args: object) -> T:
    """Run what waits for an inspection on a thread, so that others are left for requests that wait for none."""
    return await _run(_JUDGING, "judging", 0.75, deed, *args)


async def shrunk(deed: Callable[..., T], *args: object) -> T:
    """Run what makes smaller pictures on one of a few threads: whoever asks for those waits for each other."""
    return await _run(_SHRINKING, "shrinking", 0.05, deed, *args)


async def _run(kept: Executors, name: str, share: float, deed: Callable[..., T], *args: object) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor_of(kept, name, share), partial(deed, *args))


def executor_of(kept: Executors, name: str, share: float, least: int = 1) -> Executor:
    """Return an executor of the loop's, made for a share of the threads that the farm may have."""
    loop = asyncio.get_running_loop()
    executor = kept.get(loop)
    if executor is None:
        size = max(least, int(to_thread.current_default_thread_limiter().total_tokens * share))
        executor = kept[loop] = ThreadPoolExecutor(size, thread_name_prefix=name)
    return executor
