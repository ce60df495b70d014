"""A feed of events for one reader, that misses none."""

from sheepfold.farm.farm import Farm
from sheepfold.model.events import Event
from sheepfold.model.jobs import JobId
from sheepfold.store import events as event_rows

OVERLAP = 100
"""How many ids are looked at again each time: on PostgreSQL a transaction may commit later than one of a higher id."""

AT_A_TIME = 200


class Feed:
    """The events after an id, of one job or of all, each once, in about the order in which they happened."""

    def __init__(self, farm: Farm, after: int, job_id: JobId | None = None) -> None:
        self._farm = farm
        self._job_id = job_id
        self._last = after
        self._seen = {event.id for event in self._read() if event.id <= after}

    def next(self) -> list[Event]:
        """Return what has happened since the last call; empty when nothing has."""
        events = [event for event in self._read() if event.id not in self._seen]
        self._last = max((event.id for event in events), default=self._last)
        self._seen = {event_id for event_id in self._seen if event_id > self._last - OVERLAP}
        self._seen |= {event.id for event in events}
        return events

    def _read(self) -> list[Event]:
        start = max(0, self._last - OVERLAP)
        limit = OVERLAP + AT_A_TIME
        return self._farm.db.read(lambda tx: event_rows.since(tx, start, limit, self._job_id))
