"""Archives: a job's project as SheepIt's clients download it, one zip made once for each revision."""

import shutil
import tempfile
import zipfile
from pathlib import Path

from sheepfold.blobs.spool import Digest
from sheepfold.farm.dispatch import Input, open_blob
from sheepfold.farm.farm import Farm
from sheepfold.farm.keeping import keep_file, name_blob
from sheepfold.kinds.blender.project import SCENE, look_into
from sheepfold.model.errors import InvalidSpec, UnknownBlob
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.machines import MachineId
from sheepfold.store import jobs as job_rows
from sheepfold.store import renderers as renderer_rows
from sheepfold.store.database import Tx
from sheepfold.store.renderers import ArchiveRow

PROJECT = "project"
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every file in an archive that the farm makes, so that the same bytes make the same archive."""

_PACKED = (b"\x28\xb5\x2f\xfd", b"\x1f\x8b")
"""How a .blend begins that Blender has compressed by Zstandard or gzip: packing it again would only take time."""


def ensure_archive(farm: Farm, job: Job) -> ArchiveRow:
    """Return the archive of a job's project as it now is, made where it was not; two at once make the same.

    A zip is handed on as it came, a .blend packed into one. Raises InvalidSpec with a sentence for the artist where
    the project cannot be trusted, and UnknownBlob where the job has none.
    """
    known = farm.db.read(lambda tx: renderer_rows.find_archive(tx, job.id, job.revision))
    if known is not None:
        return known
    folder = Path(tempfile.mkdtemp(prefix="archive-", dir=farm.spool_folder))
    try:
        return _made(farm, job, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def open_archive(farm: Farm, machine_id: MachineId, job_id: JobId, revision: int | None = None) -> Input:
    """Open the archive of a job that a machine has, or had, a lease on, so that sessions cannot leaf through projects.

    Raises UnknownBlob where it has none, and for a revision that is no more.
    """
    job = leased_job(farm, machine_id, job_id)
    if revision is not None and revision != job.revision:
        raise UnknownBlob(f"Job {job_id} is at revision {job.revision}, not {revision}.")
    return open_blob(farm, ensure_archive(farm, job).digest)


def open_chunk(farm: Farm, machine_id: MachineId, digest: str) -> Input:
    """Open an archive by its digest, for a machine that has, or had, a lease on a job of it; raises UnknownBlob."""

    def is_allowed(tx: Tx) -> bool:
        jobs = renderer_rows.jobs_of_archive(tx, digest)
        return any(renderer_rows.has_rendered_for(tx, machine_id, job_id) for job_id in jobs)

    if not farm.db.read(is_allowed):
        raise UnknownBlob(f"There is no chunk {digest[:80]!r} for this machine.")
    return open_blob(farm, digest)


def leased_job(farm: Farm, machine_id: MachineId, job_id: JobId) -> Job:
    """Return a job that a machine has, or had, a lease on; raises UnknownJob, UnknownBlob."""

    def find(tx: Tx) -> Job:
        job = job_rows.job_of(tx, job_id)
        if not renderer_rows.has_rendered_for(tx, machine_id, job_id):
            raise UnknownBlob(f"This machine renders nothing of job {job_id}.")
        return job

    return farm.db.read(find)


def _made(farm: Farm, job: Job, folder: Path) -> ArchiveRow:
    project = farm.blobs.local_path(Digest(_project(job)), folder)
    contents = look_into(project, job.spec.get("main", ""))
    packed = project if contents.files else _zipped(project, folder / "archive.zip")
    blob = keep_file(farm, packed)
    made = ArchiveRow(job.id, job.revision, blob.digest, blob.md5, contents.main or SCENE)

    def add(tx: Tx) -> ArchiveRow:
        name_blob(tx, blob, farm.now())
        renderer_rows.add_archive(tx, made, farm.now())
        return renderer_rows.find_archive(tx, job.id, job.revision) or made

    return farm.db.write(add)


def _project(job: Job) -> str:
    if PROJECT in job.inputs:
        return job.inputs[PROJECT]
    if len(job.inputs) != 1:
        raise InvalidSpec(f"Job {job.id} has no input called {PROJECT!r}.")
    return next(iter(job.inputs.values()))


def _zipped(blend: Path, target: Path) -> Path:
    """Pack a .blend into a zip that can be sought in, since the oldest clients want the sizes before the bytes."""
    with blend.open("rb") as file:
        is_packed = file.read(4).startswith(_PACKED)
    entry = zipfile.ZipInfo(SCENE, EPOCH)
    entry.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    entry.file_size = blend.stat().st_size
    with zipfile.ZipFile(target, "w") as archive, archive.open(entry, "w") as packed, blend.open("rb") as file:
        shutil.copyfileobj(file, packed, 1024 * 1024)
    return target
