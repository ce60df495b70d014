"""Dispatch: sessions, claims, inputs, heartbeats, and leases given back."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sheepfold.blobs.spool import Digest
from sheepfold.farm.accounts import key_verifier
from sheepfold.farm.farm import Farm
from sheepfold.farm.settlement import Known, settle
from sheepfold.model import lifecycle
from sheepfold.model.accounts import AccountId, checked_name
from sheepfold.model.errors import Cleared, LeaseNotHeld, MachineSuspended, SessionEnded, UnknownBlob, UnknownLease
from sheepfold.model.jobs import Job, JobId
from sheepfold.model.machines import MachineId, Session, SessionId
from sheepfold.model.matching import Abilities
from sheepfold.model.tasks import LeaseId, TaskId
from sheepfold.model.trust import UNPROVEN_SUSPENSION_S
from sheepfold.store import accounts as account_rows
from sheepfold.store import blobs as blob_rows
from sheepfold.store import claim as claim_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import leases as lease_rows
from sheepfold.store import sessions as session_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.claim import Claimant, Granted, claim
from sheepfold.store.database import Tx
from sheepfold.store.leases import Holding, Wanted
from sheepfold.store.tasks import Told


@dataclass(frozen=True, slots=True)
class Maker:
    """Who renders: a machine, whom its work is booked on, the protocol it speaks, its session if it has one."""

    machine_id: MachineId
    account_id: AccountId
    protocol: str
    session_id: SessionId | None = None
    is_proven: bool = True
    """Whether the machine has shown that it is this one; where anybody may send in its name it is not."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A lease that was granted, with all that a machine must know to make its task."""

    lease_id: LeaseId
    task_id: TaskId
    job: Job
    frame: int
    part: int
    deadline_at: int
    term_s: int
    input: str | None

    def held_by(self, maker: Maker) -> Holding:
        """Return the lease as whoever it was granted to holds it."""
        return Holding(self.lease_id, self.task_id, self.job.id, maker.machine_id, maker.account_id)


def open_session(farm: Farm, maker: Maker, abilities: str, opened_by: str = "") -> str:
    """Open a session and return its token; `abilities` is the protocol's own text, handed back by `session_of`."""
    token = farm.token()
    now = farm.now()
    session = Session(SessionId(0), maker.machine_id, maker.account_id, maker.protocol, now, now)
    farm.db.write_singly(lambda tx: session_rows.add_session(tx, key_verifier(token), session, abilities, opened_by))
    return token


def session_of(farm: Farm, token: str) -> session_rows.OpenSession:
    """Return a living session, noting that it was heard of; raises SessionEnded."""
    return _heard_of(farm, farm.db.look(lambda tx: session_rows.find_session(tx, key_verifier(token))))


def _heard_of(farm: Farm, found: session_rows.OpenSession | None) -> session_rows.OpenSession:
    if found is None:
        raise SessionEnded
    now = farm.now()
    if now - found.session.last_seen_at >= session_rows.SEEN_GRAIN_S:
        farm.db.write_singly(lambda tx: session_rows.touch(tx, found.session, now))
    return found


def close_session(farm: Farm, session: Session) -> None:
    """End a session and give back at once whatever it still holds."""
    now = farm.now()

    def close(tx: Tx) -> None:
        session_rows.end_session(tx, session.id, now)
        for held in lease_rows.active_of_machine(tx, session.machine_id, session.id):
            _give_up(tx, held, now, "The session ended.", failed=False)

    farm.db.write(close)


def maker_named(farm: Farm, account_id: AccountId, machine_name: str, protocol: str) -> Maker:
    """Return the maker that a wire without sessions names, its machine added where the farm did not know it yet."""
    name = checked_name(machine_name)
    machine = farm.db.look(lambda tx: account_rows.find_machine(tx, name))
    if machine is None:
        machine = farm.db.write(lambda tx: account_rows.ensure_machine(tx, account_id, name, farm.now()))
    return Maker(machine.id, account_id, protocol)


def find_task(farm: Farm, job_id: JobId, frame: int, part: int) -> TaskId:
    """Return the task at a place of a job; raises UnknownTask."""
    return farm.db.look(lambda tx: task_rows.find_task(tx, job_id, frame, part))


def claim_task(farm: Farm, maker: Maker, abilities: Abilities, term_s: int,
               figures: Mapping[str, Any] | None = None) -> Assignment | None:
    """Grant a lease on the best task that these abilities satisfy; None where there is none.

    `term_s` is how long the lease lasts on this wire without a sign of life, `figures` what the client told with its
    request. Raises MachineSuspended.
    """
    granted = _claimed(farm, maker, farm.needs.satisfied_by(abilities), term_s, figures)
    if granted is None and farm.needs.refresh():
        return _claimed(farm, maker, farm.needs.satisfied_by(abilities), term_s, figures)
    return granted


def named(request: str) -> dict[str, str]:
    """Return the figures by which `granted_before` finds what a request was granted; none for one without a name."""
    return {lease_rows.REQUEST: request} if request else {}


def granted_before(farm: Farm, maker: Maker, request: str, term_s: int) -> Assignment | None:
    """Return the lease that a request of a machine was granted though its answer was lost, with a new term.

    `request` is its name, told with it as `named` says. None where it was granted nothing that is still held.
    """
    granted = farm.db.read(lambda tx: claim_rows.granted_before(tx, maker.machine_id, request))
    if granted is None:
        return None
    assignment = _assigned(granted, term_s)
    try:
        return replace(assignment, deadline_at=heartbeat(farm, assignment.held_by(maker), term_s))
    except LeaseNotHeld:
        return None


def _assigned(granted: Granted, term_s: int) -> Assignment:
    return Assignment(granted.lease_id, granted.task_id, granted.job, granted.frame, granted.part, granted.deadline_at,
                      term_s, granted.input)


def _claimed(farm: Farm, maker: Maker, needs_ids: tuple[int, ...], term_s: int,
             figures: Mapping[str, Any] | None) -> Assignment | None:
    def grant(tx: Tx) -> Assignment | None:
        now = farm.now()
        since = 0 if maker.is_proven else now - UNPROVEN_SUSPENSION_S
        claimant = Claimant(maker.machine_id, maker.account_id, maker.protocol, maker.session_id, term_s, since,
                            figures or {})
        granted = claim(tx, claimant, needs_ids, now)
        if granted is None:
            if account_rows.is_suspended(tx, maker.machine_id, since):
                raise MachineSuspended
            return None
        return _assigned(granted, term_s)

    return farm.db.write_singly(grant) if needs_ids else None


def held_lease(farm: Farm, maker: Maker, lease_id: LeaseId) -> Holding:
    """Return what a lease is on; raises UnknownLease, also where it is another machine's, so that ids tell nothing."""
    held = farm.db.look(lambda tx: lease_rows.holding(tx, lease_id))
    if held.machine_id != maker.machine_id:
        raise UnknownLease(f"There is no lease {lease_id}.")
    return held


def session_with_lease(farm: Farm, token: str, lease_id: LeaseId) -> tuple[session_rows.OpenSession, Wanted | None]:
    """Return a living session as `session_of` does, and what the result of a lease is judged by; both with one look.

    None for the second where there is no such lease, or it is another machine's. Raises SessionEnded.
    """
    found, wanted = farm.db.look(lambda tx: lease_rows.wanted_in_session(tx, key_verifier(token), lease_id))
    known = _heard_of(farm, found)
    is_own = wanted is not None and wanted.held.machine_id == known.session.machine_id
    return known, wanted if is_own else None


_UNNAMED = LeaseId(0)


def lease_at(farm: Farm, machine_id: MachineId, place: tuple[JobId, int, int], named: LeaseId = _UNNAMED) -> Wanted:
    """Return what the result of a machine's lease on the task at a job's frame and part is judged by, with one look.

    It is the one that is named, if it is the machine's and of that task; else the machine's active one, or else its
    newest. Raises UnknownTask, UnknownLease.
    """
    wanted = farm.db.look(lambda tx: lease_rows.find_wanted(tx, machine_id, place, named))
    if wanted is None:
        task_id = find_task(farm, *place)
        held = farm.db.look(lambda tx: lease_rows.holding_of_pair(tx, task_id, machine_id))
        return farm.db.look(lambda tx: lease_rows.wanted(tx, held.lease_id))  # it was granted just now
    return wanted


@dataclass(frozen=True, slots=True)
class Input:
    """A file that a lease's holder may read: its digest and size, and its bytes as they are asked for."""

    digest: str
    size_bytes: int
    chunks: Iterator[bytes] = field(repr=False)


def read_input(farm: Farm, held: Holding, name: str = "") -> Input:
    """Open the task's own input, or one of its job's by name; raises UnknownBlob where there is none of the name."""

    def find(tx: Tx) -> str | None:
        if lease_rows.is_withdrawn(tx, held.lease_id):
            return None  # its file is no more: the input was replaced
        if name:
            return job_rows.inputs_of(tx, held.job_id).get(name)
        return blob_rows.task_input(tx, held.task_id)

    digest = farm.db.read(find)
    if digest is None:
        raise UnknownBlob(f"Task {held.task_id} has no input {name!r}.")
    return open_blob(farm, digest)


def open_blob(farm: Farm, digest: str) -> Input:
    """Open a blob to read; raises UnknownBlob, and Cleared where retention has dropped its bytes."""
    try:
        return Input(digest, farm.blobs.size(Digest(digest)), farm.blobs.open_stream(Digest(digest)))
    except UnknownBlob:
        row = farm.db.read(lambda tx: blob_rows.find(tx, digest))
        if row is not None and row.cleared_at is not None:
            raise Cleared from None
        raise


def heartbeat(farm: Farm, held: Holding, term_s: int, figures: Mapping[str, Any] | None = None) -> int:
    """Move a lease's deadline on and return it; raises LeaseNotHeld where the farm wants this task no more."""

    def move(tx: Tx) -> int:
        now = farm.now()
        before = task_rows.load(tx, held.task_id, lock=True)
        after = lifecycle.heartbeat(lifecycle.transition(before, now), held.lease_id, now + term_s)
        told = Told(held.lease_id, {**lease_rows.figures_of(tx, held.lease_id), **figures}) if figures else None
        settle(tx, before, after, now, known=Known(told=told))
        return lifecycle.lease_of(after, held.lease_id).deadline_at

    return farm.db.write(move)


def give_up(farm: Farm, held: Holding, reason: str, *, failed: bool, log: str | None = None) -> None:
    """End a lease as failed or merely given back; one that has ended stays as it is. `log` is a kept blob's digest."""

    def end(tx: Tx) -> None:
        now = farm.now()
        if log is not None or reason:
            lease_rows.note_end(tx, held.lease_id, reason, log)
        _give_up(tx, held, now, reason, failed=failed)

    farm.db.write(end)


def _give_up(tx: Tx, held: Holding, now: int, reason: str, *, failed: bool) -> None:
    before = task_rows.load(tx, held.task_id, lock=True)
    after = lifecycle.give_up(before, held.lease_id, now, failed=failed)
    settle(tx, before, after, now, {"reason": reason} if reason else None)
