"""The check-up: whether all that the farm knows agrees, and the bytes are still what they were."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from sheepfold.blobs.spool import Digest
from sheepfold.farm.belonging import doubt_of
from sheepfold.farm.farm import Farm
from sheepfold.farm.storage import DAY_S
from sheepfold.kinds.registry import KINDS
from sheepfold.kinds.seam import Spec
from sheepfold.model.errors import StoreUnavailable, UnknownBlob
from sheepfold.model.jobs import JobId
from sheepfold.model.tasks import TaskId
from sheepfold.store import blobs as blob_rows
from sheepfold.store import checks
from sheepfold.store.blobs import BlobRow
from sheepfold.store.checks import Moment, Unanswered, asked
from sheepfold.store.findings import SHOWN, Finding, named, shortened
from sheepfold.store.job_checks import OrderRow, orders_after
from sheepfold.store.task_checks import wrong_tasks

TASKS_AT_A_TIME = 500
ORDERS_AT_A_TIME = 500
MOST_SILENT = 5
"""After so many files in a row of which the store says nothing, it is asked no more: each may take a minute."""


def check(farm: Farm, *, read_blobs: bool = False) -> Iterator[Finding]:
    """Find what breaks an invariant, as it is found; with `read_blobs` every blob is read, else only looked for.

    Of each invariant some are told, and then how many more there are. On a farm at work, what is found may be a moment
    old: a finding that stays is a trouble. Raises StoreUnavailable where the database does not answer any more.
    """
    yield from checks.all_contradictions(farm.db, _moment(farm))
    for found in (_wrong_orders(farm), _wrong_tasks(farm), _strange_blobs(farm),
                  _wrong_blobs(farm, read_blobs=read_blobs)):
        yield from shortened(_as_far_as_answered(found))


def _as_far_as_answered(findings: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from findings
    except Unanswered as error:
        yield error.finding


def _moment(farm: Farm) -> Moment:
    """Return what rows are held against. A lease may last for twice as long as any is granted for: settings change."""
    settings, now = farm.settings, farm.now()
    longest_s = max(settings.lease_term_s, settings.silent_lease_term_s, settings.sheepit_lease_term_s,
                    settings.sheepit_max_period_s, settings.browsershots_lock_s)
    return Moment(now, 2 * longest_s, now - settings.keep_events_days * DAY_S if settings.keep_events_days else 0)


def _wrong_orders(farm: Farm) -> Iterator[Finding]:
    last: JobId | None = JobId(0)
    while last is not None:
        orders = asked(farm.db, "what was ordered", partial(orders_after, after=last, limit=ORDERS_AT_A_TIME))
        for order in orders:
            yield from (Finding("an order has all that its kind needs", f"job {order.job_id} {lack}", _ORDER_ANEW)
                        for lack in _lacks(order))
        last = orders[-1].job_id if orders else None


_ORDER_ANEW = "Cancel the job where it runs, and order it anew; or restore the last backup that was well."


def _lacks(order: OrderRow) -> Iterator[str]:
    """Say what is wrong with an order, by its kind."""
    if order.kind not in KINDS:
        yield f"is of kind {order.kind}, and there are {', '.join(KINDS)}"
        return
    spec = _spec(order)
    if spec is None:
        yield f"has a spec that cannot be read: {order.spec[:40]}"
        return
    is_sheep = order.kind == "flame" and spec.get("shape") in {"loop", "edge"}
    if order.kind == "blender" and len(order.inputs) != 1:
        yield f"has {len(order.inputs)} inputs: a project is one file, by any name"
    if order.kind == "flame" and "genome" not in order.inputs:
        yield "has no input genome"
    if spec.get("shape") == "edge" and "genome2" not in order.inputs:
        yield "has no input genome2"
    if "expire_s" in spec and not order.has_visit:  # orders older than this field have no visits
        yield "has no row in visits, which tells where it leads and when it expires"
    if is_sheep is not order.has_sheep:
        yield "has no row in sheep, which numbers it in the flock" if is_sheep else "is a sheep, and no loop or edge"


def _spec(order: OrderRow) -> Spec | None:
    try:
        spec = json.loads(order.spec)
    except ValueError:
        return None
    return spec if isinstance(spec, dict) else None


def _wrong_tasks(farm: Farm) -> Iterator[Finding]:
    last: TaskId | None = TaskId(0)
    by_indexes = not farm.db.url.startswith("sqlite")
    while last is not None:
        findings, last = asked(farm.db, "how tasks are", partial(wrong_tasks, after=last, limit=TASKS_AT_A_TIME),
                               by_indexes=by_indexes)
        yield from findings


def _strange_blobs(farm: Farm) -> Iterator[Finding]:
    with suppress(StoreUnavailable):  # which the files themselves tell
        if doubt := doubt_of(farm.db, farm.blobs):
            yield Finding("the files are the farm's own", doubt, _SEE_WHERE)


_SEE_WHERE = "See to --data, DATABASE_URL and BLOBS_URL; until then the farm drops no file that nobody needs."


def _wrong_blobs(farm: Farm, *, read_blobs: bool) -> Iterator[Finding]:
    silent, counts = 0, Counter[str]()
    for row in blob_rows.all_blobs(partial(asked, farm.db, "which files there are")):
        try:
            found = _wrong_blob(farm, row, read_blobs=read_blobs)
            silent = 0
        except StoreUnavailable as error:
            found = "every file can be read", f"cannot be read: {error}", _SEE_TO_STORE
            silent += 1
        if found is not None:
            invariant, trouble, remedy = found
            counts[invariant] += 1
            blob = _called(farm, row) if counts[invariant] <= SHOWN else f"blob {row.digest}"
            yield Finding(invariant, f"{blob} {trouble}", remedy)
        if silent == MOST_SILENT:
            yield Finding("every file can be read", "the store of files answers nothing: the rest was not looked at",
                          _SEE_TO_STORE)
            return


def _called(farm: Farm, row: BlobRow) -> str:
    return asked(farm.db, "what a file is there for", partial(named, sort="blob", value=row.digest), by_indexes=True)


_SEE_TO_STORE = "See to the disk or bucket where the files are, and to what the server may read there."


def _wrong_blob(farm: Farm, row: BlobRow, *, read_blobs: bool) -> tuple[str, str, str] | None:
    """Return which invariant a file breaks, how, and what to do; raises StoreUnavailable where it cannot be read."""
    digest = Digest(row.digest)
    try:
        if (size_bytes := farm.blobs.size(digest)) != row.size_bytes:
            return "a blob has its size", f"has {size_bytes} bytes, not {row.size_bytes}", _COPY_BACK
        if not read_blobs:
            return None
        if not farm.blobs.check(digest):
            return "a blob's bytes are those of its name", "has other bytes", _COPY_BACK
        if row.md5 and (md5 := _md5(farm, digest)) != row.md5:
            return "a blob's MD5 is that of its bytes", f"has {md5}, not {row.md5}", "Set its md5 right in blobs."
    except UnknownBlob:
        known = farm.db.read(partial(blob_rows.find, digest=row.digest))
        if known is not None and known.cleared_at is None:  # else it was let go this moment
            return "every blob that is named is there", "is missing", _COPY_BACK
    return None


_COPY_BACK = ("Copy the file back from a backup. Where there is none, render the frame of a picture anew with"
              " `sheepfold job again`; an input comes back when its job is ordered again with the same files, and the"
              " new job may then be canceled. Move a file that is spoilt away first.")


def _md5(farm: Farm, digest: Digest) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    for chunk in farm.blobs.open_stream(digest):
        md5.update(chunk)
    return md5.hexdigest()
