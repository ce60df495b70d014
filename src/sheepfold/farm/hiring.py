"""An executor of processes that may die of their work: dismissed with it, and hired anew when one is needed next."""

from collections.abc import Callable
from concurrent.futures import Executor


class Hiring:
    """The executor that one thread has at a time."""

    def __init__(self, make_executor: Callable[[], Executor]) -> None:
        self._make_executor = make_executor
        self._executor: Executor | None = make_executor()

    def executor(self) -> Executor:
        """Return the executor, a new one where the last was dismissed; raises what making one raises, as OSError."""
        if self._executor is None:
            self._executor = self._make_executor()
        return self._executor

    def dismiss(self) -> None:
        """Let go of the executor, which is broken, and wait for nothing."""
        self._end(wait=False)

    def end(self) -> None:
        """Let go of the executor when what it has begun is done."""
        self._end(wait=True)

    def _end(self, *, wait: bool) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=wait, cancel_futures=True)
