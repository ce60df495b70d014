"""Heartbeats for all leases that the worker holds, from a thread of their own."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Link, Work

LONGEST_INTERVAL_S = 60.0
SHORTEST_INTERVAL_S = 0.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Watched:
    work: Work
    since: float
    due_at: float
    on_unwanted: Callable[[], None]


class Pulse:
    """Keeps leases alive, from their first beat on until they are forgotten."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._changed = threading.Condition()
        self._watched: dict[str, _Watched] = {}
        self._is_ended = False
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def watch(self, name: str, work: Work, on_unwanted: Callable[[], None] = lambda: None) -> None:
        """Beat for a lease, which the caller calls `name`; `on_unwanted` is called when the farm wants it no more."""
        now = time.monotonic()
        with self._changed:
            self._watched[name] = _Watched(work, now, now + interval_s(work.term_s), on_unwanted)
            self._changed.notify()

    def forget(self, name: str) -> None:
        """Beat no more for a lease."""
        with self._changed:
            self._watched.pop(name, None)

    def end(self) -> None:
        """End the thread, which may be waiting for an answer still."""
        with self._changed:
            self._is_ended = True
            self._changed.notify()

    def _run(self) -> None:
        while (name := self._next_due()) is not None:
            with self._changed:
                watched = self._watched.get(name)
            if watched is None:
                continue
            is_wanted = self._beat(watched)
            self._note(name, watched, is_wanted=is_wanted)
            if not is_wanted:
                watched.on_unwanted()

    def _next_due(self) -> str | None:
        """Wait for the next lease that is due; None at the end."""
        with self._changed:
            while not self._is_ended:
                name = min(self._watched, key=lambda one: self._watched[one].due_at, default=None)
                left_s = None if name is None else self._watched[name].due_at - time.monotonic()
                if name is not None and left_s is not None and left_s <= 0:
                    return name
                self._changed.wait(left_s)
        return None

    def _beat(self, watched: _Watched) -> bool:
        """Tell the farm; a farm that cannot be reached is no word against the task."""
        work, seconds_done = watched.work, int(time.monotonic() - watched.since)
        try:
            is_wanted = self._link.heartbeat(work, seconds_done)
        except (FarmUnreachable, FarmRefused) as error:
            _log.info("heartbeat_failed lease=%s error=%s", work.handle, error)
            return True
        except Exception:  # noqa: BLE001 -- one lease's trouble is not all leases'
            _log.exception("heartbeat_failed lease=%s", work.handle)
            return True
        if not is_wanted:
            _log.info("unwanted lease=%s seconds_done=%d", work.handle, seconds_done)
        return is_wanted

    def _note(self, name: str, watched: _Watched, *, is_wanted: bool) -> None:
        due_at = time.monotonic() + interval_s(watched.work.term_s)
        with self._changed:
            if self._watched.get(name) is not watched:
                return
            if is_wanted:
                self._watched[name] = replace(watched, due_at=due_at)
            else:
                del self._watched[name]


def interval_s(term_s: int) -> float:
    """Return the seconds between two heartbeats: three a term, so that one may be lost."""
    return min(max(term_s / 3, SHORTEST_INTERVAL_S), LONGEST_INTERVAL_S)
