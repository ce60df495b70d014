"""SQLite's checkpoints, made beside the writer: pages go from its write-ahead log into the database.

Left to SQLite, the commit that fills the log makes the checkpoint; on a large farm, whose pages lie far apart, claims
waited for it (docs/decisions/0025-checkpoints.md). Here a thread of its own copies what was committed, and has the disk
keep it, while others commit. Only for what came meanwhile, a few pages, does it take the writers' turn; so the log is
copied whole, and the next writer begins it anew. A reader's old snapshot puts that off, and stops nobody.
"""

import threading
from contextlib import suppress

from sqlalchemy import Engine, text

from sheepfold.model.errors import StoreUnavailable
from sheepfold.store.database import translated
from sheepfold.store.transaction import Pool
from sheepfold.store.turns import Turns

OPERATIONS = 400
"""After so many there is a checkpoint: some 4,000 pages, as most operations write about ten."""
TOO_LONG = 16_384
"""Of a log of so many pages, 64 MiB, whoever commits makes the checkpoint: where the thread cannot keep up."""
ROUNDS = 3
"""Each copies what came during the one before it. One of them, most often the second, has the disk keep it all."""

_CHECKPOINT = text("PRAGMA wal_checkpoint(PASSIVE)")


class Checkpoints:
    """A thread that makes checkpoints as the writer goes on."""

    def __init__(self, engine: Engine, turns: Turns) -> None:
        self._pool = Pool(engine, 1)
        self._turns = turns
        self._operations = 0
        self._is_wanted = threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="store-checkpoints", daemon=True)
        self._thread.start()

    def count(self, operations: int) -> None:
        """Hear from the writer how many operations it has committed."""
        self._operations += operations
        if self._operations >= OPERATIONS:
            self._operations = 0
            self._is_wanted.set()

    def close(self) -> None:
        """End the thread; what it has not copied lies in the log, where it is as durable."""
        self._is_closed = True
        self._is_wanted.set()
        self._thread.join()
        self._pool.close()
        self._turns.close()

    def _run(self) -> None:
        while True:
            self._is_wanted.wait()
            self._is_wanted.clear()
            if self._is_closed:
                return
            with suppress(StoreUnavailable), translated():  # a full disk, say; it will be tried again
                self._make()

    def _make(self) -> None:
        with self._pool.lent() as tx:
            for _ in range(ROUNDS):
                tx.execute(_CHECKPOINT)
            with self._turns.taken():
                tx.execute(_CHECKPOINT)
