"""The unattended loop: does what the rules of `steps` say, and tells them what happened."""

import logging
import random
from collections.abc import Callable

from sheepfold.protocols.link import FarmPaused, FarmRefused, FarmUnreachable
from sheepfold.worker import steps
from sheepfold.worker.disk import NoRoom
from sheepfold.worker.workshop import Workshop

_log = logging.getLogger(__name__)


class Loop:
    """A worker at work; `load` returns the machine's load average."""

    def __init__(self, workshop: Workshop, rules: steps.Rules, load: Callable[[], float]) -> None:
        self._workshop = workshop
        self._rules = rules
        self._load = load

    def run(self) -> steps.End:
        """Work until the rules say that this is the end, and return why."""
        state = steps.State()
        event: steps.Event = steps.Started()
        while True:
            state, step = steps.after(state, event, self._rules, random.random())  # noqa: S311 -- no secret
            if isinstance(step, steps.End):
                self._workshop.rest()
                return step
            # A task that came with the wish to stop is the workshop's to give back.
            is_over = self._workshop.stop.is_asked and not isinstance(step, steps.Make)
            event = steps.StopAsked() if is_over else self._happened(step)

    def _happened(self, step: steps.Step) -> steps.Event:
        try:
            return self._do(step)
        except FarmUnreachable as error:
            self._workshop.line.lost()
            return steps.Unreachable(str(error), error.retry_after_s)
        except FarmPaused as error:
            return steps.Hindered(str(error))
        except FarmRefused as error:
            return steps.Refused(str(error))
        except NoRoom as error:
            return steps.Cramped(str(error))
        except Exception as error:  # noqa: BLE001 -- an unattended worker outlives an odd farm, and bugs of ours
            _log.exception("step_broken step=%s", type(step).__name__)
            self._workshop.line.lost()
            return steps.Unreachable(f"{type(step).__name__} broke down: {error!r}")

    def _do(self, step: steps.Step) -> steps.Event:
        match step:
            case steps.Open():
                self._workshop.line.open()
                return steps.Opened()
            case steps.Claim():
                return self._claim()
            case steps.Make(work):
                return steps.Made() if self._workshop.make(work) else steps.Failed()
            case steps.Drain():
                return steps.Drained(self._workshop.deliveries.drain())
            case steps.Pause(seconds, why):
                _log.info("waiting seconds=%.0f why=%s", seconds, why)
                self._workshop.rest()
                self._workshop.stop.pause(seconds)
                return steps.Paused()
            case steps.End():
                raise AssertionError("The end is the caller's to see.")

    def _claim(self) -> steps.Event:
        shop = self._workshop
        shop.deliveries.wait_for_room()
        if shop.deliveries.refusal:
            return steps.Refused(shop.deliveries.refusal)
        if shop.stop.is_asked:
            return steps.StopAsked()
        if why := self._hindrance():
            return steps.Hindered(why)
        if self._rules.load_limit is not None and (load := self._load()) > self._rules.load_limit:
            return steps.Busy(load)
        work = shop.line.link.claim(shop.line.abilities, may_wait=not self._rules.once)
        if work is None:
            return steps.Nothing()
        _log.info("claimed lease=%s kind=%s frame=%d part=%d term_s=%d", work.handle, work.kind, work.frame, work.part,
                  work.term_s)
        return steps.Granted(work)

    def _hindrance(self) -> str:
        """Return why no task should be begun now, empty where nothing speaks against it."""
        shop = self._workshop
        return shop.oversight.hindrance or ("" if shop.folder.has_room else "the machine's disk is full")
