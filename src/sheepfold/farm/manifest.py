"""What a folder of backups says of itself, and whether what lies there is what was saved.

`backup.json` has the size and the SHA-256 of each file that a backup shares with no other; of these `files.txt` names
the blobs, whose names are their sums. So a backup that was copied onto a full disk is told from a whole one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from sheepfold.blobs.spool import spooled_already
from sheepfold.model.errors import BadInput
from sheepfold.store.findings import Finding
from sheepfold.store.snapshot import check_copy

MANIFEST = "backup.json"
FORMAT, UNPROVEN_FORMAT, OLD_FORMAT = 3, 2, 1
"""The one before had no sums, and in the old one a folder had one place for the database of all its backups."""
OWN = "farm-{}"
"""The folder of what a backup shares with no other, by a token: database, certificate, and the list of its files."""
FILES = "files.txt"
DATABASE = "database"
LOST_SHOWN = 3
SPOILT_OWN = ("Restore another copy of this backup. Where this folder is the farm's own, make the next backup into it,"
              " which takes the place of this one.")
SPOILT_BLOB = ("Delete it where it is there, and make the next backup of the farm into this folder, which saves it"
               " anew; or copy it from where this folder was copied from. To restore all others, move it away.")


@dataclass(frozen=True, slots=True)
class Sum:
    """By what a file is known to be whole."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: of which sort of database, at which revision of the schema, with how many blobs.

    `lost` are those that it lacks, since the farm that it is of had lost them; `sums` has the files of the folder `own`
    by their paths from there.
    """

    format: Annotated[int, Field(ge=1)]
    database: str
    revision: str
    made_at: int
    blobs: int
    size_bytes: int
    new_blobs: int
    """How many of them were not there yet from a backup before."""
    own: Annotated[str, Field(pattern=r"^(\.|farm-[0-9a-f]+)$")] = "."
    """The folder in which its database lies, from that of all backups."""
    lost: tuple[str, ...] = ()
    sums: Mapping[str, Sum] = field(default_factory=dict)
    farm: str = ""
    """The id of the farm that it is of; a backup from before farms had one says nothing."""

    @property
    def trouble(self) -> str:
        """Say what it lacks; nothing where it is whole."""
        if not self.lost:
            return ""
        count, more = len(self.lost), len(self.lost) - LOST_SHOWN
        names = ", ".join(self.lost[:LOST_SHOWN]) + (f" and {more:,} more, all in {MANIFEST}" if more > 0 else "")
        return (f"The backup lacks {count:,} file{'s' if count > 1 else ''} that the farm had lost: {names}. Everything"
                " else can be restored from it.")

    @property
    def doubt(self) -> str:
        """Say what cannot be proven of it; nothing where all can."""
        if self.format == FORMAT:
            return ""
        return "An older version made this backup, without the sums of its database: nothing proves that it is whole."


_READER = TypeAdapter(Backup)


def read_backup(folder: Path) -> Backup:
    """Return what a folder's backup holds; raises BadInput where it is none, or one that was never finished.

    What the manifest says beyond what is known here is passed over, unless its format is newer.
    """
    try:
        told = json.loads((folder / MANIFEST).read_text("utf-8"))
        if isinstance(told, dict) and isinstance(told.get("format"), int) and told["format"] > FORMAT:
            raise BadInput(f"A newer version made this backup: it is of format {told['format']}, and this program reads"
                           f" {OLD_FORMAT} to {FORMAT}. Restore it with the release that made it.")
        made = _READER.validate_python(told)
    except (OSError, ValueError) as error:
        raise BadInput(f"{folder} holds no finished backup: there is no {MANIFEST} that can be read.") from error
    if made.format == FORMAT and FILES not in made.sums:
        raise BadInput(f"{folder / MANIFEST} has no sum of {FILES}: it is not as it was written. {SPOILT_OWN}")
    return made


def sums_of(folder: Path) -> dict[str, Sum]:
    """Return the sums of all files in a folder, by their paths from there."""
    return {path.relative_to(folder).as_posix(): _sum_of(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _sum_of(path: Path) -> Sum:
    hashed = spooled_already(path)
    return Sum(hashed.size_bytes, hashed.sha256)


def prove(folder: Path, made: Backup) -> Iterator[Finding]:
    """Read every file of a backup, and yield what is not as it was saved, all of it, as it is found."""
    own = list(prove_own(folder, made))
    yield from own
    for path in _blobs_there(folder) if own else blobs_of(folder, made):
        if what := _spoilt(path, path.name):
            yield Finding("every file of the backup is what its name says", what, SPOILT_BLOB)


def prove_own(folder: Path, made: Backup) -> Iterator[Finding]:
    """Read what a backup shares with no other, the database first of all, and yield what is not as it was saved.

    Without sums no more is seen than whether the database is there, and whether the list names as many files as were
    saved.
    """
    own = folder / made.own
    found = [what for name, known in made.sums.items()
             if (what := _spoilt(own / name, known.sha256, known.size_bytes))]
    if not made.sums:
        found += check_copy(own / DATABASE, made.database, made.revision)
        if made.format != OLD_FORMAT and (what := _miscounted(own / FILES, made.blobs)):
            found.append(what)
    yield from (Finding("the backup's database and lists are as they were saved", what, SPOILT_OWN) for what in found)


def _spoilt(path: Path, sha256: str, size_bytes: int | None = None) -> str:
    """Say what is wrong with a file; nothing where it is as it was saved."""
    try:
        found = _sum_of(path)
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    if size_bytes not in {None, found.size_bytes}:
        return f"{path} has {found.size_bytes:,} bytes, and not {size_bytes:,}"
    return "" if found.sha256 == sha256 else f"{path} is spoilt: its SHA-256 is {found.sha256}"


def _miscounted(names: Path, count: int) -> str:
    try:
        with names.open("rb") as lines:
            found = sum(line.endswith(b"\n") for line in lines)
    except OSError as error:
        return f"{names} cannot be read: {error.strerror}"
    return "" if found == count else f"{names} names {found:,} files, and not {count:,}"


def blobs_of(folder: Path, made: Backup) -> Iterator[Path]:
    """Return where the blobs of a backup lie, or should; others lie there where a later one was broken off."""
    if made.format == OLD_FORMAT:
        yield from _blobs_there(folder)
        return
    with (folder / made.own / FILES).open() as names:
        for name in names:
            yield folder / "blobs" / name[:2] / name.rstrip()


def _blobs_there(folder: Path) -> Iterator[Path]:
    for place in sorted((folder / "blobs").glob("??")):
        yield from files_in(place)


def files_in(place: Path) -> list[Path]:
    """Return the blobs in one of a backup's folders of them, in order, and none that is still being copied."""
    return [path for path in sorted(place.glob("*")) if path.suffix != ".part"]
