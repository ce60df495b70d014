"""All frames of a job as one zip, written while it is read: no file of it ever lies anywhere."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain

from sheepfold.blobs.spool import Digest
from sheepfold.farm.dispatch import open_blob
from sheepfold.farm.farm import Farm
from sheepfold.farm.retention import check_there
from sheepfold.farm.zipping import Zip
from sheepfold.model.errors import UnknownBlob
from sheepfold.model.jobs import JobId
from sheepfold.store import blobs as blob_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store.blobs import PictureRow
from sheepfold.store.database import Tx

ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/x-exr": "exr"}
FRAMES_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a job, and the name that it has among its likes."""

    name: str
    digest: Digest


def list_frames(farm: Farm, job_id: JobId) -> Iterator[Frame]:
    """Walk over the valid pictures that a job has so far, in order and some at a time, however many they are.

    Raises UnknownJob, UnknownBlob where there are none, and Cleared at once, not at the first frame.
    """

    def read(tx: Tx) -> list[PictureRow]:
        check_there(job_rows.job_of(tx, job_id))
        return blob_rows.pictures_after(tx, job_id, None, FRAMES_AT_A_TIME)

    first = farm.db.read(read)
    if not first:
        raise UnknownBlob(f"Job {job_id} has no frames yet.")
    return (Frame(_name(row), Digest(row.digest)) for row in chain(first, _further(farm, job_id, first[-1])))


def _further(farm: Farm, job_id: JobId, last: PictureRow) -> Iterator[PictureRow]:
    while rows := farm.db.read(partial(blob_rows.pictures_after, job_id=job_id, place=(last.frame, last.part),
                                       limit=FRAMES_AT_A_TIME)):
        yield from rows
        last = rows[-1]


def zipped(farm: Farm, frames: Iterable[Frame]) -> Iterator[bytes]:
    """Yield a zip of frames, stored as they are, since pictures are packed already.

    It holds one chunk at a time; the table of contents, which is the end of a zip, gathers in a file of the spool.
    """
    with tempfile.TemporaryFile(dir=farm.spool_folder) as contents:
        made, between = Zip(contents), b""
        for frame in frames:
            file = open_blob(farm, frame.digest)
            between += made.begin(frame.name, file.size_bytes)
            for chunk in file.chunks:
                yield between + made.add(chunk)
                between = b""
            between += made.end()
        yield between
        yield from made.finish()


def _name(row: PictureRow) -> str:
    part = f"-{row.part}" if row.part else ""
    return f"{row.frame:04d}{part}.{ENDINGS.get(row.media_type, 'bin')}"
