"""What a session still owes: leases that it renders or has yet to upload, kept, counted and freed as it goes on.

On a wire whose clients ask for the next task before they have sent the last, and may drop a frame without a word, a
session's leases need more care than one heartbeat each. Asking for a task tells that nothing is being rendered: the
leases so far only await their upload, and no later sign of life moves their deadline.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sheepfold.farm.dispatch import give_up, heartbeat
from sheepfold.farm.farm import Farm
from sheepfold.farm.renderers import BLENDER, some
from sheepfold.model.errors import LeaseNotHeld
from sheepfold.model.machines import Session
from sheepfold.model.tasks import LeaseState, TaskState
from sheepfold.store import leases as lease_rows
from sheepfold.store import refusals as refusal_rows
from sheepfold.store import renderers as renderer_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx, read_at_once
from sheepfold.store.leases import Holding
from sheepfold.store.renderers import RendererRow

RENDERED_AT = "rendered_at"
"""The figure of a lease whose client has asked for another task since: it awaits its upload."""
GRAIN_S = 60
"""A deadline is moved only if it gains so much, so that a download of many pieces costs few writes."""
LONGEST_REFUSAL_S = 30 * 86_400
"""For how long a machine is kept off a job at most."""


def ask_next(farm: Farm, session: Session, awaiting: int, system: str, bits: int) -> list[RendererRow]:
    """Take note that a session asks for its next task, and return the renderers for its system, the newest first.

    Of its tasks so far, the newest `awaiting` may still be uploaded; the older ones are given back: their client has
    lost them. Raises NoRenderer.
    """

    def look(tx: Tx) -> tuple[Sequence[Any], list[RendererRow]]:
        held, renderers = tx.read_together(lease_rows.active_asked(session.machine_id, session.id),
                                           renderer_rows.renderers_asked(BLENDER, system, bits))
        return held, renderer_rows.renderers_in(renderers)

    held, renderers = read_at_once(farm.db, look)
    if held:
        _note_rendered(farm, session, awaiting)
    return some(renderers, system, bits)


def _note_rendered(farm: Farm, session: Session, awaiting: int) -> None:
    def note(tx: Tx) -> list[Holding]:
        held = lease_rows.active_of_machine(tx, session.machine_id, session.id)
        for one in held:
            figures = lease_rows.figures_of(tx, one.lease_id)
            if RENDERED_AT not in figures:
                lease_rows.save_figures(tx, one.lease_id, {**figures, RENDERED_AT: farm.now()})
        return held[:max(0, len(held) - awaiting)]

    for lost in farm.db.write(note):
        give_up(farm, lost, "The client asked for other tasks instead of sending it.", failed=False)


def keep_off(farm: Farm, held: Holding, seconds: int) -> None:
    """Offer a machine nothing of a lease's job for a time, LONGEST_REFUSAL_S at most: it cannot render it, or its owner
    does not want it to.
    """
    now = farm.now()
    farm.db.write(lambda tx: refusal_rows.add(tx, held.machine_id, held.job_id, now + seconds, now))


def rendering(farm: Farm, session: Session) -> list[Holding]:
    """Return the leases that a session may be rendering: those granted since it last asked."""
    active = farm.db.look(lambda tx: lease_rows.told_of_active(tx, session.machine_id, session.id))
    return [held for held, figures in active if RENDERED_AT not in figures]


def keep_alive(farm: Farm, session: Session, term_s: int) -> None:
    """Move the deadline of what a session renders, at a sign of life that names no task."""
    for held in rendering(farm, session):
        keep_lease(farm, held, term_s)


def keep_lease(farm: Farm, held: Holding, term_s: int, figures: dict[str, int] | None = None) -> bool:
    """Move the deadline of a lease; False where its picture is wanted no more.

    A lease that has merely expired is still wanted as long as its task is open, since a late picture counts.
    """
    task = read_at_once(farm.db, lambda tx: task_rows.load(tx, held.task_id, lock=False))
    lease = next(lease for lease in task.leases if lease.id == held.lease_id)
    if task.state is not TaskState.OPEN or lease.state not in {LeaseState.ACTIVE, LeaseState.EXPIRED}:
        return False
    now = farm.now()
    if lease.state is LeaseState.ACTIVE and now < lease.deadline_at < now + term_s - GRAIN_S:
        with suppress(LeaseNotHeld):  # it ended this moment, and the next sign of life will tell
            heartbeat(farm, held, term_s, figures)
    return True
