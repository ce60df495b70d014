"""The house's hands: threads that do its chores as soon as a commit has brought some, each with its own executor."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor

from sheepfold.farm.chores import are_chores_due, do_chore, put_off, take_chore
from sheepfold.farm.farm import Farm
from sheepfold.farm.hiring import Hiring
from sheepfold.model.errors import Unavailable
from sheepfold.store.chores import Chore

LOOK_PERIOD_S = 1.0
"""How often a hand looks for chores that no commit brings: those that waited for their time."""
GATHER_S = 0.05
"""How long commits may gather before a hand looks what they brought."""

_log = logging.getLogger(__name__)


class Hand:
    """One of them; what it does, however long, keeps neither the upkeep nor another hand waiting."""

    def __init__(self, farm: Farm, make_executor: Callable[[], Executor]) -> None:
        self._farm = farm
        self._hiring = Hiring(make_executor)
        self._undone: Chore | None = None
        self._is_listening = False
        self._woken = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="hand", daemon=True)

    def start(self) -> None:
        """Begin, unless it has; commits wake the hand before its next look.

        Raises StoreUnavailable where the database does not answer, and RuntimeError where the system has no threads
        left; then it may be called again.
        """
        if not self._is_listening:
            self._farm.db.listen(self._woken.set)
            self._is_listening = True
        if self._thread.ident is None:
            self._thread.start()

    def dismiss(self) -> None:
        """Have it take no other chore."""
        self._ended.set()
        self._woken.set()

    def stop(self) -> None:
        """End, with the chore at hand; where the farm is closing it is not waited for, and put back."""
        self.dismiss()
        if self._thread.is_alive():
            self._thread.join()
        self._hiring.end()

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                self.do_chores()
            except BrokenExecutor:
                _log.warning("house=hires reason=%s", "a chore took its process down")
                self._hiring.dismiss()
            except Unavailable as error:
                _log.warning("chores=waiting reason=%s", error)
                self._ended.wait(LOOK_PERIOD_S)
            except Exception:  # noqa: BLE001 -- the hand must outlive whatever stumbles in it
                _log.exception("chores=stumbled")
                self._ended.wait(LOOK_PERIOD_S)
            self._ended.wait(GATHER_S)
            self._woken.wait(LOOK_PERIOD_S)
            self._woken.clear()

    def do_chores(self) -> None:
        """Do all chores that are due, as long as nothing is to end.

        Raises Unavailable and BrokenExecutor as `do_chore`; what then stays undone is put off, now or at the next call.
        Raises what hiring raises, such as OSError, where an executor is to be hired anew; then no chore is taken.
        """
        self._put_off()
        executor = self._hiring.executor()
        while self._goes_on() and are_chores_due(self._farm) and self._do_next(executor):
            pass

    def _do_next(self, executor: Executor) -> bool:
        chore = take_chore(self._farm)
        if chore is None:
            return False
        try:
            do_chore(self._farm, executor, chore)
        except Unavailable:
            self._undone = chore
            self._put_off()
            raise
        return True

    def _put_off(self) -> None:
        if self._undone is not None:
            put_off(self._farm, self._undone)
            self._undone = None

    def _goes_on(self) -> bool:
        return not (self._ended.is_set() or self._farm.closing.is_set())
