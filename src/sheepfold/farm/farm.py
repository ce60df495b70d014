"""What an operation may need of its farm: database, blobs, inspection, clock and chance, put together in one place."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sheepfold.blobs.blobs import Blobs, open_blobs
from sheepfold.config import Settings
from sheepfold.farm.belonging import is_here, see_database, see_files
from sheepfold.farm.boards import Boards
from sheepfold.farm.needs import NeedsIndex
from sheepfold.farm.outlook import Outlook
from sheepfold.farm.tries import Tries
from sheepfold.farm.voices import Voices
from sheepfold.files import make_private_folder
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.accounts import ANONYMOUS, Account, Role
from sheepfold.store import accounts as account_rows
from sheepfold.store.database import Database, Tx
from sheepfold.store.horizon import Horizon
from sheepfold.store.opening import open_database

Verifiers = Callable[[str, str], Sequence[tuple[str, str]]]
"""Of a machine key and its account's name: what the wires will check that key by, as pairs of scheme and value."""


@dataclass(frozen=True, slots=True)
class Farm:
    """Everything that an operation may touch; time and chance are `now` (Unix seconds) and `token` (32 hex digits).

    Periods are measured by `elapsed`, in seconds since whenever, which goes on whatever becomes of the clock.
    """

    settings: Settings
    db: Database
    blobs: Blobs
    inspector: Inspector
    anonymous: Account
    needs: NeedsIndex
    outlook: Outlook
    boards: Boards
    tries: Tries
    voices: Voices
    verifiers: Verifiers
    now: Callable[[], int]
    token: Callable[[], str]
    spool_folder: Path
    horizon: Horizon
    elapsed: Callable[[], float] = time.monotonic
    house: str = ""
    """The name of whoever keeps house in this data folder, by which its chores are known."""
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the server is to end: whatever is held for news then lets go."""


@contextmanager
def open_farm(settings: Settings, verifiers: Verifiers, now: Callable[[], int] | None = None,
              inspector: Inspector | None = None) -> Iterator[Farm]:
    """Open a farm in its data folder, made where it is missing, and close it at the end.

    `now` is the clock, the system's by default; one that is handed over measures periods, too. An inspector that is
    handed over stays open, and may serve several farms. Raises Conflict where the folder's files are another farm's.
    """
    clock = now or (lambda: int(time.time()))
    spool_folder = settings.data / "spool"
    make_private_folder(settings.data)
    spool_folder.mkdir(exist_ok=True)
    blobs = open_blobs(settings.blobs_url or settings.data / "blobs", spool_folder)
    see_database(settings, blobs)
    with ExitStack() as closing:
        db = open_database(settings.database_url, settings.data)
        closing.callback(db.close)
        if is_here(settings):  # a store elsewhere the sweep looks at: it may not answer now
            see_files(db, blobs)
        yield Farm(
            settings=settings,
            db=db,
            blobs=blobs,
            inspector=inspector or closing.enter_context(_own_inspector(settings)),
            anonymous=db.write(lambda tx: _ensure_anonymous(tx, clock())),
            needs=NeedsIndex(db),
            outlook=Outlook(db, clock),
            boards=Boards(db),
            tries=Tries(clock),
            voices=Voices(clock),
            verifiers=verifiers,
            now=clock,
            token=lambda: secrets.token_hex(16),
            spool_folder=spool_folder,
            horizon=Horizon(db),
            elapsed=now or time.monotonic,
            house=_house_name(settings.data / "house"),
        )


def _house_name(file: Path) -> str:
    """Return the name that a data folder was given when it was first opened; it appears whole, or not at all."""
    if not (file.exists() and file.stat().st_size):
        fresh = file.with_name(f"{file.name}-{secrets.token_hex(8)}")
        fresh.write_text(secrets.token_hex(8))
        fresh.replace(file)
    return file.read_text()


def _own_inspector(settings: Settings) -> Inspector:
    return Inspector(
        settings.inspection_processes,
        deadline_s=settings.inspection_deadline_s,
        memory_mib=settings.inspection_memory_mib,
    )


def _ensure_anonymous(tx: Tx, now: int) -> Account:
    known = account_rows.find_account(tx, ANONYMOUS)
    return known or account_rows.add_account(tx, ANONYMOUS, Role.VOLUNTEER, "", now)
