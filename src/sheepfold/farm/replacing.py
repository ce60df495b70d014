"""Replacing an input: an artist sends a better file, and what is not rendered yet is rendered from it.

Frames that are done stay as they are, since they are paid for; who wants them anew orders anew. Whoever renders from
the old file is told to stop at the next sign of life, and what still comes of it is not taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sheepfold.blobs.blobs import Blob
from sheepfold.blobs.spool import Digest
from sheepfold.farm.archives import Packed, name_archive, pack_archive
from sheepfold.farm.farm import Farm
from sheepfold.farm.keeping import keep_file, name_blob
from sheepfold.farm.orders import complete_order
from sheepfold.farm.passing import passing_folder
from sheepfold.farm.rights import own_running_job
from sheepfold.farm.settlement import settle
from sheepfold.kinds.registry import module_of
from sheepfold.model import lifecycle
from sheepfold.model.accounts import Account
from sheepfold.model.errors import Conflict, InvalidSpec, UnknownBlob
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.tasks import Verdict
from sheepfold.store import events as event_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import renderers as renderer_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A new input with all that follows from it."""

    name: str
    blob: Blob
    packed: Packed | None
    remarks: tuple[str, ...]


def replace_input(farm: Farm, account: Account, job_id: JobId, name: str, path: Path) -> Job:
    """Replace an input of a running job by another file, which is checked as at its order; its revision rises.

    The order itself stays: its frames, size and all else. The same file again changes nothing. Raises UnknownJob,
    Forbidden, JobEnded, UnknownBlob for an input that the job does not have, InvalidSpec where the file will not do,
    Conflict where frames wait for other machines to agree on what the old file showed, and StoreUnavailable where the
    disk is full.
    """
    job = farm.db.read(lambda tx: _replaceable(tx, account, job_id, name))
    with passing_folder(farm, "replace") as folder:
        prepared = _prepare(farm, job, name, path, folder)
    return farm.db.write(lambda tx: _replaced(tx, account, job_id, prepared, farm.now()))


def _replaceable(tx: Tx, account: Account, job_id: JobId, name: str) -> Job:
    job = own_running_job(tx, account, job_id)
    if name not in job.inputs:
        raise UnknownBlob(f"Job {job_id} has no input {name[:80]!r}; it has {', '.join(job.inputs) or 'none'}.")
    return job


def _prepare(farm: Farm, job: Job, name: str, path: Path, folder: Path) -> _Prepared:
    others = {other: Digest(digest) for other, digest in job.inputs.items() if other != name}
    inputs: Mapping[str, Path] = {other: farm.blobs.local_path(digest, folder) for other, digest in others.items()}
    inputs = {**inputs, name: path}
    completed = complete_order(job.kind, job.spec, inputs, folder)
    drafts = module_of(job.kind, "split").split(job.spec, inputs, folder)
    if any(draft.input is not None for draft in drafts):
        raise InvalidSpec(f"The tasks of a {job.kind} were made of its input; cancel the job and order anew.")
    packed = pack_archive(farm, job.kind, job.spec, inputs, folder)
    return _Prepared(name, keep_file(farm, path), packed, completed.remarks)


def _replaced(tx: Tx, account: Account, job_id: JobId, prepared: _Prepared, now: int) -> Job:
    task_rows.lock_open_tasks(tx, job_id)  # so that no claim hands out the old file meanwhile
    job = _replaceable(tx, account, job_id, prepared.name)
    if job.inputs[prepared.name] == prepared.blob.digest:
        return job
    for task_id in task_rows.begun_tasks_of(tx, job_id):
        task = task_rows.load(tx, task_id, lock=True)
        if any(result.verdict is Verdict.PENDING for result in task.results):
            raise Conflict("Some frames wait for other machines to agree on them; try again when they are done.")
        settle(tx, task, lifecycle.withdraw(task, now), now, {"reason": "The input was replaced."})
    name_blob(tx, prepared.blob, now)
    revision = job_rows.replace_input(tx, job_id, prepared.name, prepared.blob.digest)
    renderer_rows.drop_older_archives(tx, job_id, revision)
    if prepared.packed is not None:
        name_archive(tx, job_id, revision, prepared.packed, now)
    told = {"name": prepared.name, "digest": prepared.blob.digest, "revision": revision,
            "remarks": list(prepared.remarks)}
    event_rows.add(tx, [Event(What.INPUT_REPLACED, job_id, None, told)], now)
    return replace(job, revision=revision, inputs={**job.inputs, prepared.name: prepared.blob.digest})
