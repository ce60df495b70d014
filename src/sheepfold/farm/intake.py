"""Intake: what a machine sent is kept, inspected and settled, in this order on all wires.

The bytes are durable before a row names them. Inspection and comparison happen outside of any transaction, in processes
that a hostile picture cannot take down with the server. The same bytes for the same lease again get the same receipt.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from sheepfold.blobs.blobs import Blob
from sheepfold.blobs.spool import Digest, Spooled
from sheepfold.farm.farm import Farm
from sheepfold.farm.keeping import name_blob
from sheepfold.farm.passing import passing_folder
from sheepfold.farm.settlement import Known, settle
from sheepfold.kinds.seam import Facts, Inspection
from sheepfold.model import lifecycle
from sheepfold.model.errors import LeaseNotHeld, UnknownBlob
from sheepfold.model.tasks import Result, ResultId, Soundness, Task, TaskState, Verdict
from sheepfold.store import leases as lease_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx, read_at_once
from sheepfold.store.leases import Holding, Wanted
from sheepfold.store.tasks import Told

COMPARISONS = 8
"""How often a result is compared anew because another one came in meanwhile; each round needs one more machine."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a result: its verdict so far, what was found in it, and the state of its task."""

    result_id: ResultId
    digest: str
    verdict: Verdict
    soundness: Soundness
    reason: str
    task_state: TaskState


Also = Callable[[Tx, Receipt], object]


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A result on its way into the database: for which lease, its blob, what the client told of it, what goes along."""

    held: Holding
    blob: Blob
    result: Result
    figures: Mapping[str, Any]
    also: Also | None


@dataclass(frozen=True, slots=True)
class _Likeness:
    """Which parties of a task's results a new one was compared with, and which of them it is like."""

    compared: frozenset[ResultId]
    like: ResultId | None


class _NewRival(Exception):
    """A result came in that this one was not compared with."""


def submit_result(farm: Farm, held: Holding, spooled: Spooled, figures: Mapping[str, Any] | None = None) -> Receipt:
    """Take a result in for a lease, however late; returns its receipt.

    Raises LeaseNotHeld where the lease has another result already, has sent too many bad ones, or came so late that the
    job's pictures are cleared, with which it would have to be compared, and UnknownBlob where the farm has lost the
    picture of a task that has ended.
    """
    return submit_wanted(farm, farm.db.look(lambda tx: lease_rows.wanted(tx, held.lease_id)), spooled, figures)


def submit_wanted(farm: Farm, wanted: Wanted, spooled: Spooled, figures: Mapping[str, Any] | None = None,
                  also: Also | None = None) -> Receipt:
    """Take a result in whose lease was looked up just now; all else is as with `submit_result`.

    `also` writes what a wire keeps of a new result, so that neither is ever there without the other.
    """
    held, blob = wanted.held, farm.blobs.keep(spooled)
    task = None if wanted.is_plain else _task(farm, held)
    if task is not None and (known := _known(task, held, blob.digest)) is not None:
        return _receipt(task, known)
    if wanted.is_cleared:
        raise LeaseNotHeld(f"The pictures of job {held.job_id} are cleared; nothing is taken for it any more.")
    if task is not None:
        lifecycle.check_may_submit(task, held.lease_id)
    facts = Facts(wanted.spec, wanted.frame, wanted.part)
    inspection = farm.inspector.inspect(wanted.kind, spooled.path, facts)
    arrival = _Arrival(held, blob, _result(farm, held, blob, inspection), figures or {}, also)
    for _ in range(COMPARISONS):
        likeness = _compared(farm, wanted.kind, facts, task, arrival, spooled.path)
        try:
            return farm.db.write(partial(_settled, farm, arrival, likeness))
        except _NewRival:
            task = _task(farm, held)
    raise AssertionError(f"Task {held.task_id} gets results faster than they can be compared.")


def _task(farm: Farm, held: Holding) -> Task:
    return read_at_once(farm.db, lambda tx: task_rows.load(tx, held.task_id, lock=False))


def _known(task: Task, held: Holding, digest: str) -> Result | None:
    return next((r for r in task.results if r.lease_id == held.lease_id and r.digest == digest), None)


def _result(farm: Farm, held: Holding, blob: Blob, found: Inspection) -> Result:
    is_sound = found.soundness in {Soundness.SOUND, Soundness.BLANK}
    return Result(
        id=ResultId(0),
        lease_id=held.lease_id,
        machine_id=held.machine_id,
        account_id=held.account_id,
        digest=blob.digest,
        submitted_at=farm.now(),
        verdict=Verdict.PENDING if is_sound else Verdict.INVALID,
        soundness=found.soundness,
        reason=found.reason,
        media_type=found.media_type,
        width=found.width,
        height=found.height,
    )


def _compared(farm: Farm, kind: str, facts: Facts, task: Task | None, arrival: _Arrival, path: Path) -> _Likeness:
    """Compare a new picture with one of each party so far, until it is like one of them."""
    firsts = {} if task is None or arrival.result.verdict is Verdict.INVALID else _firsts(task)
    for party, first in firsts.items():
        if first.digest == arrival.blob.digest:
            return _Likeness(frozenset(firsts), party)
        try:
            is_same = _is_same(farm, kind, facts, path, first.digest)
        except UnknownBlob as error:
            if task is None or task.state is not TaskState.OPEN:
                raise
            # the task is to end all the same, by pictures that are there
            _log.warning("task=%s result=%s is like nothing: %s", task.id, first.id, error)
            is_same = False
        if is_same:
            return _Likeness(frozenset(firsts), party)
    return _Likeness(frozenset(firsts), None)


def _is_same(farm: Farm, kind: str, facts: Facts, path: Path, digest: str) -> bool:
    """Say whether a file is the picture of a digest; raises UnknownBlob where that is gone or spoilt."""
    with passing_folder(farm, "compare") as folder:
        other = farm.blobs.local_path(Digest(digest), folder)
        return farm.inspector.same(kind, path, other, facts)


def _firsts(task: Task) -> dict[ResultId, Result]:
    """Return the oldest result of each party that may still be, or is, the task's picture."""
    firsts: dict[ResultId, Result] = {}
    for result in task.results:
        if result.verdict is not Verdict.INVALID:
            firsts.setdefault(result.party, result)
    return firsts


def _settled(farm: Farm, arrival: _Arrival, likeness: _Likeness, tx: Tx) -> Receipt:
    now = farm.now()
    held, blob = arrival.held, arrival.blob
    desk = task_rows.load_desk(tx, held.task_id, held.machine_id, held.lease_id if arrival.figures else None)
    before = desk.task
    if (known := _known(before, held, blob.digest)) is not None:
        return _receipt(before, known)
    if arrival.result.verdict is not Verdict.INVALID and not likeness.compared.issuperset(_firsts(before)):
        raise _NewRival
    name_blob(tx, blob, now)
    told = Told(held.lease_id, {**desk.figures, **arrival.figures}) if arrival.figures else None
    result = replace(arrival.result, id=desk.result_id, like=likeness.like, submitted_at=now)
    after = lifecycle.submit(before, result, now)
    settle(tx, before, after, now, known=Known({result.id: desk.past}, told, desk.left_in_job))
    receipt = _receipt(after, after.results[-1])
    if arrival.also is not None:
        arrival.also(tx, receipt)
    return receipt


def _receipt(task: Task, result: Result) -> Receipt:
    return Receipt(result.id, result.digest, result.verdict, result.soundness, result.reason, task.state)
