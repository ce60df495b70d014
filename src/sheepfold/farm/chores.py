"""Chores: slow work of the house, taken like leases from the database and done on an executor."""

import errno
import fcntl
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from sheepfold.blobs.spool import Digest
from sheepfold.farm import baselines
from sheepfold.farm.farm import Farm
from sheepfold.farm.keeping import keep_file, name_blob
from sheepfold.farm.retention import clear_piece
from sheepfold.kinds import handwork
from sheepfold.kinds.seam import Picture
from sheepfold.model.errors import StoreUnavailable, Unavailable
from sheepfold.model.events import Event, What
from sheepfold.model.jobs import JobId
from sheepfold.model.notices import Notice, Topic
from sheepfold.store import blobs as blob_rows
from sheepfold.store import chores as chore_rows
from sheepfold.store import events as event_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import webhooks as hook_rows
from sheepfold.store.blobs import PictureRow
from sheepfold.store.chores import LONGEST_DELAY_S, Chore, ChoreWhat
from sheepfold.store.database import Tx

PREVIEW_WIDTH = 320
"""Pixels; what pages show of a picture before one asks for more."""

PATIENCE_S = 2.0
"""How long a chore may go on when the server is to end; then it is left to the next house, from its beginning."""
LOOK_PERIOD_S = 0.2

MOST_DEATHS = 20
"""After how many deaths of its process or house a chore is given up, which takes a quarter of an hour at least: a
process may be killed by whoever restarts the server, for lack of memory that another one took, or by what the chore
itself does."""

BEGINNING_S = 600
PICTURE_S = 60
"""How long a process may take to begin with, and over each picture besides; that of a film, on a slow machine on which
others go first, takes some seconds. Then it hangs, and is ended."""

LACKS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
"""What the system says where it has no room, files, memory or processes left: then whatever is tried fails."""
LEAST_FREE_BYTES = 16 * 2**20
"""Below this a disk is full, and who fails fails for that: not all programs pass on what the system said to them."""
AMPLE_BYTES = 2**30
"""A disk that has so much room is not full but for what is being made on it."""

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Left(Exception):
    """The server is to end, and what the house is doing is not done yet."""


class Greedy(Exception):
    """What a chore makes fills the disk by itself."""


class Overdue(BrokenExecutor):
    """A chore takes longer than any: the executor's process hangs, and is to be ended."""


def are_chores_due(farm: Farm) -> bool:
    """Say whether there is something to do now; asking costs no write."""
    return farm.db.read(lambda tx: chore_rows.is_due(tx, farm.now()))


@contextmanager
def household(farm: Farm) -> Iterator[bool]:
    """Be the house of this data folder while the block runs; gives whether there is no other.

    Then what an earlier house of the folder had taken and left undone may be taken up again at once, since it is dead:
    whoever lives holds a lock on the folder, which the system takes from the dead.
    """
    is_alone = False
    with (farm.settings.data / "house.lock").open("a") as lock:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_alone = True
        yield is_alone


def is_house_kept(farm: Farm) -> bool:
    """Say whether somebody keeps house in this data folder, by the lock of `household`; raises OSError."""
    try:
        with (farm.settings.data / "house.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # nobody ever has
        pass
    return False


def take_up_again(farm: Farm) -> int:
    """Let chores be taken that an earlier house of this folder has left undone; returns how many. Only before this
    one's hands take any.

    One of them may be why it died, so that each waits the longer the more often that happened.
    """
    def free(tx: Tx) -> int:
        taken = chore_rows.taken_by(tx, farm.house)
        for chore in taken:
            chore_rows.lose(tx, chore.id, _due_after_death(chore, farm.now()))
        return len(taken)

    freed = farm.db.write(free)
    if freed:
        _log.info("chores_taken_over=%d", freed)
    return freed


def heed_clock(farm: Farm) -> None:
    """Make chores due that a clock which was wrong has put off for longer than anything else does."""
    now = farm.now()
    until = now + 2 * max(LONGEST_DELAY_S, farm.settings.chore_term_s)
    if farm.db.read(lambda tx: chore_rows.is_any_due_after(tx, until)):
        hastened = farm.db.write(lambda tx: chore_rows.hasten(tx, now, until))
        _log.warning("chores_hastened=%d reason=%s", hastened, "the clock was set back")


def do_next_chore(farm: Farm, executor: Executor) -> bool:
    """Take the next chore and do it; False where none is due. Raises as `do_chore`."""
    chore = take_chore(farm)
    if chore is None:
        return False
    do_chore(farm, executor, chore)
    return True


def take_chore(farm: Farm) -> Chore | None:
    """Take the next chore; None where none is due."""
    return farm.db.write(lambda tx: chore_rows.take(tx, farm.now(), farm.settings.chore_term_s, farm.house))


def do_chore(farm: Farm, executor: Executor, chore: Chore) -> None:
    """Do a chore that was taken.

    One that fails is tried again later, a few times; one that takes too long while the server is to end is put back as
    it was, and the executor is still busy with it. Raises BrokenExecutor where the executor is of no use any more,
    Overdue of it where the chore's process hangs, and Unavailable where database or blobs do not answer, or the system
    has no room left, which is no fault of the chore's: it stays taken until it is `put_off`.
    """
    if chore.deaths >= MOST_DEATHS:
        _give_up(farm, chore, f"What did it died {chore.deaths} times, the server or a process of its own.")
        return
    try:
        with _held(farm, chore):
            _DEEDS[chore.what](farm, executor, chore)
    except Unavailable:
        raise
    except Left:
        farm.db.write(lambda tx: chore_rows.put_back(tx, chore.id, farm.now(), farm.house))
        _log.info("chore=%s what=%s job=%s left", chore.id, chore.what, chore.job_id)
    except Overdue as error:
        _log.warning("chore=%s what=%s job=%s task=%s overdue", chore.id, chore.what, chore.job_id, chore.task_id)
        with suppress(Unavailable):  # the executor must go all the same
            _postpone(farm, chore, str(error))
        raise
    except BrokenExecutor:
        _log.warning("chore=%s what=%s job=%s task=%s took its process down", chore.id, chore.what, chore.job_id,
                     chore.task_id)
        with suppress(Unavailable):
            farm.db.write(lambda tx: chore_rows.lose(tx, chore.id, _due_after_death(chore, farm.now())))
        raise
    except Exception as error:  # whatever it stumbled over, it is tried again later
        if isinstance(error, OSError) and error.errno in LACKS:
            raise StoreUnavailable(f"The farm cannot do chore {chore.id}: {error.strerror}.") from error
        _log.exception("chore=%s what=%s job=%s task=%s failed", chore.id, chore.what, chore.job_id, chore.task_id)
        _postpone(farm, chore, f"{type(error).__name__}: {error}"[:500])


def put_off(farm: Farm, chore: Chore) -> None:
    """Put a chore back that could not be done by no fault of its own, unless it is ours no more.

    It waits for as long again as it has waited so far, up to a minute: what hinders it may last.
    """
    now = farm.now()
    delay_s = min(LONGEST_DELAY_S, max(1, now - chore.queued_at))
    farm.db.write(lambda tx: chore_rows.put_back(tx, chore.id, now + delay_s, farm.house))


def _due_after_death(chore: Chore, now: int) -> int:
    """Return when a chore is tried again: in its old place after a first death, which is hardly ever its own doing."""
    return 0 if chore.deaths == 0 else now + min(LONGEST_DELAY_S, 10 * 2**chore.deaths)


def _postpone(farm: Farm, chore: Chore, reason: str) -> None:
    if chore.attempts >= farm.settings.chore_attempts:
        _give_up(farm, chore, reason)
        return
    due_at = farm.now() + min(LONGEST_DELAY_S, 5 * 2**chore.attempts)
    farm.db.write(lambda tx: chore_rows.retry(tx, chore.id, due_at, reason))


def _give_up(farm: Farm, chore: Chore, reason: str) -> None:
    told = {"chore": chore.id, "what": chore.what, "reason": reason}

    def give_up(tx: Tx) -> None:
        chore_rows.end(tx, chore.id, failed=True, reason=reason)
        event_rows.add(tx, [Event(What.CHORE_FAILED, chore.job_id, chore.task_id, told)], farm.now())

    farm.db.write(give_up)


def _make_preview(farm: Farm, executor: Executor, chore: Chore) -> None:
    task_id = chore.task_id
    picture = None if task_id is None else farm.db.read(lambda tx: blob_rows.picture_of_task(tx, task_id))
    if task_id is None or picture is None:
        raise ValueError(f"Chore {chore.id} asks for the preview of a task without a picture.")
    job = farm.db.read(lambda tx: job_rows.job_of(tx, chore.job_id))
    with _folder(farm) as folder:
        source = farm.blobs.local_path(Digest(picture.digest), folder)
        target = folder / "preview.jpg"
        made = _awaited(farm, executor.submit(handwork.make_preview, job.kind, source, target, PREVIEW_WIDTH))
        blob = keep_file(farm, made)

    def save(tx: Tx) -> None:
        now, shown = farm.now(), blob_rows.picture_of_task(tx, task_id)
        if shown is None or shown.digest != picture.digest:  # anew meanwhile, which queued another chore
            chore_rows.end(tx, chore.id, failed=False)
            return
        name_blob(tx, blob, now)
        blob_rows.set_preview(tx, task_id, PREVIEW_WIDTH, blob.digest)
        chore_rows.end(tx, chore.id, failed=False)
        event_rows.add(tx, [Event(What.PREVIEW_MADE, chore.job_id, task_id)], now)

    farm.db.write(save)


def _assemble(farm: Farm, executor: Executor, chore: Chore) -> None:
    job = farm.db.read(lambda tx: job_rows.job_of(tx, chore.job_id))
    rows = farm.db.read(lambda tx: blob_rows.pictures_of_job(tx, chore.job_id))
    _see_room(farm, job.id)
    with _folder(farm) as folder:
        pictures = list(_local_pictures(farm, rows, folder))
        target = folder / "products"
        target.mkdir()
        baseline = baselines.held_against(farm, job, folder)
        made = executor.submit(handwork.assemble, job.kind, pictures, job.spec, baseline, target)
        products = _awaited(farm, made, len(pictures))
        kept = [(product, keep_file(farm, product.path)) for product in products]
        changed = baselines.count_changed(products)

    def save(tx: Tx) -> None:
        now = farm.now()
        if chore_rows.is_made_anew(tx, chore):  # by another hand, of what has come since
            chore_rows.end(tx, chore.id, failed=False)
            return
        for product, blob in kept:
            name_blob(tx, blob, now)
            blob_rows.set_product(tx, job.id, product.name, blob.digest, product.media_type, now)
        baselines.accept_first(tx, job, now)
        chore_rows.end(tx, chore.id, failed=False)
        event_rows.add(tx, (Event(What.PRODUCT_MADE, job.id, None, {"name": p.name}) for p in products), now)
        if changed:
            hook_rows.note(tx, [Notice(Topic.REVIEW_CHANGED, job.id, detail={"changed": changed})], now)

    farm.db.write(save)


@contextmanager
def _held(farm: Farm, chore: Chore) -> Iterator[None]:
    """Keep a chore ours while the block runs, whatever of it takes long; so far as the database answers."""
    is_over, term_s = threading.Event(), farm.settings.chore_term_s

    def hold() -> None:
        while not is_over.wait(term_s / 3):
            with suppress(Unavailable):
                farm.db.write(lambda tx: chore_rows.renew(tx, chore.id, farm.now() + term_s, farm.house))

    thread = threading.Thread(target=hold, name=f"chore-{chore.id}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _awaited(farm: Farm, future: "Future[T]", pictures: int = 1) -> T:
    """Wait for what an executor makes of some pictures.

    Raises Left where the server is to end first, and Overdue where it takes longer than any.
    """
    longest_s = BEGINNING_S + PICTURE_S * pictures
    ends_at = time.monotonic() + longest_s
    while not wait([future], timeout=LOOK_PERIOD_S).done:
        if farm.closing.is_set():
            if wait([future], timeout=PATIENCE_S).done:
                break
            raise Left
        if time.monotonic() > ends_at:
            raise Overdue(f"Its process did not end within {longest_s} seconds.")
    return future.result()


def _clear(farm: Farm, _: Executor, chore: Chore) -> None:
    clear_piece(farm, chore)


_DEEDS = {ChoreWhat.PREVIEW: _make_preview, ChoreWhat.ASSEMBLE: _assemble, ChoreWhat.CLEAR: _clear,
          ChoreWhat.EMPTY: _clear}  # fmt: skip


def _local_pictures(farm: Farm, rows: Iterable[PictureRow], folder: Path) -> Iterator[Picture]:
    for row in rows:
        if farm.closing.is_set():  # from a far store, a thousand frames take minutes
            raise Left
        yield Picture(row.frame, row.part, farm.blobs.local_path(Digest(row.digest), folder), row.media_type)


def _see_room(farm: Farm, job_id: JobId) -> None:
    """Raise StoreUnavailable where a job's pictures lie in a far store, and the disk has no room for copies of them;
    Greedy where it would have none if it were empty.
    """
    if farm.blobs.is_local:
        return
    needed = farm.db.read(lambda tx: blob_rows.picture_bytes_of_job(tx, job_id))
    free = _free_bytes(farm)
    if free < needed + LEAST_FREE_BYTES:
        reason = (f"The pictures of job {job_id} need {needed:,} bytes of room to be put together, and the farm's disk"
                  f" has {free:,}.")
        is_hopeless = needed + LEAST_FREE_BYTES > shutil.disk_usage(farm.spool_folder).total
        raise Greedy(reason) if is_hopeless else StoreUnavailable(reason)


@contextmanager
def _folder(farm: Farm) -> Iterator[Path]:
    """Give a folder in the spool for the block.

    What fails there on a full disk, while all that it made still lies there, raises StoreUnavailable; but Greedy where
    the disk is full of just that.
    """
    is_full = False
    try:
        with tempfile.TemporaryDirectory(prefix="chore-", dir=farm.spool_folder, ignore_cleanup_errors=True) as name:
            try:
                yield Path(name)
            except (Left, BrokenExecutor):
                raise
            except Exception:
                is_full = _free_bytes(farm) < LEAST_FREE_BYTES
                raise
    except Exception as error:
        if not is_full:
            raise
        if _free_bytes(farm) >= AMPLE_BYTES:
            raise Greedy("The farm's disk has no room for what is made of it.") from error
        raise StoreUnavailable("The farm's disk is full.") from error


def _free_bytes(farm: Farm) -> int:
    return shutil.disk_usage(farm.spool_folder).free
