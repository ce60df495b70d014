"""Archives: a job's project as SheepIt's clients download it, one zip for each revision, made when it is ordered."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sheepfold.blobs.blobs import Blob
from sheepfold.blobs.spool import Digest
from sheepfold.farm.dispatch import Input, open_blob
from sheepfold.farm.farm import Farm
from sheepfold.farm.keeping import keep_file, md5_of, name_blob
from sheepfold.farm.passing import passing_folder
from sheepfold.kinds.registry import optional_module_of
from sheepfold.kinds.seam import Archive, Spec
from sheepfold.model.errors import UnknownBlob
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.machines import MachineId
from sheepfold.store import jobs as job_rows
from sheepfold.store import renderers as renderer_rows
from sheepfold.store.database import Tx, read_at_once
from sheepfold.store.renderers import ArchiveRow


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive that is kept, its MD5, and the path in it of the file to render."""

    blob: Blob
    md5: str
    main: str


def ensure_archive(farm: Farm, job: Job) -> ArchiveRow:
    """Return the archive of a job's project as it now is, made where an older farm did not; two at once make the same.

    A zip is handed on as it came, but for headers by which clients would go wrong; a .blend is packed into one. Raises
    InvalidSpec with a sentence for the artist where the project cannot be trusted, UnknownBlob where the job has none,
    and StoreUnavailable where the disk is full.
    """
    known = farm.db.look(lambda tx: renderer_rows.find_archive(tx, job.id, job.revision))
    if known is not None:
        return known
    with passing_folder(farm, "archive") as folder:
        return _made(farm, job, folder)


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

    def find(tx: Tx) -> tuple[Job, bool]:
        jobs, leases = tx.read_together(job_rows.job_asked(tx, job_id),
                                        renderer_rows.rendered_for_asked(machine_id, job_id))
        return job_rows.job_among(jobs, job_id), bool(leases)

    job, is_its_own = read_at_once(farm.db, find)
    if not is_its_own:
        raise UnknownBlob(f"This machine renders nothing of job {job_id}.")
    return job


def pack_archive(farm: Farm, kind: str, spec: Spec, inputs: Mapping[str, Path], folder: Path) -> Packed | None:
    """Make and keep the archive of an order's files in `folder`; None where its kind has none. Raises InvalidSpec."""
    module = optional_module_of(kind, "archive")
    if module is None:
        return None
    made: Archive = module.pack(inputs, spec, folder)
    return Packed(keep_file(farm, made.path), md5_of(made.path), made.main)


def name_archive(tx: Tx, job_id: JobId, revision: int, packed: Packed, now: int) -> None:
    """Write down which archive a revision of a job has; where it has one already, that one stays."""
    name_blob(tx, packed.blob, now, packed.md5)
    row = ArchiveRow(job_id, revision, packed.blob.digest, packed.md5, packed.main)
    renderer_rows.add_archive(tx, row, now)


def _made(farm: Farm, job: Job, folder: Path) -> ArchiveRow:
    inputs = {name: farm.blobs.local_path(Digest(digest), folder) for name, digest in job.inputs.items()}
    packed = pack_archive(farm, job.kind, job.spec, inputs, folder)
    if packed is None:
        raise UnknownBlob(f"Job {job.id} has no archive; it is of kind {job.kind}.")

    def add(tx: Tx) -> ArchiveRow:
        name_archive(tx, job.id, job.revision, packed, farm.now())
        made = renderer_rows.find_archive(tx, job.id, job.revision)
        assert made is not None  # it was added above
        return made

    return farm.db.write(add)
