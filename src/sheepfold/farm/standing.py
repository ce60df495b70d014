"""Standing: the figures that SheepIt's clients show, and the last picture of a machine."""

from dataclasses import dataclass

from sheepfold.farm.dispatch import Input, open_blob
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import AccountId
from sheepfold.model.credit import Millipoints
from sheepfold.model.errors import UnknownBlob
from sheepfold.model.machines import MachineId, Session, SessionId
from sheepfold.store import ledger as ledger_rows
from sheepfold.store import standing as standing_rows
from sheepfold.store.database import Tx

CONNECTED_S = 1200
"""A machine counts as connected so long after it was heard of: clients are silent for 17 minutes while they render."""


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
    """Return the figures for a session, true at this moment."""

    def read(tx: Tx) -> Standing:
        work = standing_rows.running_work(tx, kind)
        return Standing(
            earned_in_session=standing_rows.earned_in_session(tx, session.id),
            earned_in_all=ledger_rows.purse_of(tx, AccountId(session.account_id)).earned,
            tasks_open=work.tasks_open,
            jobs_running=work.jobs,
            jobs_with_openings=work.jobs_with_openings,
            machines_connected=standing_rows.machines_heard_of(tx, farm.now() - CONNECTED_S),
        )

    return farm.db.read(read)


def earned_in_session(farm: Farm, session_id: SessionId) -> Millipoints:
    """Return what a session has earned so far."""
    return farm.db.read(lambda tx: standing_rows.earned_in_session(tx, session_id))


def open_last_picture(farm: Farm, machine_id: MachineId) -> tuple[str, Input]:
    """Open the newest valid picture of a machine; returns its media type too. Raises UnknownBlob."""
    found = farm.db.read(lambda tx: standing_rows.last_picture(tx, machine_id))
    if found is None:
        raise UnknownBlob("This machine has made no picture yet.")
    return found[1], open_blob(farm, found[0])
