"""Backup and restore: a live farm's database and blobs in a folder, and a farm made of such a folder again.

The database is saved first. A blob is kept before a row names it, and neither retention nor the sweep drops any while a
backup is made, so what is copied after the database holds all that it names. `backup.json` is written last: a folder
without it is no backup. Restoring goes the other way: first the blobs, and last the database, with which the farm is
there.
"""

import fcntl
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from sheepfold.blobs.blobs import Blobs, open_blobs
from sheepfold.blobs.spool import Digest, spool_file
from sheepfold.config import Settings
from sheepfold.farm.farm import Farm
from sheepfold.farm.retention import HOLD_S, hold
from sheepfold.model.accounts import Account
from sheepfold.model.errors import BadInput, Conflict, Unavailable, UnknownBlob
from sheepfold.store import backups as backup_rows
from sheepfold.store import blobs as blob_rows
from sheepfold.store import people as people_rows
from sheepfold.store.blobs import BlobRow
from sheepfold.store.people import AuditLine
from sheepfold.store.snapshot import check_new, load_database, revision_of, save_database

MANIFEST = "backup.json"
LOCK = "backup.lock"
FORMAT = 1
BACKED_UP = "made a backup"
SIGN_PERIOD_S = 60.0
"""How often a backup under way gives a sign of life, however long one of its steps takes."""
BLOBS_AT_A_TIME = 50
Told = Callable[[int, int], None]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: of which sort of database, at which revision of the schema, with how many blobs."""

    format: int
    database: str
    revision: str
    made_at: int
    blobs: int
    size_bytes: int
    new_blobs: int
    """How many of them were not there yet from a backup before."""


def back_up(farm: Farm, folder: Path, by: Account | None = None, told: Told = lambda done, total: None,
            lives: Callable[[], None] = lambda: None) -> Backup:
    """Write a backup of a farm at work into a folder, anew or over an earlier one, whose blobs are not copied again.

    `told` hears how many blobs are saved, and of how many; what it raises ends the backup, which is none then. `lives`
    is called each minute, on a thread of its own. Raises BadInput where the folder is the farm's own, Conflict where
    another backup is being made there, UnknownBlob where a blob that a row names is missing, and Unavailable where the
    backup stood still for so long that blobs may have been dropped.
    """
    if folder.resolve().is_relative_to(farm.settings.data.resolve()):
        raise BadInput("A backup does not lie inside of the farm that it is of.")
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder), _Hold(farm, lives) as held:
        (folder / MANIFEST).unlink(missing_ok=True)
        database = save_database(farm.db, folder / "database")
        rows = farm.db.read(lambda tx: list(blob_rows.all_blobs(tx)))
        new = 0
        for at in range(0, len(rows), BLOBS_AT_A_TIME):
            told(at, len(rows))
            new += sum(_save_blob(farm, row, folder) for row in rows[at:at + BLOBS_AT_A_TIME])
        held.check()
        _drop_others(folder, {row.digest for row in rows})
        return _finished(farm, folder, by, database, rows, new)


class _Hold:
    """Has nothing of a farm dropped while a backup is made, and tells that it lives.

    It ends by itself some minutes after the backup, which may not be the only one.
    """

    def __init__(self, farm: Farm, lives: Callable[[], None]) -> None:
        self._farm = farm
        self._lives = lives
        self._was_lost = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_on, name="backup-hold", daemon=True)

    def __enter__(self) -> Self:
        hold(self._farm)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Raise Unavailable where it was let go since it began, as when the machine slept."""
        self._renew()
        if self._was_lost:
            raise Unavailable(f"The backup gave no sign of life for {HOLD_S} seconds, and the farm may have dropped"
                              " what it copies: make it again.")

    def _renew(self) -> None:
        if not hold(self._farm):
            self._was_lost = True

    def _keep_on(self) -> None:
        while not self._ended.wait(SIGN_PERIOD_S):
            try:
                self._renew()
                self._lives()
            except Unavailable as error:
                _log.warning("backup=waiting reason=%s", error)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Be the only one that makes a backup in a folder; raises Conflict where there is another."""
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"Another backup is being made in {folder}: wait until it is done.") from error
        yield


def _finished(farm: Farm, folder: Path, by: Account | None, database: str, rows: list[BlobRow], new: int) -> Backup:
    """Finish a backup whose database and blobs are saved."""
    if (farm.settings.data / "tls").is_dir():
        shutil.copytree(farm.settings.data / "tls", folder / "tls", dirs_exist_ok=True)
    size_bytes = sum(row.size_bytes for row in rows)
    made = Backup(FORMAT, database, revision_of(farm.db), farm.now(), len(rows), size_bytes, new)
    partial = folder / (MANIFEST + ".part")
    partial.write_text(json.dumps(asdict(made), indent=1) + "\n")
    os.sync()  # what it vouches for is on the disk before it is
    partial.replace(folder / MANIFEST)
    who = by.name if by else "console"
    farm.db.write(lambda tx: people_rows.note(tx, who, BACKED_UP, str(folder.absolute()), farm.now()))
    return made


def last_backup(farm: Farm) -> AuditLine | None:
    """Return what the audit log says of the newest backup: when, who, and into which folder."""
    return farm.db.read(lambda tx: people_rows.newest_line(tx, BACKED_UP))


def restore(settings: Settings, folder: Path) -> Backup:
    """Make the farm that settings describe of a backup; every blob is hashed on the way.

    The database comes last, so that one that was broken off is no farm, and is begun again. Raises BadInput where the
    folder is no backup, or there is a farm already or something that was one's, and UnknownBlob where a blob of the
    backup is not what its name says.
    """
    made = read_backup(folder)
    check_new(settings.database_url, settings.data, made.database, made.revision)
    spool_folder = settings.data / "spool"
    blobs = open_blobs(settings.blobs_url or settings.data / "blobs", spool_folder)
    for path in _blob_files(folder):
        _restore_blob(blobs, path, spool_folder)
    if (folder / "tls").is_dir():
        shutil.copytree(folder / "tls", settings.data / "tls", dirs_exist_ok=True)
    # a backup knows of its own making, which would go on into the folder of the farm that it is of
    load_database(settings.database_url, settings.data, folder / "database", made.revision,
                  backup_rows.forget_unfinished)
    return made


def _restore_blob(blobs: Blobs, path: Path, spool_folder: Path) -> None:
    """Keep a backup's blob, also in place of one that was there before and is spoilt."""
    spooled = spool_file(path, spool_folder)
    try:
        if spooled.sha256 != path.name:
            raise UnknownBlob(f"The backup's file {path.name} is spoilt: its SHA-256 is {spooled.sha256}.")
        if blobs.exists(spooled.sha256) and not blobs.check(spooled.sha256):
            blobs.delete(spooled.sha256)
        blobs.keep(spooled)
    finally:
        spooled.discard()


def read_backup(folder: Path) -> Backup:
    """Return what a folder's backup holds; raises BadInput where it is none, or one that was never finished."""
    try:
        made = Backup(**json.loads((folder / MANIFEST).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{folder} holds no finished backup: there is no {MANIFEST} that can be read.") from error
    if made.format != FORMAT:
        raise BadInput(f"The backup is of format {made.format}; this program reads {FORMAT}.")
    return made


def _drop_others(folder: Path, digests: set[str]) -> None:
    """Drop what only an earlier backup in this folder held, so that what a farm clears does not pile up here."""
    for path in _blob_files(folder):
        if path.name not in digests:
            path.unlink()


def _save_blob(farm: Farm, row: BlobRow, folder: Path) -> bool:
    """Link or copy a blob into a backup; False where it is there from before."""
    target = folder / "blobs" / row.digest[:2] / row.digest
    if target.is_file() and target.stat().st_size == row.size_bytes:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    partial.unlink(missing_ok=True)
    source = farm.blobs.local_path(Digest(row.digest), target.parent)
    try:
        os.link(source, partial)
    except OSError:  # another file system
        shutil.copyfile(source, partial)
    if source.parent == target.parent:
        source.unlink(missing_ok=True)
    partial.replace(target)
    return True


def _blob_files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted((folder / "blobs").glob("??/*")) if path.suffix != ".part")
