"""A feed of events for one reader, that misses none."""

from sheepfold.farm.farm import Farm
from sheepfold.farm.sight import Viewer, hidden, may_see
from sheepfold.model.events import Event
from sheepfold.model.jobs import JobId
from sheepfold.store import events as event_rows

AT_A_TIME = 200


class Feed:
    """The events after an id, of one job or of all, each once and in the order of their ids.

    Where a viewer is named, what they may not see is left out; the farm itself, which names none, sees all. Whoever
    comes back with the last id that they were told misses nothing.
    """

    def __init__(self, farm: Farm, after: int, job_id: JobId | None = None, viewer: Viewer | None = None) -> None:
        self._farm = farm
        self._job_id = job_id
        self._viewer = viewer
        self._last = after

    def next(self) -> list[Event]:
        """Return what has happened since the last call; empty when nothing has, or nothing that the viewer may see."""
        while fresh := self._fresh():
            if seen := self._seen_of(fresh):
                return seen
        return []

    def _fresh(self) -> list[Event]:
        until = self._farm.horizon.reach()
        if until <= self._last:
            return []
        events = self._farm.db.read(lambda tx: event_rows.since(tx, self._last, AT_A_TIME, self._job_id, until))
        self._last = events[-1].id if len(events) == AT_A_TIME else until
        return events

    def _seen_of(self, events: list[Event]) -> list[Event]:
        viewer = self._viewer
        if viewer is None:
            return events
        secret = self._farm.db.read(lambda tx: {
            job_id for job_id in hidden(tx, viewer, {event.job_id for event in events})
            if not may_see(tx, viewer, job_id)})
        return [event for event in events if event.job_id not in secret]
