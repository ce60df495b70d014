"""Rows of people: where letters go, web sessions, tickets that work once, and the owner's audit log."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, insert, select, text, update

from sheepfold.model.accounts import ANONYMOUS, GONE, Account, AccountId, Role
from sheepfold.model.credit import Millipoints, Purse
from sheepfold.store import schema
from sheepfold.store.accounts import find_account, find_machine
from sheepfold.store.database import Tx
from sheepfold.store.paging import MOST, newest_below

SEEN_GRAIN_S = 60


@dataclass(frozen=True, slots=True)
class Person:
    """An account with what the pages know of its person."""

    account: Account
    email: str
    is_verified: bool
    closed_at: int | None
    closed_why: str
    created_at: int
    purse: Purse
    machines: int


@dataclass(frozen=True, slots=True)
class Earner:
    """Somebody who earned points, and with how many machines."""

    account_id: AccountId
    name: str
    earned: Millipoints
    machines: int


@dataclass(frozen=True, slots=True)
class WebSession:
    """A browser that is signed in, by what it called itself."""

    id: int
    account_id: AccountId
    browser: str
    opened_at: int
    last_seen_at: int


@dataclass(frozen=True, slots=True)
class Ticket:
    """A secret that works once, for a purpose, until it expires. An invitation's account is who invited."""

    id: int
    account_id: AccountId
    role: str
    expires_at: int
    used_at: int | None


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who changed what, when."""

    id: int
    at: int
    who: str
    what: str
    about: str


# by uq_web_sessions_token_hash
_BY_TOKEN = text("""
    SELECT s.id, s.account_id, s.browser, s.opened_at, s.last_seen_at, a.name, a.role, a.weight, p.closed_at
    FROM web_sessions s JOIN accounts a ON a.id = s.account_id LEFT JOIN people p ON p.account_id = a.id
    WHERE s.token_hash = :token_hash AND s.ended_at IS NULL
""")


def add_web_session(tx: Tx, token_hash: str, account_id: AccountId, browser: str, now: int) -> None:
    """Add a web session."""
    tx.execute(insert(schema.web_sessions).values(
        token_hash=token_hash, account_id=account_id, browser=browser, opened_at=now, last_seen_at=now))


def find_web_session(tx: Tx, token_hash: str) -> tuple[WebSession, Account] | None:
    """Return the living session of a token and its account; None also where the account was closed."""
    row = tx.execute(_BY_TOKEN, {"token_hash": token_hash}).one_or_none()
    if row is None or row.closed_at is not None:
        return None
    return _session(row), Account(AccountId(row.account_id), row.name, Role(row.role), row.weight)


def touch(tx: Tx, session_id: int, now: int) -> None:
    """Note that a browser was heard of."""
    sessions = schema.web_sessions
    tx.execute(update(sessions).where(sessions.c.id == session_id).values(last_seen_at=now))


def sessions_of(tx: Tx, account_id: AccountId, limit: int = MOST, before: int | None = None) -> list[WebSession]:
    """Return an account's living web sessions, the newest first."""
    sessions = schema.web_sessions
    mine = sessions.c.account_id == account_id, sessions.c.ended_at.is_(None), sessions.c.id < newest_below(before)
    query = select(sessions).where(*mine).order_by(sessions.c.id.desc()).limit(limit)
    return [_session(row) for row in tx.execute(query)]


def end_sessions(tx: Tx, account_id: AccountId, now: int, session_id: int | None = None) -> int:
    """End one web session of an account, or all; returns how many."""
    sessions = schema.web_sessions
    query = update(sessions).where(sessions.c.account_id == account_id, sessions.c.ended_at.is_(None))
    if session_id is not None:
        query = query.where(sessions.c.id == session_id)
    return tx.execute(query.values(ended_at=now)).rowcount


def end_session_of(tx: Tx, token_hash: str, now: int) -> None:
    """End the web session of a token."""
    sessions = schema.web_sessions
    tx.execute(update(sessions).where(sessions.c.token_hash == token_hash).values(ended_at=now))


_PERSON = """
    SELECT a.id, a.name, a.role, a.weight, a.created_at, coalesce(p.email, '') AS email, p.verified_at, p.closed_at,
           coalesce(p.closed_why, '') AS closed_why,
           (SELECT coalesce(sum(l.millipoints), 0) FROM ledger l WHERE l.account_id = a.id) AS earned,
           (SELECT coalesce(sum(l.millipoints), 0) FROM ledger l WHERE l.payer_id = a.id) AS spent,
           (SELECT count(*) FROM machines m WHERE m.account_id = a.id) AS machines
    FROM accounts a LEFT JOIN people p ON p.account_id = a.id
"""
# by uq_accounts_name, from a name on
_PEOPLE = text(_PERSON + """
    WHERE a.name > :after AND a.name <> :anonymous
      AND (lower(a.name) LIKE :pattern ESCAPE '!' OR lower(p.email) LIKE :pattern ESCAPE '!')
    ORDER BY a.name LIMIT :limit
""")
# the sums by the covering index ix_ledger_account_id_millipoints
_EARNERS = text("""
    SELECT a.id, a.name, e.earned, (SELECT count(*) FROM machines m WHERE m.account_id = a.id) AS machines
    FROM (SELECT account_id, sum(millipoints) AS earned FROM ledger GROUP BY account_id) e
    JOIN accounts a ON a.id = e.account_id LEFT JOIN people p ON p.account_id = a.id
    WHERE e.earned > 0 AND p.closed_at IS NULL AND a.name <> :anonymous
    ORDER BY e.earned DESC, a.id
""")
_OWNERS = text("SELECT a.id FROM accounts a LEFT JOIN people p ON p.account_id = a.id"
               " WHERE a.role = 'owner' AND p.closed_at IS NULL")
_ONE = text(_PERSON + " WHERE a.id = :account_id")
_BY_EMAIL = text(_PERSON + """
    WHERE p.email = :email AND p.email <> '' AND p.verified_at IS NOT NULL AND p.closed_at IS NULL
    ORDER BY p.verified_at, a.id LIMIT 1
""")
_ENSURE = text("INSERT INTO people (account_id) VALUES (:account_id) ON CONFLICT (account_id) DO NOTHING")


def list_people(tx: Tx, limit: int, after: str, search: str) -> list[Person]:
    """Return people by their names: those after a name, whose name or address has the searched words in it."""
    literal = re.sub(r"([!%_])", r"!\1", search.lower())
    values = {"limit": limit, "after": after, "pattern": f"%{literal}%", "anonymous": ANONYMOUS}
    return [_person(row) for row in tx.execute(_PEOPLE, values)]


def list_earners(tx: Tx) -> list[Earner]:
    """Return who earned something and has an open account, who earned most first; sums the whole ledger."""
    return [Earner(AccountId(row.id), row.name, Millipoints(int(row.earned)), row.machines)
            for row in tx.execute(_EARNERS, {"anonymous": ANONYMOUS})]


def owners(tx: Tx) -> list[AccountId]:
    """Return the owners whose accounts are open."""
    return [AccountId(row.id) for row in tx.execute(_OWNERS)]


def person_of(tx: Tx, account_id: AccountId) -> Person:
    """Return one person."""
    return _person(tx.execute(_ONE, {"account_id": account_id}).one())


def find_by_email(tx: Tx, email: str) -> Person | None:
    """Return who has proven an address, first where several have; None where nobody has."""
    row = tx.execute(_BY_EMAIL, {"email": email}).one_or_none()
    return None if row is None else _person(row)


def change_person(tx: Tx, account_id: AccountId, **values: Any) -> None:  # noqa: ANN401 -- columns of `people`
    """Change what is known of a person: email, verified_at, closed_at, closed_why."""
    tx.execute(_ENSURE, {"account_id": account_id})
    people = schema.people
    tx.execute(update(people).where(people.c.account_id == account_id).values(**values))


def change_account(tx: Tx, account_id: AccountId, **values: Any) -> None:  # noqa: ANN401 -- columns of `accounts`
    """Change an account: name, role, weight or password_hash."""
    accounts = schema.accounts
    tx.execute(update(accounts).where(accounts.c.id == account_id).values(**values))


def has_owner(tx: Tx) -> bool:
    """Say whether the farm has an owner."""
    query = select(schema.accounts.c.id).where(schema.accounts.c.role == Role.OWNER).limit(1)
    return tx.execute(query).first() is not None


def add_ticket(tx: Tx, token_hash: str, purpose: str, account_id: AccountId, role: str, times: tuple[int, int]) -> None:
    """Add a ticket; `times` are when it was made and when it expires."""
    tx.execute(insert(schema.tickets).values(token_hash=token_hash, purpose=purpose, account_id=account_id, role=role,
                                             made_at=times[0], expires_at=times[1]))


_WORKS = text("""
    SELECT id FROM tickets
    WHERE token_hash = :token_hash AND purpose = :purpose AND used_at IS NULL AND expires_at > :now
""")
_USE = text("""
    UPDATE tickets SET used_at = :now
    WHERE token_hash = :token_hash AND purpose = :purpose AND used_at IS NULL AND expires_at > :now
    RETURNING id, account_id, role, expires_at, used_at
""")


def has_ticket(tx: Tx, token_hash: str, purpose: str, now: int) -> bool:
    """Say whether there is a ticket that still works."""
    return tx.execute(_WORKS, {"token_hash": token_hash, "purpose": purpose, "now": now}).first() is not None


def use_ticket(tx: Tx, token_hash: str, purpose: str, now: int) -> Ticket | None:
    """Use a ticket up and return it; None where there is none that still works."""
    row = tx.execute(_USE, {"token_hash": token_hash, "purpose": purpose, "now": now}).one_or_none()
    return None if row is None else Ticket(row.id, AccountId(row.account_id), row.role, row.expires_at, row.used_at)


def use_up_tickets(tx: Tx, purpose: str, account_id: AccountId, now: int) -> None:
    """Use up whatever tickets an account has for a purpose."""
    tickets = schema.tickets
    of_account = tickets.c.account_id == account_id, tickets.c.purpose == purpose, tickets.c.used_at.is_(None)
    tx.execute(update(tickets).where(*of_account).values(used_at=now))


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A machine key that lives: which machine's, and what it opens."""

    id: int
    machine: str
    scope: str
    created_at: int


_KEYS = text("""
    SELECT k.id, m.name AS machine, k.scope, k.created_at FROM machine_keys k JOIN machines m ON m.id = k.machine_id
    WHERE m.account_id = :account_id AND k.revoked_at IS NULL AND k.id < :before
    ORDER BY k.id DESC LIMIT :limit
""")
_REVOKE = text("""
    UPDATE machine_keys SET revoked_at = :now WHERE id = :key_id AND revoked_at IS NULL
      AND machine_id IN (SELECT id FROM machines WHERE account_id = :account_id)
""")


def keys_of(tx: Tx, account_id: AccountId, limit: int = MOST, before: int | None = None) -> list[KeyRow]:
    """Return the living keys of an account's machines, the newest first."""
    rows = tx.execute(_KEYS, {"account_id": account_id, "limit": limit, "before": newest_below(before)})
    return [KeyRow(row.id, row.machine, row.scope, row.created_at) for row in rows]


def revoke_key(tx: Tx, account_id: AccountId, key_id: int, now: int) -> bool:
    """Revoke one key of an account; False where it has no such key that lives."""
    return tx.execute(_REVOKE, {"account_id": account_id, "key_id": key_id, "now": now}).rowcount > 0


def forget_account(tx: Tx, account_id: AccountId) -> None:
    """Take its name and its password off an account."""
    name = _free_name(f"{GONE}{account_id}", lambda name: find_account(tx, name) is not None)
    change_account(tx, account_id, name=name, password_hash="")


def forget_machines(tx: Tx, account_id: AccountId) -> None:
    """Take the names off an account's machines."""
    machines = schema.machines
    own = tx.execute(select(machines.c.id).where(machines.c.account_id == account_id).order_by(machines.c.id)).all()
    for machine in own:
        name = _free_name(f"{GONE}machine-{machine.id}", lambda name: find_machine(tx, name) is not None)
        tx.execute(update(machines).where(machines.c.id == machine.id).values(name=name))


def _free_name(name: str, is_taken: Callable[[str], bool]) -> str:
    """Return a name, with the first number behind it that makes it nobody's where somebody has it."""
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], numbered) if not is_taken(one))


def note(tx: Tx, who: str, what: str, about: str, now: int) -> None:
    """Add a line to the audit log."""
    tx.execute(insert(schema.audit).values(at=now, who=who, what=what, about=about))


def newest_line(tx: Tx, what: str) -> AuditLine | None:
    """Return the newest line of the audit log that says this happened."""
    query = select(schema.audit).where(schema.audit.c.what == what).order_by(schema.audit.c.id.desc()).limit(1)
    row = tx.execute(query).one_or_none()
    return None if row is None else AuditLine(row.id, row.at, row.who, row.what, row.about)


def audit_lines(tx: Tx, limit: int, before: int | None = None) -> list[AuditLine]:
    """Return the newest lines of the audit log, those before an id where one is given."""
    query = select(schema.audit).order_by(schema.audit.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(schema.audit.c.id < before)
    return [AuditLine(row.id, row.at, row.who, row.what, row.about) for row in tx.execute(query)]


def last_note_on(tx: Tx, about: str, what: str) -> AuditLine | None:
    """Return the newest line about a thing that tells of a deed, or None."""
    audit = schema.audit
    query = select(audit).where(audit.c.about == about, audit.c.what == what).order_by(audit.c.id.desc()).limit(1)
    row = tx.execute(query).one_or_none()
    return None if row is None else AuditLine(row.id, row.at, row.who, row.what, row.about)


def _session(row: Row[Any]) -> WebSession:
    return WebSession(row.id, AccountId(row.account_id), row.browser, row.opened_at, row.last_seen_at)


def _person(row: Row[Any]) -> Person:
    account = Account(AccountId(row.id), row.name, Role(row.role), row.weight)
    return Person(account, row.email, row.verified_at is not None, row.closed_at, row.closed_why, row.created_at,
                  Purse(Millipoints(int(row.earned)), Millipoints(int(row.spent))), row.machines)
