"""Backup and restore: a live farm's database and blobs in a folder, and a farm made of such a folder again.

The database comes first. A blob is kept before a row names it and outlives its last name by a day, and retention clears
nothing meanwhile, so what is copied after the database holds all that it names. `backup.json` is written last: a folder
without it is no backup.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sheepfold.blobs.blobs import open_blobs
from sheepfold.blobs.spool import Digest, spool_file
from sheepfold.config import Settings
from sheepfold.farm.farm import Farm
from sheepfold.model.accounts import Account
from sheepfold.model.errors import BadInput, UnknownBlob
from sheepfold.store import backups as backup_rows
from sheepfold.store import blobs as blob_rows
from sheepfold.store import people as people_rows
from sheepfold.store import retention as retention_rows
from sheepfold.store.blobs import BlobRow
from sheepfold.store.opening import open_database
from sheepfold.store.people import AuditLine
from sheepfold.store.snapshot import load_database, revision_of, save_database

MANIFEST = "backup.json"
FORMAT = 1
BACKED_UP = "made a backup"
HOLD_S = 600
"""For how long nothing is cleared after the last sign of life of a backup under way."""
BLOBS_AT_A_TIME = 50
Told = Callable[[int, int], None]


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


def back_up(farm: Farm, folder: Path, by: Account | None = None, told: Told = lambda done, total: None) -> Backup:
    """Write a backup of a farm at work into a folder, anew or over an earlier one, whose blobs are not copied again.

    `told` hears how many blobs are saved, and of how many; what it raises ends the backup, which is none then.
    Raises BadInput where the folder is the farm's own, and UnknownBlob where a blob that a row names is missing.
    """
    if folder.resolve().is_relative_to(farm.settings.data.resolve()):
        raise BadInput("A backup does not lie inside of the farm that it is of.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    _hold_retention(farm)
    database = save_database(farm.db, folder / "database")
    rows = farm.db.read(lambda tx: list(blob_rows.all_blobs(tx)))
    new = 0
    for at in range(0, len(rows), BLOBS_AT_A_TIME):
        told(at, len(rows))
        new += _save_blobs(farm, rows[at:at + BLOBS_AT_A_TIME], folder)
    farm.db.write(lambda tx: retention_rows.pause(tx, 0))
    _drop_others(folder, {row.digest for row in rows})
    if (farm.settings.data / "tls").is_dir():
        shutil.copytree(farm.settings.data / "tls", folder / "tls", dirs_exist_ok=True)
    size_bytes = sum(row.size_bytes for row in rows)
    made = Backup(FORMAT, database, revision_of(farm.db), farm.now(), len(rows), size_bytes, new)
    partial = folder / (MANIFEST + ".part")
    partial.write_text(json.dumps(asdict(made), indent=1) + "\n")
    partial.replace(folder / MANIFEST)
    who = by.name if by else "console"
    farm.db.write(lambda tx: people_rows.note(tx, who, BACKED_UP, str(folder.absolute()), farm.now()))
    return made


def last_backup(farm: Farm) -> AuditLine | None:
    """Return what the audit log says of the newest backup: when, who, and into which folder."""
    return farm.db.read(lambda tx: people_rows.newest_line(tx, BACKED_UP))


def restore(settings: Settings, folder: Path) -> Backup:
    """Make the farm that settings describe of a backup; every blob is hashed on the way.

    Raises BadInput where the folder is no backup or there is a farm already, and UnknownBlob where a blob of the backup
    is not what its name says.
    """
    made = read_backup(folder)
    load_database(settings.database_url, settings.data, folder / "database", made.database, made.revision)
    _forget_its_making(settings)
    spool_folder = settings.data / "spool"
    blobs = open_blobs(settings.blobs_url or settings.data / "blobs", spool_folder)
    for path in _blob_files(folder):
        spooled = spool_file(path, spool_folder)
        try:
            if spooled.sha256 != path.name:
                raise UnknownBlob(f"The backup's file {path.name} is spoilt: its SHA-256 is {spooled.sha256}.")
            blobs.keep(spooled)
        finally:
            spooled.discard()
    if (folder / "tls").is_dir():
        shutil.copytree(folder / "tls", settings.data / "tls", dirs_exist_ok=True)
    return made


def _forget_its_making(settings: Settings) -> None:
    """Forget what the backup knows of its own making, which would go on into the folder of the farm that it is of."""
    db = open_database(settings.database_url, settings.data)
    try:
        db.write(backup_rows.forget_unfinished)
    finally:
        db.close()


def read_backup(folder: Path) -> Backup:
    """Return what a folder's backup holds; raises BadInput where it is none, or one that was never finished."""
    try:
        made = Backup(**json.loads((folder / MANIFEST).read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{folder} holds no finished backup: there is no {MANIFEST} that can be read.") from error
    if made.format != FORMAT:
        raise BadInput(f"The backup is of format {made.format}; this program reads {FORMAT}.")
    return made


def _hold_retention(farm: Farm) -> None:
    farm.db.write(lambda tx: retention_rows.pause(tx, farm.now() + HOLD_S))


def _save_blobs(farm: Farm, rows: list[BlobRow], folder: Path) -> int:
    """Save some blobs and tell that the backup goes on; returns how many were not there from before."""
    _hold_retention(farm)
    return sum(_save_blob(farm, row, folder) for row in rows)


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
