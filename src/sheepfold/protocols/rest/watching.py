"""Watching a job from afar: look, tell of changes, and look again until it has ended."""

import time
from collections.abc import Callable

from sheepfold.protocols.rest.wire import JobDetail

POLL_S = 1.0


def watch(look: Callable[[], JobDetail], on_change: Callable[[JobDetail], None] | None, timeout_s: float | None,
          pause: Callable[[float], None]) -> JobDetail:
    """Wait until a job has ended and the house has made what it makes of it; returns the job.

    `on_change` is called with the job at first and whenever it has changed. After `timeout_s` the job is returned as it
    then is.
    """
    ends_at = None if timeout_s is None else time.monotonic() + timeout_s
    known: JobDetail | None = None
    while True:
        job = look()
        if job != known and on_change is not None:
            on_change(job)
        if job.is_finished or (ends_at is not None and time.monotonic() >= ends_at):
            return job
        known = job
        pause(POLL_S)
