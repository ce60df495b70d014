"""Standing: the figures that SheepIt's clients show, and the last picture of a machine."""

from dataclasses import dataclass

from sheepfold.farm.dispatch import Input, open_blob
from sheepfold.farm.farm import Farm
from sheepfold.model.credit import Millipoints
from sheepfold.model.errors import UnknownBlob
from sheepfold.model.machines import MachineId, Session, SessionId
from sheepfold.store import standing as standing_rows


@dataclass(frozen=True, slots=True)
class Standing:
    """What a session has earned and its account has, and how busy the farm is with one kind."""

    earned_in_session: Millipoints
    earned_in_all: Millipoints
    tasks_open: int
    jobs_running: int
    jobs_with_openings: int
    machines_connected: int


def standing(farm: Farm, session: Session, kind: str) -> Standing:
    """Return the figures for a session, as they were a while ago."""
    bustle = farm.outlook.bustle.of(kind)
    return Standing(
        earned_in_session=earned_in_session(farm, session.id),
        earned_in_all=farm.outlook.earned_by.of(session.account_id),
        tasks_open=bustle.work.tasks_open,
        jobs_running=bustle.work.jobs,
        jobs_with_openings=bustle.work.jobs_with_openings,
        machines_connected=bustle.machines,
    )


def earned_in_session(farm: Farm, session_id: SessionId) -> Millipoints:
    """Return what a session has earned, a while ago."""
    return farm.outlook.earned_in.of(session_id)


def open_last_picture(farm: Farm, machine_id: MachineId) -> tuple[str, Input]:
    """Open the newest valid picture of a machine; returns its media type too. Raises UnknownBlob."""
    found = farm.db.read(lambda tx: standing_rows.last_picture(tx, machine_id))
    if found is None:
        raise UnknownBlob("This machine has made no picture yet.")
    return found[1], open_blob(farm, found[0])
