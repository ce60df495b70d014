"""Rows of blobs, and of what is made of them: inputs, pictures, previews, products. The bytes live elsewhere."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Row, text

from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.store.database import Tx

BLOBS_AT_A_TIME = 5000


@dataclass(frozen=True, slots=True)
class BlobRow:
    """What is known of a blob: SHA-256, MD5 where SheepIt's clients are told it, else empty, and size in bytes."""

    digest: str
    md5: str
    size_bytes: int
    cleared_at: int | None = None
    """Since when its bytes are gone on purpose."""


@dataclass(frozen=True, slots=True)
class PictureRow:
    """The valid picture of a task."""

    task_id: TaskId
    frame: int
    part: int
    digest: str
    media_type: str


@dataclass(frozen=True, slots=True)
class ProductRow:
    """Something that a finished job was made into, with its exact size in bytes."""

    name: str
    digest: str
    media_type: str
    size_bytes: int
    made_at: int


_ADD = text("""
    INSERT INTO blobs (digest, md5, size_bytes, kept_at) VALUES (:digest, :md5, :size_bytes, :now)
    ON CONFLICT (digest) DO UPDATE
    SET cleared_at = NULL, md5 = CASE WHEN excluded.md5 = '' THEN blobs.md5 ELSE excluded.md5 END,
        kept_at = CASE WHEN blobs.cleared_at IS NULL THEN blobs.kept_at ELSE excluded.kept_at END
""")  # which also locks the row against whoever would clear it in this moment
_BLOB = text("SELECT digest, md5, size_bytes, cleared_at FROM blobs WHERE digest = :digest")


def add(tx: Tx, blob: BlobRow, now: int) -> None:
    """Name a blob that was kept; the same one again is no longer cleared, since its bytes were kept anew."""
    tx.later(_ADD, {"digest": blob.digest, "md5": blob.md5, "size_bytes": blob.size_bytes, "now": now})


def find(tx: Tx, digest: str) -> BlobRow | None:
    """Return what is known of a blob, or None."""
    row = tx.execute(_BLOB, {"digest": digest}).one_or_none()
    return None if row is None else BlobRow(row.digest, row.md5, row.size_bytes, row.cleared_at)


# by ix_results_task_id; results of one party are alike, and the oldest stands for it; a task that was opened anew shows
# its last picture until it has another one
_PICTURE = """
    SELECT t.id AS task_id, t.frame, t.part, r.digest, r.media_type FROM tasks t
    JOIN results r ON r.id = (
        SELECT coalesce(min(CASE WHEN v.lease_id > t.past_lease THEN v.id END), max(v.id))
        FROM results v WHERE v.task_id = t.id AND v.verdict = 'valid')
"""
_OF_JOB = text(_PICTURE + " WHERE t.job_id = :job_id ORDER BY t.frame, t.part")
_BYTES_OF_JOB = text(f"""
    SELECT coalesce(sum(size_bytes), 0) FROM blobs
    WHERE digest IN (SELECT p.digest FROM ({_PICTURE} WHERE t.job_id = :job_id) p)
""")  # noqa: S608 -- constants
_OF_TASK = text(_PICTURE + " WHERE t.id = :task_id")
# by uq_tasks_job_id_frame_part
_AFTER = text(_PICTURE + " WHERE t.job_id = :job_id AND (t.frame, t.part) > (:frame, :part)"
                         " ORDER BY t.frame, t.part LIMIT :limit")


def pictures_of_job(tx: Tx, job_id: JobId) -> list[PictureRow]:
    """Return the valid pictures of a job in the order of frames and parts."""
    return [_picture(row) for row in tx.execute(_OF_JOB, {"job_id": job_id})]


def picture_bytes_of_job(tx: Tx, job_id: JobId) -> int:
    """Return how many bytes the valid pictures of a job have together, those that are alike once."""
    return int(tx.execute(_BYTES_OF_JOB, {"job_id": job_id}).scalar_one())


def pictures_after(tx: Tx, job_id: JobId, place: tuple[int, int] | None, limit: int) -> list[PictureRow]:
    """Return the valid pictures of a job behind a place, which is a frame and a part; None is before the first."""
    frame, part = place or (-(2**31), 0)
    values = {"job_id": job_id, "frame": frame, "part": part, "limit": limit}
    return [_picture(row) for row in tx.execute(_AFTER, values)]


def picture_of_task(tx: Tx, task_id: TaskId) -> PictureRow | None:
    """Return the valid picture of a task, or None."""
    row = tx.execute(_OF_TASK, {"task_id": task_id}).one_or_none()
    return None if row is None else _picture(row)


_TASK_INPUT = text("SELECT input FROM tasks WHERE id = :task_id")
_SET_PREVIEW = text("""
    INSERT INTO previews (task_id, width, digest) VALUES (:task_id, :width, :digest)
    ON CONFLICT (task_id, width) DO UPDATE SET digest = excluded.digest
""")
_PREVIEW = text("SELECT digest FROM previews WHERE task_id = :task_id AND width = :width")
_SET_PRODUCT = text("""
    INSERT INTO products (job_id, name, digest, media_type, made_at)
    VALUES (:job_id, :name, :digest, :media_type, :now)
    ON CONFLICT (job_id, name) DO UPDATE
    SET digest = excluded.digest, media_type = excluded.media_type, made_at = excluded.made_at
""")
_PRODUCTS = text("""
    SELECT p.name, p.digest, p.media_type, p.made_at, b.size_bytes FROM products p JOIN blobs b ON b.digest = p.digest
    WHERE p.job_id = :job_id ORDER BY p.name
""")


def task_input(tx: Tx, task_id: TaskId) -> str | None:
    """Return the digest of the file made for one task alone, or None."""
    found = tx.execute(_TASK_INPUT, {"task_id": task_id}).scalar_one_or_none()
    return None if found is None else str(found)


def set_preview(tx: Tx, task_id: TaskId, width: int, digest: str) -> None:
    """Name the preview of a task at a width in pixels."""
    tx.execute(_SET_PREVIEW, {"task_id": task_id, "width": width, "digest": digest})


def find_preview(tx: Tx, task_id: TaskId, width: int) -> str | None:
    """Return the digest of a task's preview, or None where none was made yet."""
    found = tx.execute(_PREVIEW, {"task_id": task_id, "width": width}).scalar_one_or_none()
    return None if found is None else str(found)


def set_product(tx: Tx, job_id: JobId, name: str, digest: str, media_type: str, now: int) -> None:
    """Name a product of a job; one of the same name is replaced."""
    row = {"job_id": job_id, "name": name, "digest": digest, "media_type": media_type, "now": now}
    tx.execute(_SET_PRODUCT, row)


def products_of(tx: Tx, job_id: JobId) -> list[ProductRow]:
    """Return what a job was made into."""
    rows = tx.execute(_PRODUCTS, {"job_id": job_id})
    return [ProductRow(row.name, row.digest, row.media_type, row.size_bytes, row.made_at) for row in rows]


_COUNT = text("SELECT count(*) FROM blobs WHERE cleared_at IS NULL")
_NEXT = text("""
    SELECT digest, md5, size_bytes FROM blobs WHERE cleared_at IS NULL AND digest > :after ORDER BY digest LIMIT :limit
""")


def count_blobs(tx: Tx) -> int:
    """Return of how many blobs the bytes should be there."""
    return int(tx.execute(_COUNT).scalar_one())


def all_blobs(read: Callable[[Callable[[Tx], list[BlobRow]]], list[BlobRow]]) -> Iterator[BlobRow]:
    """Walk over every blob whose bytes should be there, by digests; some thousands at a time are `read`."""
    after = ""
    while rows := read(partial(_next_blobs, after=after)):
        yield from rows
        after = rows[-1].digest


def _next_blobs(tx: Tx, after: str) -> list[BlobRow]:
    rows = tx.execute(_NEXT, {"after": after, "limit": BLOBS_AT_A_TIME})
    return [BlobRow(row.digest, row.md5, row.size_bytes) for row in rows]


def _picture(row: Row[Any]) -> PictureRow:
    return PictureRow(TaskId(row.task_id), row.frame, row.part, row.digest, row.media_type)
