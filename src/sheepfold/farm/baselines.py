"""Baselines: pictures of a page that its owner accepted, and what has changed since."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sheepfold.blobs.spool import Digest
from sheepfold.farm import browse
from sheepfold.farm.farm import Farm
from sheepfold.farm.retention import check_there
from sheepfold.farm.rights import own_job
from sheepfold.kinds.seam import Baseline, Picture, Product
from sheepfold.model.accounts import Account
from sheepfold.model.errors import Conflict, NotFound
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import Job, JobId
from sheepfold.store import baselines as baseline_rows
from sheepfold.store import blobs as blob_rows
from sheepfold.store import events as event_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store.blobs import PictureRow
from sheepfold.store.database import Tx

FIGURES = "changes.json"
"""The product that a kind makes of a job whose order names a baseline."""


class NoBaseline(NotFound):
    """The job's order names no baseline, or its pictures are not compared yet."""


class NotDone(Conflict):
    """The job's pictures are not all there, or not compared yet."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed since the pictures that were accepted when the job was done.

    `views` are as the kind tells them, each with `frame`, `state` (same, changed or new) and more. `is_accepted` says
    whether later pictures are held against this job's now.
    """

    job: Job
    baseline: JobId | None
    views: tuple[Mapping[str, Any], ...]
    is_accepted: bool

    @property
    def changed(self) -> list[Mapping[str, Any]]:
        """Return the views that changed, the most changed first."""
        return sorted((view for view in self.views if view["state"] == "changed"), key=lambda view: -view["share"])


def held_against(farm: Farm, job: Job, folder: Path) -> Baseline | None:
    """Return the accepted pictures that a job's are to be held against, as files; None where it names no baseline."""
    name = name_of(job)
    if not name:
        return None

    def read(tx: Tx) -> tuple[Job, list[PictureRow]] | None:
        accepted = baseline_rows.find(tx, job.account_id, name)
        if accepted is None or accepted == job.id:
            return None
        return job_rows.job_of(tx, accepted), blob_rows.pictures_of_job(tx, accepted)

    found = farm.db.read(read)
    if found is None:
        return Baseline()
    earlier, rows = found
    pictures = (Picture(row.frame, row.part, farm.blobs.local_path(Digest(row.digest), folder), row.media_type)
                for row in rows)  # fmt: skip
    return Baseline(earlier.id, earlier.spec, tuple(pictures))


def accept_first(tx: Tx, job: Job, now: int) -> None:
    """Accept a job's pictures where there are none of its name, in the caller's transaction."""
    name = name_of(job)
    if name and baseline_rows.find(tx, job.account_id, name) is None:
        _accept(tx, job, {}, now)


def accept(farm: Farm, account: Account, job_id: JobId) -> Job:
    """Accept a done job's pictures: later ones of the same name are held against them. Again changes nothing.

    Raises UnknownJob, Forbidden where the job is another account's and this is no owner, NoBaseline, NotDone, Cleared.
    """

    def accepted(tx: Tx) -> Job:
        job = own_job(tx, account, job_id)
        if not name_of(job):
            raise NoBaseline(f"Job {job_id} was ordered without a baseline.")
        if not _is_compared(tx, job_id):
            raise NotDone(f"Job {job_id} is {job.state}; pictures are accepted when all are there and compared.")
        if baseline_rows.find(tx, job.account_id, name_of(job)) != job_id:
            check_there(job)
            _accept(tx, job, {"account": account.name}, farm.now())
        return job

    return farm.db.write(accepted)


def changes_of(farm: Farm, job_id: JobId) -> Changes:
    """Return what has changed since the accepted pictures; raises UnknownJob, and NoBaseline until it is known."""
    job = farm.db.read(lambda tx: job_rows.job_of(tx, job_id))
    if not name_of(job):
        raise NoBaseline(f"Job {job_id} was ordered without a baseline.")
    if not farm.db.read(lambda tx: _is_compared(tx, job_id)):
        raise NoBaseline(f"The pictures of job {job_id} are not compared yet.")
    _, file = browse.open_product(farm, job_id, FIGURES)
    figures = json.loads(b"".join(file.chunks))
    accepted = farm.db.read(lambda tx: baseline_rows.find(tx, job.account_id, name_of(job)))
    baseline = None if figures["baseline"] is None else JobId(figures["baseline"])
    return Changes(job, baseline, tuple(figures["views"]), is_accepted=accepted == job_id)


def count_changed(products: Iterable[Product]) -> int:
    """Return how many views changed, by what a job was made into; 0 where nothing was compared."""
    figures = next((one.path for one in products if one.name == FIGURES), None)
    views = [] if figures is None else json.loads(figures.read_bytes())["views"]
    return sum(view["state"] == "changed" for view in views)


def name_of(job: Job) -> str:
    """Return the baseline's name of a job's order, empty where it names none."""
    return str(job.spec.get("baseline", ""))


def _is_compared(tx: Tx, job_id: JobId) -> bool:
    return any(product.name == FIGURES for product in blob_rows.products_of(tx, job_id))


def _accept(tx: Tx, job: Job, told: Mapping[str, str], now: int) -> None:
    baseline_rows.accept(tx, job.account_id, name_of(job), job.id, now)
    event_rows.add(tx, [Event(What.JOB_ACCEPTED, job.id, None, told)], now)
