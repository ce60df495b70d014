"""All frames of a job as one zip, written while it is read: no file of it ever lies anywhere."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sheepfold.blobs.spool import Digest
from sheepfold.farm.dispatch import open_blob
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import UnknownBlob
from sheepfold.model.jobs import JobId
from sheepfold.store import blobs as blob_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store.blobs import PictureRow
from sheepfold.store.database import Tx

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/x-exr": "exr"}
_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say: the same frames are the same zip
_LARGE_BYTES = 2**31


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a job, and the name that it has among its likes."""

    name: str
    digest: Digest


def list_frames(farm: Farm, job_id: JobId) -> list[Frame]:
    """Return the valid pictures that a job has so far, in order; raises UnknownJob, and UnknownBlob for none."""

    def read(tx: Tx) -> list[PictureRow]:
        job_rows.job_of(tx, job_id)
        return blob_rows.pictures_of_job(tx, job_id)

    frames = [Frame(_name(row), Digest(row.digest)) for row in farm.db.read(read)]
    if not frames:
        raise UnknownBlob(f"Job {job_id} has no frames yet.")
    return frames


def zipped(farm: Farm, frames: Iterable[Frame]) -> Iterator[bytes]:
    """Yield a zip of frames, stored as they are, since pictures are packed already; holds one chunk at a time."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for frame in frames:
            file = open_blob(farm, frame.digest)
            entry = zipfile.ZipInfo(frame.name, _DATE)
            entry.external_attr = 0o644 << 16
            with archive.open(entry, "w", force_zip64=file.size_bytes >= _LARGE_BYTES) as target:
                for chunk in file.chunks:
                    target.write(chunk)
                    yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """What a zip is written to: a file that cannot be sought in, as a line to a client."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        """See RawIOBase."""
        return True

    def write(self, chunk: "ReadableBuffer", /) -> int:
        """Hold bytes until they are taken."""
        view = memoryview(chunk)
        self._held += view
        return view.nbytes

    def taken(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        return held


def _name(row: PictureRow) -> str:
    part = f"-{row.part}" if row.part else ""
    return f"{row.frame:04d}{part}.{ENDINGS.get(row.media_type, 'bin')}"
