"""The check-up: whether all that the farm knows agrees, and the bytes are still what they were."""

from collections.abc import Iterator
from functools import partial

from sheepfold.blobs.spool import Digest
from sheepfold.farm.farm import Farm
from sheepfold.model.errors import UnknownBlob
from sheepfold.model.tasks import TaskId
from sheepfold.store import blobs as blob_rows
from sheepfold.store import checks
from sheepfold.store.checks import Finding

TASKS_AT_A_TIME = 500


def check(farm: Farm, *, read_blobs: bool = False) -> Iterator[Finding]:
    """Find what breaks an invariant; with `read_blobs` every blob is read and hashed, else only looked for.

    On a farm at work, what is found may be a moment old: a finding that stays is a trouble.
    """
    yield from farm.db.look(lambda tx: list(checks.contradictions(tx, farm.now())))
    yield from farm.db.read(lambda tx: list(checks.strains(tx)))
    yield from _wrong_tasks(farm)
    yield from _wrong_blobs(farm, read_blobs=read_blobs)


def _wrong_tasks(farm: Farm) -> Iterator[Finding]:
    last: TaskId | None = TaskId(0)
    while last is not None:
        findings, last = farm.db.read(partial(checks.wrong_tasks, after=last, limit=TASKS_AT_A_TIME))
        yield from findings


def _wrong_blobs(farm: Farm, *, read_blobs: bool) -> Iterator[Finding]:
    for row in farm.db.read(lambda tx: list(blob_rows.all_blobs(tx))):
        digest = Digest(row.digest)
        try:
            if (size_bytes := farm.blobs.size(digest)) != row.size_bytes:
                yield Finding("a blob has its size", f"blob {digest} has {size_bytes} bytes, not {row.size_bytes}")
            elif read_blobs and not farm.blobs.check(digest):
                yield Finding("a blob's bytes are those of its name", f"blob {digest}")
        except UnknownBlob:
            known = farm.db.read(partial(blob_rows.find, digest=row.digest))
            if known is None or known.cleared_at is not None:
                continue  # it was let go this moment
            yield Finding("every blob that is named is there", f"blob {digest} is missing")
