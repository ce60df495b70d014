"""A feed of events for one reader, that misses none."""

from sheepfold.farm.farm import Farm
from sheepfold.farm.sight import Viewer, hidden, may_see
from sheepfold.model.events import Event
from sheepfold.model.jobs import JobId
from sheepfold.store import events as event_rows

OVERLAP = 100
"""How many ids are looked at again each time: on PostgreSQL a transaction may commit later than one of a higher id."""

AT_A_TIME = 200


class Feed:
    """The events after an id, of one job or of all, each once, in about the order in which they happened.

    Where a viewer is named, what they may not see is left out; the farm itself, which names none, sees all.
    """

    def __init__(self, farm: Farm, after: int, job_id: JobId | None = None, viewer: Viewer | None = None) -> None:
        self._farm = farm
        self._job_id = job_id
        self._viewer = viewer
        self._last = after
        self._seen = {event.id for event in self._read() if event.id <= after}

    def next(self) -> list[Event]:
        """Return what has happened since the last call; empty when nothing has, or nothing that the viewer may see."""
        while fresh := self._fresh():
            if seen := self._seen_of(fresh):
                return seen
        return []

    def _fresh(self) -> list[Event]:
        events = [event for event in self._read() if event.id not in self._seen]
        self._last = max((event.id for event in events), default=self._last)
        self._seen = {event_id for event_id in self._seen if event_id > self._last - OVERLAP}
        self._seen |= {event.id for event in events}
        return events

    def _seen_of(self, events: list[Event]) -> list[Event]:
        viewer = self._viewer
        if viewer is None:
            return events
        secret = self._farm.db.read(lambda tx: {
            job_id for job_id in hidden(tx, viewer, {event.job_id for event in events})
            if not may_see(tx, viewer, job_id)})
        return [event for event in events if event.job_id not in secret]

    def _read(self) -> list[Event]:
        start = max(0, self._last - OVERLAP)
        limit = OVERLAP + AT_A_TIME
        return self._farm.db.read(lambda tx: event_rows.since(tx, start, limit, self._job_id))
