"""The owner's hand: roles, machines that may work or not, accounts that are closed; every deed is in the audit log."""

from sheepfold.farm.farm import Farm
from sheepfold.farm.rights import own_machine
from sheepfold.farm.teams import depart
from sheepfold.model.accounts import ANONYMOUS, Account, Role
from sheepfold.model.errors import BadInput, Forbidden
from sheepfold.model.notices import Notice, Topic
from sheepfold.store import accounts as account_rows
from sheepfold.store import people as people_rows
from sheepfold.store import rules as rule_rows
from sheepfold.store import webhooks as hook_rows
from sheepfold.store.database import Tx
from sheepfold.store.people import AuditLine

PAUSE, RESUME, STOP, REVOKE = "pause", "resume", "stop", "revoke"


def change_machine(farm: Farm, by: Account | None, name: str, deed: str) -> None:
    """Pause a machine, let it work again, end our worker on it, or revoke its keys.

    `by` is its account, the owner, or None for the console.

    A machine that the farm put into quarantine, or the owner paused, is let out by the owner alone: its account's own
    pause changes nothing of that. Raises UnknownMachine, Forbidden, BadInput.
    """
    if deed not in {PAUSE, RESUME, STOP, REVOKE}:
        raise BadInput(f"A machine can be told pause, resume, stop or revoke; found {deed[:20]!r}.")

    def change(tx: Tx) -> None:
        machine = own_machine(tx, by, name)
        if by is not None and by.role is not Role.OWNER:
            if deed == RESUME:
                _own_pause(tx, by, name)
            if deed == PAUSE and not account_rows.pause_machine(tx, machine.id, farm.now()):
                return  # nor is it noted: by the note it would be this account's own pause
        if deed == STOP:
            rule_rows.stop_machine(tx, machine.id, farm.now())
        if deed in {PAUSE, RESUME}:
            account_rows.suspend_machine(tx, machine.id, farm.now() if deed == PAUSE else None)
        if deed == REVOKE:
            account_rows.revoke_keys(tx, machine.id, farm.now())
        if deed == PAUSE and (by is None or by.id != machine.account_id):
            told = {"machine": name, "reason": f"Paused by {_who(by)}."}
            notice = Notice(Topic.MACHINE_SUSPENDED, account_id=machine.account_id, detail=told)
            hook_rows.note(tx, [notice], farm.now())
        people_rows.note(tx, _who(by), f"{deed} machine", name, farm.now())

    farm.db.write(change)


def change_role(farm: Farm, by: Account | None, name: str, role: Role) -> None:
    """Give an account another role; the last owner keeps theirs. Raises UnknownAccount, Forbidden."""
    _must_own(by)

    def change(tx: Tx) -> None:
        account = account_rows.account_named(tx, name)
        _keep_an_owner(tx, account, role)
        people_rows.change_account(tx, account.id, role=role)
        people_rows.note(tx, _who(by), f"made {role}", account.name, farm.now())

    farm.db.write(change)


def close_account(farm: Farm, by: Account | None, name: str, why: str = "") -> None:
    """Close an account: nobody signs in to it, its keys open nothing, its team goes on without it. Raises Forbidden."""
    farm.db.write(lambda tx: close(tx, by, name, why, farm.now()))


def close(tx: Tx, by: Account | None, name: str, why: str, now: int) -> None:
    """Close an account as `close_account` does, in the caller's transaction."""
    if by is not None and by.name != name:
        _must_own(by)
    account = account_rows.account_named(tx, name)
    _keep_an_owner(tx, account, Role.VOLUNTEER)
    people_rows.change_person(tx, account.id, closed_at=now, closed_why=why[:200])
    people_rows.end_sessions(tx, account.id, now)
    depart(tx, account.id)
    hook_rows.give_up_deliveries(tx, account.id, "The account was closed.")
    account_rows.revoke_all_keys(tx, account.id, now)
    people_rows.note(tx, _who(by), "closed account", account.name, now)


def reopen_account(farm: Farm, by: Account | None, name: str) -> None:
    """Let somebody sign in again; keys stay revoked. Raises UnknownAccount, Forbidden."""
    _must_own(by)

    def reopen(tx: Tx) -> None:
        account = account_rows.account_named(tx, name)
        people_rows.change_person(tx, account.id, closed_at=None, closed_why="")
        people_rows.note(tx, _who(by), "reopened account", account.name, farm.now())

    farm.db.write(reopen)


def read_audit(farm: Farm, limit: int = 100, before: int | None = None) -> list[AuditLine]:
    """Return who changed what, the newest first."""
    return farm.db.read(lambda tx: people_rows.audit_lines(tx, limit, before))


def _own_pause(tx: Tx, by: Account, name: str) -> None:
    """Raise Forbidden unless it was this account that paused its machine last, and not the farm since."""
    last = people_rows.last_note_on(tx, name, f"{PAUSE} machine")
    machine = account_rows.machine_named(tx, name)
    if last is None or last.who != by.name or account_rows.is_suspended(tx, machine.id, last.at + 1):
        raise Forbidden(f"The machine {name} was paused by the farm or its owner, who alone lets it work again.")


def _must_own(by: Account | None) -> None:
    if by is not None and by.role is not Role.OWNER:
        raise Forbidden(f"{by.name} is a {by.role}; this is the owner's to do.")


def _keep_an_owner(tx: Tx, account: Account, role: Role) -> None:
    if account.name == ANONYMOUS:
        raise Forbidden("The anonymous account is the farm's own.")
    if role is not Role.OWNER and people_rows.owners(tx) == [account.id]:
        raise Forbidden("A farm keeps one owner at least: name another one first.")


def _who(by: Account | None) -> str:
    return "console" if by is None else by.name
