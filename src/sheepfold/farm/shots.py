"""The way of a request through a screenshot factory: polled, visited, delivered, and watched by who ordered it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sheepfold.blobs.spool import Spooled
from sheepfold.farm import sites
from sheepfold.farm.dispatch import Assignment, Maker, claim_task, give_up
from sheepfold.farm.expiry import AT_A_TIME, end_orders
from sheepfold.farm.farm import Farm
from sheepfold.farm.intake import Receipt, submit_wanted
from sheepfold.kinds.screenshot.spec import View, views
from sheepfold.kinds.screenshot.split import needs_of
from sheepfold.model.accounts import AccountId
from sheepfold.model.browsers import (
    BrowserId,
    Factory,
    OtherBrowser,
    Registered,
    Screen,
    UnknownUserAgent,
    abilities_of,
    check_version,
    choose_browser,
    choose_screen,
    meet,
)
from sheepfold.model.errors import (
    BadInput,
    Conflict,
    LeaseNotHeld,
    NoRenderer,
    NotAllowed,
    NotFound,
    Overloaded,
    UnknownTask,
)
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.machines import Machine, MachineId
from sheepfold.model.tasks import Lease, LeaseState, Task, TaskId, Verdict
from sheepfold.store import browsers as browser_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import leases as lease_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store import visits as visit_rows
from sheepfold.store.database import Question, Tx, read_at_once
from sheepfold.store.leases import Holding, Wanted

REPEAT_S = 600
"""How long a browser may load the same redirect again: browsers prefetch, retry, and restore sessions."""


class NoActiveBrowsers(NotFound):
    """The factory has no browsers."""


class BrowsersBlocked(NotFound):
    """All browsers of the factory are blocked because of errors."""


class Throttled(NotAllowed):
    """The factory must wait before it gets more."""


class NotLocked(Conflict):
    """The request was not locked."""


class LockedByOther(LeaseNotHeld):
    """The request was locked by another factory."""

    def __init__(self, factory: str = "") -> None:
        super().__init__(f"The request is locked by factory {factory}." if factory else "")
        self.factory = factory


class NotVisited(Conflict):
    """The browser has not visited the page."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A request that a factory got: the view to make, by which browser, on which screen."""

    task_id: TaskId
    job: Job
    view: View
    browser: Registered
    screen: Screen


@dataclass(frozen=True, slots=True)
class Delivery:
    """A screenshot that came in: the name that it has for good, and what the farm thinks of it."""

    hashkey: str
    receipt: Receipt


_NO_BROWSER = "No browser of this factory fits (any more)."


def poll(farm: Farm, maker: Maker, machine: Machine) -> Shot | None:
    """Give a factory the best request that its browsers can make, None where there is none.

    Raises Throttled, Overloaded, NoActiveBrowsers, BrowsersBlocked, MachineSuspended, and NoRenderer where the last
    fitting browser was lost meanwhile.
    """
    factory, over = farm.db.write_singly(lambda tx: _polled(tx, machine, farm.now()))
    _check_pace(farm, factory)
    if not factory.browsers:
        raise NoActiveBrowsers
    now = farm.now()
    if not factory.able_browsers(now):
        raise BrowsersBlocked
    end_orders(farm, over)
    granted = claim_task(farm, maker, abilities_of(factory, maker.protocol, now), farm.settings.browsershots_lock_s)
    return None if granted is None else _shot(farm, maker, factory, granted)


def _polled(tx: Tx, machine: Machine, now: int) -> tuple[Factory, list[JobId]]:
    """Note a poll; return the factory, and the orders that are over."""
    browser_rows.note_poll(tx, machine.id, now)
    *factory, over = tx.read_together(*browser_rows.factory_asked(machine.id), visit_rows.expired_asked(now, AT_A_TIME))
    return browser_rows.factory_in(machine, *factory), visit_rows.expired_in(over)


def _check_pace(farm: Farm, factory: Factory) -> None:
    pause_s, limit = farm.settings.browsershots_throttle_s, farm.settings.browsershots_load_limit
    if pause_s and factory.uploaded_at is not None and farm.now() < factory.uploaded_at + pause_s:
        raise Throttled
    if limit and os.getloadavg()[0] / (os.cpu_count() or 1) > limit:
        raise Overloaded


def _shot(farm: Farm, maker: Maker, factory: Factory, granted: Assignment) -> Shot:
    view = views(granted.job.spec)[granted.frame]
    browser = choose_browser(factory, needs_of(granted.job.spec, view), farm.now())
    if browser is None:
        give_up(farm, granted.held_by(maker), _NO_BROWSER, failed=False)
        raise NoRenderer(_NO_BROWSER)
    screen = choose_screen(factory, view.width, granted.job.spec["height"], granted.job.spec["bpp"])
    return Shot(granted.task_id, granted.job, view, browser, screen)


@dataclass(frozen=True, slots=True)
class _Locked:
    """A factory's request with the lease that it is locked by."""

    task: Task
    job: Job
    lease: Lease
    figures: dict[str, object]

    @property
    def holding(self) -> Holding:
        return Holding(self.lease.id, self.task.id, self.task.job_id, self.lease.machine_id, self.lease.account_id)

    @property
    def wanted(self) -> Wanted:
        """What its picture will be judged by."""
        task, job = self.task, self.job
        is_plain = (not task.results and self.lease.state is not LeaseState.WITHDRAWN
                    and self.lease.id > task.past_lease)
        return Wanted(self.holding, job.kind, job.spec, task.frame, task.part, job.cleared_at is not None, is_plain)

    @property
    def view(self) -> View:
        return views(self.job.spec)[self.task.frame]


def revisit(farm: Farm, maker: Maker, task_id: TaskId, password: str) -> str | None:
    """Return the page where the same browser asks once more for the visit that it was let in for, else None."""
    try:
        locked = read_at_once(farm.db, lambda tx: _locked(tx, maker, task_id))
    except (Conflict, NotFound):
        return None
    visited_at = locked.figures.get("visited_at")
    if locked.figures.get("pass") != password or not isinstance(visited_at, int):
        return None
    return str(locked.job.spec["url"]) if farm.now() <= visited_at + REPEAT_S else None


def visit(farm: Farm, maker: Maker, machine: Machine, task_id: TaskId, came: tuple[str, str]) -> str:
    """Let a factory's browser in, by its User-Agent and encrypted password, and return the page that it shall see.

    Raises UnknownTask, NotLocked, LockedByOther, UnknownUserAgent, OtherBrowser; and, which ends the lease, NoRenderer
    where the browser was removed meanwhile, and InvalidSpec or Forbidden where the page may not be visited (any more).
    """
    user_agent, password = came
    locked, factory = read_at_once(farm.db, lambda tx: _locked_with_factory(tx, maker, task_id, machine))
    chosen = _chosen(factory, locked)
    if chosen is None:
        give_up(farm, locked.holding, _NO_BROWSER, failed=False)
        raise NoRenderer(_NO_BROWSER)
    try:
        browser = meet(factory, chosen, user_agent)
        _learn(farm, factory, browser)
        check_version(browser, locked.view.version)
    except (OtherBrowser, UnknownUserAgent) as error:
        block(farm, chosen, str(error))
        raise
    try:
        url = sites.check_site(sites.rules_of(farm.settings), locked.job.spec["url"])
    except (BadInput, NotAllowed) as error:
        give_up(farm, locked.holding, str(error), failed=True)
        raise
    told = {"browser": browser.program.name, "version": browser.program.version, "browser_id": browser.id,
            "user_agent": user_agent, "pass": password, "visited_at": farm.now()}
    farm.db.write_singly(lambda tx: lease_rows.save_figures(tx, locked.lease.id, {**locked.figures, **told}))
    return url


def _chosen(factory: Factory, locked: _Locked) -> Registered | None:
    """Return the browser that the request was given for, even if it was blocked since; None where it was removed."""
    needs = needs_of(locked.job.spec, locked.view)
    fresh = replace(factory, browsers=tuple(replace(one, failed_at=None) for one in factory.browsers))
    return choose_browser(fresh, needs, 0) or choose_browser(fresh, replace(needs, browser_version=""), 0)


def _learn(farm: Farm, factory: Factory, browser: Registered) -> None:
    """Keep what a visit taught of a browser."""
    if browser not in factory.browsers:
        farm.db.write_singly(lambda tx: browser_rows.set_browser(tx, browser.id, browser.program))


def block(farm: Farm, browser: Registered, fault: str) -> None:
    """Leave a browser in peace for some minutes."""
    farm.db.write_singly(lambda tx: browser_rows.block_browser(tx, browser.id, fault[:500], farm.now()))


def _locked(tx: Tx, maker: Maker, task_id: TaskId) -> _Locked:
    """Return a request that a factory has locked. A lock that is past its time holds until another factory has one."""
    return _locked_in(tx, maker, task_id, tx.read_together(*_lock_asked(tx, maker, task_id)))


def _locked_with_factory(tx: Tx, maker: Maker, task_id: TaskId, machine: Machine) -> tuple[_Locked, Factory]:
    lock, factory = _lock_asked(tx, maker, task_id), browser_rows.factory_asked(machine.id)
    found = tx.read_together(*lock, *factory)
    locked = _locked_in(tx, maker, task_id, found[:len(lock)])
    return locked, browser_rows.factory_in(machine, *found[len(lock):])


def _lock_asked(tx: Tx, maker: Maker, task_id: TaskId) -> tuple[Question, ...]:
    return (*task_rows.task_asked(task_id), job_rows.job_of_task_asked(tx, task_id),
            lease_rows.told_asked(task_id, maker.machine_id))


def _locked_in(tx: Tx, maker: Maker, task_id: TaskId, found: Sequence[Sequence[Any]]) -> _Locked:
    *parts, jobs, told = found
    task = task_rows.task_in(task_id, *parts)
    job = job_rows.job_among(jobs, task.job_id)
    if job.kind != "screenshot":
        raise UnknownTask(f"Request not found with pk={task_id}.")
    mine = [lease for lease in task.leases if lease.machine_id == maker.machine_id]
    active = [lease for lease in task.leases if lease.state is LeaseState.ACTIVE]
    good = {LeaseState.ACTIVE, LeaseState.SUBMITTED}
    last = [one for one in mine if one.id > task.past_lease]  # of this round: an earlier one takes no picture any more
    lease = next((one for one in reversed(last) if one.state in good), None)
    if lease is None and last and last[-1].state is LeaseState.EXPIRED and not active:
        lease = last[-1]
    if lease is None:
        raise _not_mine(tx, [one for one in task.leases if one not in mine], active)
    return _Locked(task, job, lease, lease_rows.told_in(told)[lease.id])


def _not_mine(tx: Tx, others: list[Lease], active: list[Lease]) -> Conflict:
    if not (active or others):
        return NotLocked()
    name = browser_rows.machine_name(tx, (active or others)[-1].machine_id)
    return LockedByOther(name)


def deliver(farm: Farm, maker: Maker, task_id: TaskId, spooled: Spooled) -> Delivery:
    """Take a factory's screenshot in; the same one again gets the same name.

    Raises UnknownTask, NotLocked, LockedByOther, NotVisited, and LeaseNotHeld where it has sent another one before.
    """
    locked = read_at_once(farm.db, lambda tx: _locked(tx, maker, task_id))
    if "visited_at" not in locked.figures:
        raise NotVisited
    receipt = submit_wanted(farm, locked.wanted, spooled, also=partial(_name, farm, locked))
    return Delivery(farm.db.look(lambda tx: visit_rows.name_of(tx, receipt.result_id)), receipt)


def _name(farm: Farm, locked: _Locked, tx: Tx, receipt: Receipt) -> None:
    """Name a screenshot as it comes in: its factory sends it once, and never asks for its name again."""
    now, figures = farm.now(), locked.figures
    browser_id = BrowserId(int(str(figures["browser_id"])))
    if receipt.reason and receipt.verdict is not Verdict.VALID:
        browser_rows.block_browser(tx, browser_id, receipt.reason, now)
    else:
        waited_s = now - locked.job.created_at if locked.job.terms.priority == 0 else None
        browser_rows.note_upload(tx, locked.lease.machine_id, browser_id, now, waited_s)
    browser = str(figures["browser"]), str(figures["version"]), str(figures["user_agent"])
    visit_rows.add_screenshot(tx, farm.token(), receipt.result_id, browser, now)


def maker_of(machine: Machine, protocol: str) -> Maker:
    """Return who renders, where the wire names only a machine: its account is paid."""
    return Maker(MachineId(machine.id), AccountId(machine.account_id), protocol)
