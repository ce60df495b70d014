"""The way of one task on this machine: inputs fetched, rendered at a bench, the outcome written down and delivered."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from sheepfold.kinds import registry as kinds
from sheepfold.kinds.seam import RenderFailed, RenderOrder, RenderStopped
from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Figures, Work
from sheepfold.worker.bench import Bench
from sheepfold.worker.cache import Cache
from sheepfold.worker.chains import Chains
from sheepfold.worker.deliveries import Deliveries
from sheepfold.worker.disk import NoRoom, is_full
from sheepfold.worker.folder import Desk, Outcome, WorkFolder
from sheepfold.worker.line import Line
from sheepfold.worker.oversight import Oversight
from sheepfold.worker.pulse import Pulse
from sheepfold.worker.sandbox import Limits
from sheepfold.worker.stopping import Stop

_log = logging.getLogger(__name__)
_STOPPED = Outcome(reason="The worker was stopped.")


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the making of a task needs."""

    line: Line
    folder: WorkFolder
    cache: Cache
    pulse: Pulse
    deliveries: Deliveries
    stop: Stop
    oversight: Oversight
    limits: Limits
    chains: Chains

    def make(self, work: Work) -> bool:
        """Make a task and have its outcome delivered; returns False where the render failed.

        A task that the farm wants no more counts as made. Raises FarmUnreachable and FarmRefused where the inputs
        cannot be had, NoRoom where the disk is full; the lease is given back then, too, unfailed.
        """
        try:
            desk = self.folder.new_desk(work)
        except OSError as error:
            return self._no_desk(work, error)
        try:
            outcome = self._outcome(desk)
        except (FarmUnreachable, FarmRefused) as error:
            self._close(desk, Outcome(reason=f"The inputs could not be fetched: {error}"))
            raise
        except NoRoom as error:
            self.rest()
            self._close(desk, Outcome(reason=str(error)))
            raise
        if outcome is None:
            desk.clear()
            return True
        self._close(desk, outcome)
        return outcome.has_picture or not outcome.failed

    def rest(self) -> None:
        """End what was kept for the next task, as there may be none for a while."""
        self.chains.close()

    def _outcome(self, desk: Desk) -> Outcome | None:
        """Render; returns how it ended, None where the farm wants no outcome. Raises as `make` does."""
        try:
            return self._rendered(desk)
        except RenderStopped:
            self.rest()
            if why := self.oversight.called_off:
                return Outcome(reason=f"The machine may not work now: {why}.")
            return _STOPPED if self.stop.is_asked else None
        except RenderFailed as error:
            if not self.folder.has_room:  # asked before what the renderer left is removed
                raise NoRoom(f"The machine's disk is full: {error}") from error
            self.rest()
            _log.warning("render_failed lease=%s reason=%s", desk.work.handle, error)
            return Outcome(reason=str(error), failed=True)
        except (FarmUnreachable, FarmRefused):
            raise
        except Exception as error:  # an unattended worker outlives a bug of one kind
            if isinstance(error, OSError) and is_full(error):
                raise NoRoom(f"The machine's disk is full: {error.strerror}.") from error
            self.rest()
            _log.exception("render_broken lease=%s", desk.work.handle)
            return Outcome(reason=f"The render broke down: {error!r}", failed=True)

    def _rendered(self, desk: Desk) -> Outcome:
        if self.stop.is_asked:
            raise RenderStopped("The worker was asked to stop before it began.")
        work = desk.work
        shared = self.chains.bench_for(work, desk.log)
        bench = shared or Bench(desk.room, desk.log, self.limits)
        self.pulse.watch(desk.name, work, bench.stop)
        with self.stop.telling(_if_urgent(self.stop, bench.stop)), self.oversight.telling(bench.stop):
            order = self._order(desk)
            started = time.monotonic()
            if shared is None:
                picture = kinds.module_of(work.kind, "render").render(order, bench)
            else:
                picture = self.chains.render(work, order)
            desk.take(picture, bench.folder)
        wall_s = time.monotonic() - started
        figures = _figures(bench, wall_s)
        _log.info("rendered lease=%s kind=%s frame=%d part=%d wall_s=%.1f memory_kib=%d", work.handle, work.kind,
                  work.frame, work.part, wall_s, figures.memory_kib)
        return Outcome(has_picture=True, figures=figures)

    def _order(self, desk: Desk) -> RenderOrder:
        work, link = desk.work, self.line.link
        has_input = link.fetch_task_input(work, desk.input)
        files = self.cache.fetch(work.inputs, lambda name, target: link.fetch_input(work, name, target))
        own_input = desk.input if has_input else None
        return RenderOrder(work.spec, work.frame, work.part, own_input, files, work.script)

    def _close(self, desk: Desk, outcome: Outcome) -> None:
        """Write down the outcome and have it delivered; where time presses, a lease is given back in this thread."""
        desk = self._closed(desk, outcome)
        if self.stop.is_urgent and not outcome.has_picture:
            with suppress(FarmUnreachable, FarmRefused, OSError):  # what fails is put with the others
                self.deliveries.deliver(desk)
                return
        self.deliveries.put(desk)

    def _closed(self, desk: Desk, outcome: Outcome) -> Desk:
        """Write down the outcome; where it cannot be, return a desk that knows it while the worker lives."""
        try:
            desk.close(outcome)
        except OSError:
            self.rest()  # what a chain's renderer left may be what fills the disk
            try:
                desk.close(outcome)
            except OSError as error:
                _log.error("outcome_unwritten lease=%s error=%s", desk.work.handle, error)
                return replace(desk, unwritten=outcome)
        return desk

    def _no_desk(self, work: Work, error: OSError) -> bool:
        _log.error("no_desk lease=%s error=%s", work.handle, error)
        with suppress(FarmUnreachable):  # the lease runs out
            self.line.link.give_up(work, f"The machine's disk failed: {error.strerror}", None, failed=False)
        if is_full(error):
            raise NoRoom(f"The machine's disk is full: {error.strerror}.") from error
        return False


def _if_urgent(stop: Stop, deed: Callable[[], None]) -> Callable[[], None]:
    return lambda: deed() if stop.is_urgent else None


def _figures(bench: Bench, wall_s: float) -> Figures:
    used = bench.usage
    return Figures(round(wall_s), used.memory_kib, max(1, round(used.cpu_s / max(wall_s, 0.001))))
