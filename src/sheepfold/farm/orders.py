"""Orders: a checked spec and its inputs become a job with tasks, and jobs are canceled."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sheepfold.blobs.blobs import Blob
from sheepfold.blobs.spool import spooled_already
from sheepfold.farm.archives import Packed, name_archive, pack_archive
from sheepfold.farm.effects import EFFECTS
from sheepfold.farm.farm import Farm
from sheepfold.farm.keeping import keep_file, name_blob
from sheepfold.farm.passing import passing_folder
from sheepfold.farm.rights import check_may_order, own_running_job
from sheepfold.farm.settlement import end_job, settle
from sheepfold.kinds.registry import module_of, optional_module_of
from sheepfold.kinds.seam import Completed, Spec, TaskDraft
from sheepfold.model import lifecycle
from sheepfold.model.accounts import Account, AccountId
from sheepfold.model.errors import InvalidSpec
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import Job, JobId, JobState, Progress, Terms
from sheepfold.store import events as event_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import lanes as lane_rows
from sheepfold.store import order_keys
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx
from sheepfold.store.jobs import NewTask
from sheepfold.store.order_keys import NamedOrder

TITLE_LENGTH = 120

Note = Callable[[Tx, Job], None]
"""Writes down, in the transaction that takes an order, what it means to the farm beside its tasks."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody orders: a kind, its spec as they wrote it, and the files that it needs by name."""

    kind: str
    spec: Mapping[str, Any]
    inputs: Mapping[str, Path] = field(default_factory=dict)
    title: str = ""
    terms: Terms = field(default_factory=Terms)
    key: str = ""
    """A name that the customer gave this order: the same one again is the same job, made once."""
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An order with its bytes kept and its tasks drafted: all that its transaction needs."""

    job: Job
    blobs: tuple[Blob, ...]
    drafts: tuple[TaskDraft, ...]
    task_inputs: tuple[str | None, ...]
    packed: Packed | None
    remarks: tuple[str, ...]
    key: str
    fingerprint: str


def order_job(farm: Farm, account: Account, order: Order, note: Note | None = None) -> Job:
    """Check an order, make all that its tasks need, and queue it; a `note` of it stands for that of its kind's effect.

    An order with a key that was carried out before is not carried out again: its job is returned. Raises InvalidSpec
    with a sentence that the one who ordered understands, also where the key belongs to another order, and Forbidden
    where the role may not order, and StoreUnavailable where the disk is full.
    """
    check_may_order(account)
    fingerprint = _fingerprint(order) if order.key else ""
    known = farm.db.read(lambda tx: _known(tx, account.id, order.key, fingerprint))
    if known is not None:
        return known
    with passing_folder(farm, "order") as folder:
        prepared = replace(_prepare(farm, account, order, folder), key=order.key, fingerprint=fingerprint)
    return farm.db.write(lambda tx: _add(tx, prepared, note, farm.now()))


def cancel_job(farm: Farm, account: Account, job_id: JobId) -> Job:
    """Cancel a running job of this account, or any as the owner. What is being rendered may still come in and is paid.

    Raises UnknownJob, Forbidden, and JobEnded where there is nothing left to cancel.
    """

    def cancel(tx: Tx) -> Job:
        own_running_job(tx, account, job_id)
        cancel_order(tx, job_id, farm.now())
        return job_rows.job_of(tx, job_id)

    return farm.db.write(cancel)


def cancel_order(tx: Tx, job_id: JobId, now: int) -> None:
    """Cancel a running job with all its tasks, in the caller's transaction."""
    events = list(end_job(tx, job_id, JobState.CANCELED, now))
    job_rows.count_ended(tx, job_id, done=0, failed=task_rows.cancel_untouched(tx, job_id, now))
    for task_id in task_rows.open_tasks_of(tx, job_id):
        task = task_rows.load(tx, task_id, lock=True)
        settle(tx, task, lifecycle.cancel(task, now), now)
    event_rows.add(tx, events, now)


def checked_order(farm: Farm, account: Account, order: Order, folder: Path) -> tuple[Completed, Spec]:
    """Complete and read an order, and check what it means beside its tasks; raises InvalidSpec, Forbidden."""
    completed = complete_order(order.kind, order.spec, order.inputs, folder)
    spec: Spec = module_of(order.kind, "spec").parse(completed.spec)
    if order.kind in EFFECTS:
        EFFECTS[order.kind].check(farm, account, spec, is_private=order.is_private)
    return completed, spec


def _prepare(farm: Farm, account: Account, order: Order, folder: Path) -> _Prepared:
    completed, spec = checked_order(farm, account, order, folder)
    drafts: tuple[TaskDraft, ...] = tuple(module_of(order.kind, "split").split(spec, order.inputs, folder))
    if not drafts:
        raise InvalidSpec("There is nothing to render in this order.")
    inputs = {name: keep_file(farm, path) for name, path in order.inputs.items()}
    made = {path: keep_file(farm, path) for path in {draft.input for draft in drafts if draft.input is not None}}
    job = Job(
        id=JobId(0),
        account_id=account.id,
        kind=order.kind,
        title=(order.title or order.kind)[:TITLE_LENGTH],
        spec=spec,
        terms=_checked_terms(order.terms),
        state=JobState.RUNNING,
        created_at=farm.now(),
        private_at=farm.now() if order.is_private else None,
        progress=Progress(total=len(drafts)),
        inputs={name: blob.digest for name, blob in inputs.items()},
    )
    task_inputs = tuple(made[draft.input].digest if draft.input is not None else None for draft in drafts)
    packed = pack_archive(farm, order.kind, spec, order.inputs, folder)
    blobs = (*inputs.values(), *made.values())
    return _Prepared(job, blobs, drafts, task_inputs, packed, completed.remarks, "", "")


def complete_order(kind: str, raw: Mapping[str, Any], inputs: Mapping[str, Path], folder: Path) -> Completed:
    """Have a kind complete an order by its files, where it does so; the order as it stands where not."""
    module = optional_module_of(kind, "complete")
    if module is None:
        return Completed(raw)
    completed: Completed = module.complete(raw, inputs, folder)
    return completed


def _fingerprint(order: Order) -> str:
    """Return a digest of all that an order says; what is unlike it under the same key is a mistake."""
    files = {name: spooled_already(path).sha256 for name, path in order.inputs.items()}
    said = [order.kind, dict(order.spec), order.title, asdict(order.terms), files]
    said += ["private"] if order.is_private else []
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


def _known(tx: Tx, account_id: AccountId, key: str, fingerprint: str) -> Job | None:
    named = order_keys.find(tx, account_id, key) if key else None
    if named is None:
        return None
    if named.fingerprint != fingerprint:
        raise InvalidSpec("This key was given to another order before; a new order wants a new key.")
    return job_rows.job_of(tx, named.job_id)


def _checked_terms(terms: Terms) -> Terms:
    if not (-100 <= terms.priority <= 100 and 1 <= terms.quorum <= 5 and 1 <= terms.max_attempts <= 50):
        raise InvalidSpec("Priority lies between -100 and 100, quorum between 1 and 5, attempts between 1 and 50.")
    return terms


def _add(tx: Tx, prepared: _Prepared, note: Note | None, now: int) -> Job:
    job = prepared.job
    known = _known(tx, job.account_id, prepared.key, prepared.fingerprint)
    if known is not None:
        return known
    for blob in prepared.blobs:
        name_blob(tx, blob, now)
    job = replace(job, id=job_rows.add_job(tx, job))
    if prepared.key:
        order_keys.add(tx, job.account_id, prepared.key, NamedOrder(job.id, prepared.fingerprint), now)
    queue_tasks(tx, job, zip(prepared.drafts, prepared.task_inputs, strict=True))
    if prepared.packed is not None:
        name_archive(tx, job.id, job.revision, prepared.packed, now)
    if note is not None:
        note(tx, job)
    elif job.kind in EFFECTS:
        EFFECTS[job.kind].note(tx, job)
    told = {"title": job.title, "kind": job.kind} | ({"remarks": prepared.remarks} if prepared.remarks else {})
    event_rows.add(tx, [Event(What.JOB_ORDERED, job.id, None, told)], now)
    return job


def queue_tasks(tx: Tx, job: Job, drafts: Iterable[tuple[TaskDraft, str | None]]) -> None:
    """Add tasks to a job, each a draft with the digest of its own file, and queue them in the lanes of their needs."""
    drafted = tuple(drafts)
    lanes = {
        needs: lane_rows.ensure_lane(tx, needs, job.account_id, job.terms.priority)
        for needs in {draft.needs for draft, _ in drafted}
    }
    job_rows.add_tasks(tx, job.id, job.terms.quorum, (
        NewTask(draft.frame, draft.part, lanes[draft.needs], draft.cost_ms, digest) for draft, digest in drafted
    ))
    for lane_id in lanes.values():
        lane_rows.wake_lane(tx, lane_id)
