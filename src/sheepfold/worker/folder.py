"""The work folder: what the worker is at, written down before it is begun, so that a crash loses no picture."""

import json
import logging
import os
import secrets
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from sheepfold.files import sync
from sheepfold.kinds.seam import RenderFailed
from sheepfold.model.errors import Conflict
from sheepfold.protocols.link import Figures, Work
from sheepfold.worker import disk

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended here: with a picture, or else with a lease to give back, as failed or not, and why."""

    has_picture: bool = False
    figures: Figures = field(default_factory=Figures)
    reason: str = ""
    failed: bool = False


CRASHED = Outcome(reason="The worker ended before the render did.")


@dataclass(frozen=True, slots=True)
class Desk:
    """The folder of one lease. A renderer sees `room` alone, so that it cannot touch what the worker wrote down.

    `unwritten` is how the task ended where nothing of that could be written down; it lasts as long as the worker.
    """

    path: Path
    work: Work
    unwritten: Outcome = CRASHED

    @property
    def name(self) -> str:
        """Return what tells this desk from others."""
        return self.path.name

    @property
    def room(self) -> Path:
        """Return the renderer's folder."""
        return self.path / "room"

    @property
    def input(self) -> Path:
        """Return where the task's own input lies, if it has one."""
        return self.path / "input"

    @property
    def log(self) -> Path:
        """Return the renderer's log, which is there once a renderer was started."""
        return self.path / "log.txt"

    @property
    def picture(self) -> Path:
        """Return the finished picture, once there is one."""
        return self.path / "picture"

    def take(self, rendered: Path, room: Path | None = None) -> None:
        """Move a rendered picture out of the room, the desk's own where none is given.

        Raises RenderFailed for anything but a plain file in the room: a link could be to the volunteer's secrets.
        """
        is_within = rendered.resolve().is_relative_to((room or self.room).resolve())
        if not is_within or not rendered.exists() or not stat.S_ISREG(rendered.lstat().st_mode):
            raise RenderFailed("the renderer left no plain file where its picture should be")
        rendered.replace(self.picture)
        sync(self.picture)

    def close(self, outcome: Outcome) -> None:
        """Write down how the task ended, and remove the room, which is not needed any more.

        Raises OSError where that cannot be written. The room is removed all the same: it may be what fills the disk.
        """
        try:
            _write(self.path / "outcome.json", asdict(outcome))
        finally:
            remove_folder(self.room)

    def outcome(self) -> Outcome:
        """Return how the task ended; without a word on it, the worker crashed."""
        try:
            told = json.loads((self.path / "outcome.json").read_text("utf-8"))
            outcome = Outcome(**told | {"figures": Figures(**told["figures"])})
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            outcome = self.unwritten
        return CRASHED if outcome.has_picture and not self.picture.is_file() else outcome

    def clear(self) -> None:
        """Remove the desk."""
        remove_folder(self.path)


class WorkFolder:
    """A folder that one worker has to itself while it is entered; raises Conflict where another one has it.

    `farm` tells whose leases are whose, if the folder was used for several farms.
    """

    def __init__(self, path: Path, farm: str) -> None:
        self._path = path
        self._farm = farm
        self._lock = -1

    @property
    def has_room(self) -> bool:
        """Say whether there is room for a task on the disk."""
        return disk.has_room(self._path)

    @property
    def cache(self) -> Path:
        """Return the folder of files that are used again."""
        return self._path / "cache"

    @property
    def chain(self) -> Path:
        """Return the folder where a renderer stays between tasks, which is there while one does."""
        return self._path / "chain"

    @property
    def kept(self) -> Path:
        """Return the folder of what kinds keep for all orders, each in a folder of its name."""
        return self._path / "kept"

    @property
    def link(self) -> Path:
        """Return the folder where the wire's client keeps what it must."""
        return self._path / "link"

    def __enter__(self) -> Self:
        for folder in (self._path, self.cache, self.link, self._desks):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(self._path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._lock)
        except OSError as error:
            os.close(self._lock)
            raise Conflict(f"Another worker uses the folder {self._path}; give this one its own.") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._lock)  # which unlocks

    def new_desk(self, work: Work) -> Desk:
        """Make a desk for a lease and write down what it is; raises OSError where there is no room."""
        desk = Desk(Path(tempfile.mkdtemp(prefix=f"{work.frame:06d}-", dir=self._desks)), work)
        try:
            desk.room.mkdir()
            _write(desk.path / "order.json", {"farm": self._farm, "work": asdict(work)})
        except BaseException:
            desk.clear()
            raise
        return desk

    def left_desks(self) -> list[Desk]:
        """Return what an earlier worker left for this farm; what cannot be read is removed."""
        found = [self._read(path) for path in sorted(self._desks.iterdir()) if path.is_dir()]
        return [desk for desk in found if desk is not None]

    @property
    def _desks(self) -> Path:
        return self._path / "tasks"

    def _read(self, path: Path) -> Desk | None:
        try:
            told = json.loads((path / "order.json").read_text("utf-8"))
            desk, farm = Desk(path, Work(**told["work"])), told["farm"]
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            _log.warning("desk_unreadable folder=%s", path)
            remove_folder(path)
            return None
        if farm != self._farm:
            _log.warning("desk_of_other_farm folder=%s farm=%s", path, farm)
            return None
        return desk


def _lock(descriptor: int) -> None:
    """Take the lock of a file, which the system drops with the process; raises OSError where it is taken."""
    if sys.platform == "win32":
        import msvcrt  # noqa: PLC0415 -- Windows alone

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # noqa: PLC0415 -- all but Windows

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write(path: Path, value: Mapping[str, object]) -> None:
    """Write JSON so that the file is there whole or not at all, also after a loss of power."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(value, indent=1), "utf-8")
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder in which a stranger may have forbidden to remove anything; what stays is logged.

    Folders within folders are moved up first: they may lie deeper than Python can follow, and no system takes their
    whole path.
    """
    if folder.is_symlink() or not folder.exists():
        folder.unlink(missing_ok=True)
        return
    waiting = [folder]
    while waiting:
        at = waiting.pop()
        for path in _folders_left(at):
            with _noted(path):
                waiting.append(_raised(path, folder))
        if at != folder:
            with _noted(at):
                at.rmdir()
    with _noted(folder):
        folder.rmdir()


def _folders_left(folder: Path) -> list[Path]:
    """Remove the files of a folder, and return the folders in it; a link is a file, wherever it leads."""
    folders: list[Path] = []
    with _noted(folder):
        folder.chmod(0o700)
        with os.scandir(folder) as entries:
            found = list(entries)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            else:
                with _noted(entry.path):
                    _remove_file(Path(entry.path))
    return folders


def _remove_file(path: Path) -> None:
    try:
        path.unlink()
    except PermissionError:  # as for read-only files on Windows
        path.chmod(0o600)
        path.unlink()


def _raised(path: Path, top: Path) -> Path:
    """Move a folder, unless it lies there already, to `top`, under a name that nobody could foresee."""
    if path.parent == top:
        return path
    path.chmod(0o700)  # since the folder itself says where it lies
    return path.rename(top / secrets.token_hex(16))


@contextmanager
def _noted(path: str | Path) -> Iterator[None]:
    """Log what cannot be removed, and go on."""
    try:
        yield
    except OSError as error:
        _log.warning("not_removed path=%s error=%s", path, error)
