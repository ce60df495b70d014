"""Rows of renderers, and of jobs' archives: what old clients download before they can render."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from sheepfold.model.jobs import JobId
from sheepfold.model.machines import MachineId
from sheepfold.store.database import Question, Tx


@dataclass(frozen=True, slots=True)
class RendererRow:
    """A renderer's archive: the program and version in it, the system it runs on, and how it was made.

    `bits` is the width of a machine's addresses, 32 or 64.
    """

    name: str
    version: str
    os: str
    bits: int
    digest: str
    md5: str
    made: str
    added_at: int


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """The archive of a job's project: which revision of it, and the path of the .blend inside."""

    job_id: JobId
    revision: int
    digest: str
    md5: str
    main: str


_SET = text("""
    INSERT INTO renderers (name, version, os, bits, digest, made, added_at)
    VALUES (:name, :version, :os, :bits, :digest, :made, :now)
    ON CONFLICT (name, version, os, bits) DO UPDATE
    SET digest = excluded.digest, made = excluded.made, added_at = excluded.added_at
""")
_RENDERERS = """
    SELECT r.name, r.version, r.os, r.bits, r.digest, b.md5, r.made, r.added_at
    FROM renderers r JOIN blobs b ON b.digest = r.digest
"""
_ALL = text(_RENDERERS + " ORDER BY r.name, r.version, r.os, r.bits")
# a farm has a dozen of them
_FOR_SYSTEM = text(_RENDERERS + """
    WHERE r.name = :name AND r.os = :os AND r.bits = :bits ORDER BY r.added_at DESC, r.id DESC
""")
_REMOVE = text("DELETE FROM renderers WHERE name = :name AND version = :version AND os = :os AND bits = :bits")


def set_renderer(tx: Tx, renderer: RendererRow, now: int) -> None:
    """Add a renderer; the one of the same name, version and system is replaced. Its blob must be named before."""
    tx.execute(_SET, {"name": renderer.name, "version": renderer.version, "os": renderer.os, "bits": renderer.bits,
                      "digest": renderer.digest, "made": renderer.made, "now": now})


def list_renderers(tx: Tx) -> list[RendererRow]:
    """Return all renderers."""
    return [_renderer(row) for row in tx.execute(_ALL)]


def renderers_for(tx: Tx, name: str, os: str, bits: int) -> list[RendererRow]:
    """Return the renderers of a name for a system, the newest first."""
    return renderers_in(tx.execute(*renderers_asked(name, os, bits)))


def renderers_asked(name: str, os: str, bits: int) -> Question:
    """Return the question that `renderers_in` reads the answer of, to be asked along with others."""
    return _FOR_SYSTEM, {"name": name, "os": os, "bits": bits}


def renderers_in(rows: Iterable[Any]) -> list[RendererRow]:
    """Return the renderers that rows tell of."""
    return [_renderer(row) for row in rows]


def remove_renderer(tx: Tx, name: str, version: str, os: str, bits: int) -> bool:
    """Remove a renderer; False where there is none such."""
    return tx.execute(_REMOVE, {"name": name, "version": version, "os": os, "bits": bits}).rowcount > 0


_ADD_ARCHIVE = text("""
    INSERT INTO archives (job_id, revision, digest, main, made_at) VALUES (:job_id, :revision, :digest, :main, :now)
    ON CONFLICT (job_id, revision) DO NOTHING
""")
# by pk_archives
_DROP_OLDER = text("DELETE FROM archives WHERE job_id = :job_id AND revision < :revision")
# by pk_archives
_ARCHIVE = text("""
    SELECT a.job_id, a.revision, a.digest, b.md5, a.main FROM archives a JOIN blobs b ON b.digest = a.digest
    WHERE a.job_id = :job_id AND a.revision = :revision
""")
# by ix_archives_digest; two jobs may be of one project
_JOBS_OF_ARCHIVE = text("SELECT job_id FROM archives WHERE digest = :digest ORDER BY job_id")
# by uq_tasks_job_id_frame_part, ix_leases_task_id
_EVER_LEASED = text("""
    SELECT 1 FROM tasks t JOIN leases l ON l.task_id = t.id
    WHERE t.job_id = :job_id AND l.machine_id = :machine_id LIMIT 1
""")


def add_archive(tx: Tx, archive: ArchiveRow, now: int) -> None:
    """Name the archive of a job's project; where it has one, that one stays. Its blob must be named before."""
    tx.execute(_ADD_ARCHIVE, {"job_id": archive.job_id, "revision": archive.revision, "digest": archive.digest,
                              "main": archive.main, "now": now})


def drop_older_archives(tx: Tx, job_id: JobId, revision: int) -> None:
    """Forget the archives of earlier revisions of a job's project, which nobody may fetch any more."""
    tx.execute(_DROP_OLDER, {"job_id": job_id, "revision": revision})


def find_archive(tx: Tx, job_id: JobId, revision: int) -> ArchiveRow | None:
    """Return the archive of a revision of a job's project, None where it was not made yet."""
    row = tx.execute(_ARCHIVE, {"job_id": job_id, "revision": revision}).one_or_none()
    return None if row is None else ArchiveRow(JobId(row.job_id), row.revision, row.digest, row.md5, row.main)


def jobs_of_archive(tx: Tx, digest: str) -> list[JobId]:
    """Return the jobs whose archive a blob is."""
    return [JobId(row.job_id) for row in tx.execute(_JOBS_OF_ARCHIVE, {"digest": digest})]


def has_rendered_for(tx: Tx, machine_id: MachineId, job_id: JobId) -> bool:
    """Say whether a machine has, or ever had, a lease on a task of a job."""
    return tx.execute(*rendered_for_asked(machine_id, job_id)).first() is not None


def rendered_for_asked(machine_id: MachineId, job_id: JobId) -> Question:
    """Return the question that a row answers where a machine has, or ever had, a lease on a task of a job."""
    return _EVER_LEASED, {"job_id": job_id, "machine_id": machine_id}


def _renderer(row: Any) -> RendererRow:  # noqa: ANN401 -- a row
    return RendererRow(row.name, row.version, row.os, row.bits, row.digest, row.md5, row.made, row.added_at)
