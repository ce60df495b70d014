"""Backups that are asked for: the house makes them in a thread of its own, and everybody sees how far it is."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sheepfold.farm.backup import back_up
from sheepfold.farm.chores import Left
from sheepfold.farm.farm import Farm
from sheepfold.farm.retention import HOLD_S
from sheepfold.model.accounts import Account
from sheepfold.model.errors import BadInput, SheepfoldError
from sheepfold.store import accounts as account_rows
from sheepfold.store import backups as backup_rows
from sheepfold.store.backups import Asked
from sheepfold.store.database import Tx

CONSOLE = "console"
_log = logging.getLogger(__name__)


def ask_backup(farm: Farm, by: Account | None) -> Asked:
    """Ask for a backup into the folder of the farm's settings, by the owner or None for the console.

    One that is under way is returned as it is. Raises BadInput where the settings name no folder.
    """
    folder = farm.settings.backup_folder
    if not folder:
        raise BadInput("This farm names no folder for backups: SHEEPFOLD_BACKUP_FOLDER is not set. At its console "
                       "`sheepfold backup FOLDER` makes them into any.")
    who = by.name if by else CONSOLE
    return farm.db.write(lambda tx: backup_rows.ask(tx, who, str(Path(folder).absolute()), farm.now()))


def view_backup(farm: Farm, backup_id: int) -> Asked:
    """Return a backup that was asked for; raises NotFound."""
    return farm.db.read(lambda tx: backup_rows.backup_of(tx, backup_id))


def list_backups(farm: Farm, limit: int, before: int | None = None) -> list[Asked]:
    """Return the backups that were asked for, the newest first, those before an id."""
    return farm.db.read(lambda tx: backup_rows.list_backups(tx, limit, before))


def make_next_backup(farm: Farm, is_over: Callable[[], bool] = lambda: False) -> bool:
    """Make the backup that waits; False where none does. One that fails says why, and is not tried again.

    When it `is_over` the backup is left for the next house to begin again.
    """
    asked = farm.db.write(lambda tx: backup_rows.take(tx, farm.now(), farm.now() - HOLD_S))
    if asked is None:
        return False
    change = partial(_change, farm, asked.id)

    def tell(done: int, total: int) -> None:
        if is_over():
            raise Left
        change(heard_at=farm.now(), files_done=done, files=total)

    try:
        made = back_up(farm, Path(asked.folder), _named(farm, asked.who), tell, lambda: change(heard_at=farm.now()))
    except Left:
        change(heard_at=None)
    except Exception as error:  # noqa: BLE001 -- whoever asked is told, whatever it was
        _log.exception("backup=%s failed", asked.id)
        change(ended_at=farm.now(), trouble=_why(error, asked)[:500])
    else:
        change(ended_at=farm.now(), files_done=made.blobs, files=made.blobs, new_files=made.new_blobs,
               size_bytes=made.size_bytes, trouble=made.trouble)  # and not what of whoever took its maker for dead
    return True


def _why(error: Exception, asked: Asked) -> str:
    """Say in a sentence why a backup failed."""
    if isinstance(error, SheepfoldError):
        return str(error)
    return f"Something nobody foresaw has ended it; the server's log says what, by backup={asked.id}."


class Backups:
    """The house's hand for backups: one thread, while one is asked for."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self) -> None:
        """Begin with a backup that waits, unless one is being made."""
        if self._thread is not None and self._thread.is_alive():
            return
        newest = next(iter(list_backups(self._farm, 1)), None)
        if newest is not None and newest.waits(self._farm.now() - HOLD_S):
            self._thread = threading.Thread(target=self._make, name="backup", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Leave what is being made, and wait until it is left."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _make(self) -> None:
        try:
            make_next_backup(self._farm, self._ended.is_set)
        except Exception:  # noqa: BLE001 -- such as a database that is away: the next beat begins anew
            _log.exception("backup=stumbled")


def _change(farm: Farm, backup_id: int, **values: object) -> None:
    farm.db.write(lambda tx: backup_rows.change(tx, backup_id, **values))


def _named(farm: Farm, who: str) -> Account | None:
    """Return who asked, None for the console and for who is gone since."""

    def read(tx: Tx) -> Account | None:
        return None if who == CONSOLE else account_rows.find_account(tx, who)

    return farm.db.read(read)
