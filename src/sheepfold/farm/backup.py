"""Backup and restore: a live farm's database and blobs in a folder, and a farm made of such a folder again.

The database is saved first, in a folder of its own. A blob is kept before a row names it, and neither retention nor the
sweep drops any while a backup is made, so what is copied after the database holds all that it names. `backup.json` says
which database counts, and is replaced last: until then the backup before can be restored, and what it alone holds goes
only afterwards. A folder without that file is no backup. Restoring goes the other way: first the blobs, and last the
database, with which the farm is there.
"""

import fcntl
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Self

from sheepfold.blobs.blobs import Blobs, open_blobs
from sheepfold.blobs.spool import Digest, spool_file
from sheepfold.config import Settings
from sheepfold.farm.belonging import identity_of
from sheepfold.farm.farm import Farm
from sheepfold.farm.manifest import (
    DATABASE,
    FILES,
    FORMAT,
    MANIFEST,
    OWN,
    Backup,
    blobs_of,
    files_in,
    prove_own,
    read_backup,
    sums_of,
)
from sheepfold.farm.retention import HOLD_S, hold
from sheepfold.files import make_private_folder, sync
from sheepfold.model.accounts import Account
from sheepfold.model.errors import BadInput, Conflict, StoreUnavailable, Unavailable, UnknownBlob
from sheepfold.store import backups as backup_rows
from sheepfold.store import blobs as blob_rows
from sheepfold.store import people as people_rows
from sheepfold.store.blobs import BlobRow
from sheepfold.store.people import AuditLine
from sheepfold.store.snapshot import check_new, load_database, save_database
from sheepfold.store.wholeness import unknown_files

LOCK = "backup.lock"
ANY_TOKEN = "[0-9a-f]" * 32
BACKED_UP = "made a backup"
SIGN_PERIOD_S = 60.0
"""How often a backup under way gives a sign of life, however long one of its steps takes."""
STILL_S = 3600
"""For how long a backup may copy nothing, as when its disk hangs, until the farm drops things again."""
BLOBS_AT_A_TIME = 50
Told = Callable[[int, int], None]
_log = logging.getLogger(__name__)


def back_up(farm: Farm, folder: Path, by: Account | None = None, told: Told = lambda done, total: None,
            lives: Callable[[], None] = lambda: None) -> Backup:
    """Write a backup of a farm at work into a folder, anew or over an earlier one, whose blobs are not copied again.

    What the farm itself has lost is left out and named. `told` hears how many blobs are saved, and of how many; what it
    raises ends the backup, and leaves the one before as it was, as does whatever else breaks it off. `lives` is called
    each minute while it goes on, on a thread of its own. Raises BadInput where the folder is the farm's own, Conflict
    where another backup is being made there, or another farm's lies there, or a newer release has brought PostgreSQL
    up to date, and Unavailable where the backup stood still for so long that blobs may have been dropped, or where a
    disk fails, most of all its own.
    """
    if folder.resolve().is_relative_to(farm.settings.data.resolve()):
        raise BadInput("A backup does not lie inside of the farm that it is of.")
    with _saying("The backup cannot be made", folder):
        made = _back_up(farm, folder, told, lives)
    who = by.name if by else "console"
    farm.db.write(lambda tx: people_rows.note(tx, who, BACKED_UP, str(folder.absolute()), farm.now()))
    return made


def _back_up(farm: Farm, folder: Path, told: Told, lives: Callable[[], None]) -> Backup:
    make_private_folder(folder)
    with _alone_in(folder), _Hold(farm, lives) as held, _own_folder(folder, OWN.format(farm.token())) as own:
        farm_id = _of_this_farm(farm, folder)
        copied = save_database(farm.db, own / DATABASE, held.goes_on)
        saved = _save_blobs(farm, folder, own / FILES, told, held)
        if (farm.settings.data / "tls").is_dir():
            shutil.copytree(farm.settings.data / "tls", own / "tls")
        held.check()
        made = Backup(FORMAT, copied.sort, copied.revision, farm.now(), saved.count, saved.size_bytes, saved.new,
                      own.stem, tuple(saved.lost), sums_of(own), farm_id)
        _finish(folder, made)
        _drop_others(folder, made.own, farm.db.read(unknown_files).union(saved.lost))
    return made


def _of_this_farm(farm: Farm, folder: Path) -> str:
    """Return the farm's id; raises Conflict where a folder has a backup of another one, which would be lost."""
    farm_id, is_blank = farm.db.read(identity_of)
    there = ""
    with suppress(BadInput):  # what cannot be read is replaced
        there = read_backup(folder).farm
    if there not in {"", farm_id} or (is_blank and (folder / MANIFEST).exists() and not there):
        raise Conflict(f"{folder} has a backup of another farm{f', {there}' if there else ''}: this is farm {farm_id}."
                       " Are --data and DATABASE_URL right? Each farm has a folder of its own.")
    return farm_id


@contextmanager
def _saying(what: str, folder: Path) -> Iterator[None]:
    """Turn a disk's error, also where it was told of as the farm's, into Unavailable, which names the file."""
    try:
        yield
    except (OSError, StoreUnavailable) as error:
        found = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(found, OSError):
            raise Unavailable(f"{what}: {error}") from error
        where = found.filename2 or found.filename or folder
        raise Unavailable(f"{what}: {where}: {found.strerror or found}.") from error


class _Hold:
    """Has nothing of a farm dropped while a backup is made, and tells that it lives.

    It ends by itself some minutes after the backup, which may not be the only one, or where that `goes_on` no more.
    """

    def __init__(self, farm: Farm, lives: Callable[[], None]) -> None:
        self._farm = farm
        self._lives = lives
        self._was_lost = False
        self._went_on_at = farm.now()
        self._ended = threading.Event()
        self._renewing = threading.Lock()
        self._thread = threading.Thread(target=self._keep_on, name="backup-hold", daemon=True)

    def __enter__(self) -> Self:
        hold(self._farm)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def goes_on(self) -> None:
        """Note that something was copied."""
        self._went_on_at = self._farm.now()

    def check(self) -> None:
        """Raise Unavailable where it was let go since it began, as when the machine slept."""
        self._renew()
        if self._was_lost:
            raise Unavailable(f"The backup gave no sign of life for {HOLD_S} seconds, and the farm may have dropped"
                              " what it copies: make it again.")

    def _renew(self) -> None:
        with self._renewing:  # who finds it held again must know that it was lost
            if not hold(self._farm):
                self._was_lost = True

    def _keep_on(self) -> None:
        while not self._ended.wait(SIGN_PERIOD_S):
            try:
                if self._farm.now() < self._went_on_at + STILL_S:
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


@contextmanager
def _own_folder(folder: Path, name: str) -> Iterator[Path]:
    """Make the folder of what a backup alone holds; it goes where it has not got its name in the end."""
    for left in folder.glob(OWN.format(ANY_TOKEN) + ".part"):
        shutil.rmtree(left)
    own = folder / f"{name}.part"
    own.mkdir()
    try:
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)


def _finish(folder: Path, made: Backup) -> None:
    """Finish a backup whose database and blobs are saved: with its last step it takes the place of the one before."""
    partial = folder / (MANIFEST + ".part")
    partial.write_text(json.dumps(asdict(made), indent=1) + "\n")
    (folder / f"{made.own}.part").rename(folder / made.own)
    os.sync()  # what it vouches for is on the disk before it is
    partial.replace(folder / MANIFEST)
    sync(folder)


def last_backup(farm: Farm) -> AuditLine | None:
    """Return what the audit log says of the newest backup: when, who, and into which folder."""
    return farm.db.read(lambda tx: people_rows.newest_line(tx, BACKED_UP))


def restore(settings: Settings, folder: Path, *, is_gone: bool = False) -> Backup:
    """Make the farm that settings describe of a backup, and return as much of it as is back; every file is hashed.

    The database comes last, so that one that was broken off is no farm, and is begun again. Raises BadInput where the
    folder is no backup, or one of a newer release, or its database or lists are not as they were saved, or there is a
    farm already or something that was one's, or where the farm would lie in its backup; Conflict where a farm has its
    files there, also the one that was backed up, and nobody says that it `is_gone`; UnknownBlob where a blob of the
    backup is not what its name says; and Unavailable where a disk fails.
    """
    made = read_backup(folder)
    if settings.data.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"A farm does not lie inside of a backup: {settings.data} is in {folder}.")
    if faults := list(prove_own(folder, made)):
        raise BadInput(f"The backup is not as it was saved: {'; '.join(fault.what for fault in faults)}."
                       f" {faults[0].remedy}")
    with _saying(f"The farm in {settings.data} cannot be made", settings.data):
        return _restore(settings, folder, made, is_gone=is_gone)


_OWNED = ("There are files of farm {} already, or will be: a farm that is restored beside it would sweep away what its"
          " database does not know. Say another --data or BLOBS_URL; or, if that farm is gone for good, --old-is-gone."
          " Nothing was changed.")


def _restore(settings: Settings, folder: Path, made: Backup, *, is_gone: bool) -> Backup:
    own = folder / made.own
    check_new(settings.database_url, settings.data, made.database, made.revision)
    make_private_folder(settings.data)
    spool_folder = settings.data / "spool"
    blobs = open_blobs(settings.blobs_url or settings.data / "blobs", spool_folder)
    if not is_gone and (owner := blobs.owner()):
        raise Conflict(_OWNED.format(owner))
    sizes = [_restore_blob(blobs, path, spool_folder) for path in blobs_of(folder, made) if path.exists()]
    if (own / "tls").is_dir():
        shutil.copytree(own / "tls", settings.data / "tls", dirs_exist_ok=True)
    # a backup knows of its own making, which would go on into the folder of the farm that it is of
    load_database(settings.database_url, settings.data, own / DATABASE, made.revision,
                  backup_rows.forget_unfinished)
    if made.farm:
        blobs.belong_to(made.farm)
    return replace(made, blobs=len(sizes), size_bytes=sum(sizes))


def _restore_blob(blobs: Blobs, path: Path, spool_folder: Path) -> int:
    """Keep a backup's blob, also in place of one that was there before and is spoilt; returns its size in bytes."""
    spooled = spool_file(path, spool_folder)
    try:
        if spooled.sha256 != path.name:
            raise UnknownBlob(f"The backup's file {path.name} is spoilt: its SHA-256 is {spooled.sha256}. To restore"
                              " all others, move it away; `sheepfold restore --check` finds all such files at once.")
        if blobs.exists(spooled.sha256) and not blobs.check(spooled.sha256):
            blobs.delete(spooled.sha256)
        return blobs.keep(spooled).size_bytes
    finally:
        spooled.discard()


def _drop_others(folder: Path, own: str, kept: set[str]) -> None:
    """Drop what only an earlier backup in this folder held, so that what a farm clears does not pile up here."""
    for path in folder.glob(OWN.format(ANY_TOKEN)):
        if path.name != own:
            shutil.rmtree(path)
    places = {path.name: path for path in (folder / "blobs").glob("??")}
    with (folder / own / FILES).open() as lines:
        for name, some in groupby(lines, lambda line: line[:2]):  # they are in order
            _drop_from(places.pop(name), kept.union(line.rstrip() for line in some))
    for place in places.values():
        _drop_from(place, kept)
    old_database, old_tls = folder / "database", folder / "tls"
    old_files = [path for ending in ("copy", "part", "sqlite") for path in old_database.glob(f"*.{ending}")]
    for path in (*old_files, *old_tls.glob("*.pem")):
        path.unlink()
    for place in (old_database, old_tls):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _drop_from(place: Path, kept: set[str]) -> None:
    for path in [*files_in(place), *place.glob("*.part")]:  # those were being copied when a backup broke off
        if path.name not in kept:
            path.unlink()


@dataclass(slots=True)
class _Saved:
    """What a backup has of a farm's blobs: how many, of how many bytes, how many of them anew, and which are lost."""

    count: int = 0
    size_bytes: int = 0
    new: int = 0
    lost: list[str] = field(default_factory=list)


def _save_blobs(farm: Farm, folder: Path, names: Path, told: Told, held: _Hold) -> _Saved:
    """Have all blobs in a backup, and their names in a file."""
    saved, total = _Saved(), farm.db.read(blob_rows.count_blobs)
    with names.open("w") as file:
        for place, row in enumerate(blob_rows.all_blobs(farm.db.read)):
            if place % BLOBS_AT_A_TIME == 0:
                told(place, max(place, total))
            try:
                saved.new += _save_blob(farm, row, folder)
            except UnknownBlob:
                saved.lost.append(row.digest)
            else:
                saved.count += 1
                saved.size_bytes += row.size_bytes
                file.write(f"{row.digest}\n")
            held.goes_on()
    return saved


def _save_blob(farm: Farm, row: BlobRow, folder: Path) -> bool:
    """Link or copy a blob into a backup; False where it is there from before. Raises UnknownBlob where it is lost."""
    target = folder / "blobs" / row.digest[:2] / row.digest
    if target.is_file() and target.stat().st_size == row.size_bytes:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    partial.unlink(missing_ok=True)
    source = _found(farm, row, target.parent)
    try:
        os.link(source, partial)
    except OSError:  # another file system
        shutil.copyfile(source, partial)
    if source.parent == target.parent:
        source.unlink(missing_ok=True)
    partial.replace(target)
    return True


def _found(farm: Farm, row: BlobRow, folder: Path) -> Path:
    """Return a blob's file, fetched into a folder where need be; raises UnknownBlob where it is missing or spoilt."""
    digest = Digest(row.digest)
    try:
        source = farm.blobs.local_path(digest, folder)
    except StoreUnavailable:
        if farm.blobs.check(digest):
            raise
    else:
        if source.stat().st_size == row.size_bytes:
            return source
    raise UnknownBlob(f"The file {digest} is spoilt.")
