"""Rows of sessions: who opened one, for what machine, with what abilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text, update

from sheepfold.model.accounts import AccountId
from sheepfold.model.machines import MachineId, Session, SessionId
from sheepfold.store import schema
from sheepfold.store.accounts import HOLDER_COLUMNS, KeyHolder, holder_in
from sheepfold.store.database import Question, Tx

SEEN_GRAIN_S = 60
"""`last_seen_at` is written at most once in this time, so that a busy session costs no write a request."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A living session with what its machine said of itself, as JSON text, and by what it was opened."""

    session: Session
    abilities: str
    opened_by: str
    holder: KeyHolder | None
    """Whom the key belongs to that opened it; None where that was revoked, or was none."""


def add_session(tx: Tx, token_hash: str, session: Session, abilities: str, opened_by: str) -> SessionId:
    """Add a session; its own id is ignored, the new one returned."""
    values = {
        "token_hash": token_hash,
        "machine_id": session.machine_id,
        "account_id": session.account_id,
        "protocol": session.protocol,
        "abilities": abilities,
        "opened_by": opened_by,
        "opened_at": session.opened_at,
        "last_seen_at": session.last_seen_at,
    }
    return SessionId(tx.execute(insert(schema.sessions).values(values).returning(schema.sessions.c.id)).scalar_one())


# by uq_sessions_token_hash, then uq_key_verifiers_scheme_value; one statement, since every request asks it. The joins
# stand one after the other: those in parentheses SQLite makes whole first, of all keys that there are
_BY_TOKEN = text(f"""
    SELECT s.id, s.machine_id AS of_machine_id, s.account_id AS of_account_id, s.protocol, s.abilities, s.opened_by,
           s.opened_at, s.last_seen_at AS seen_at, {HOLDER_COLUMNS}
    FROM sessions s
    LEFT JOIN key_verifiers v ON v.scheme = 'key' AND v.value = s.opened_by
    LEFT JOIN machine_keys k ON k.id = v.key_id AND k.revoked_at IS NULL
    LEFT JOIN machines m ON m.id = k.machine_id
    LEFT JOIN accounts a ON a.id = m.account_id
    WHERE s.token_hash = :token_hash AND s.ended_at IS NULL
""")  # noqa: S608 -- made of constants


def find_session(tx: Tx, token_hash: str) -> OpenSession | None:
    """Return the living session of a token, or None."""
    return session_in(tx.execute(*session_asked(token_hash)).all())


def session_asked(token_hash: str) -> Question:
    """Return the question that `session_in` reads the answer of, to be asked along with others."""
    return _BY_TOKEN, {"token_hash": token_hash}


def session_in(rows: Sequence[Any]) -> OpenSession | None:
    """Return the session that the only row tells of, None where there is no row."""
    if not rows:
        return None
    row = rows[0]
    session = Session(SessionId(row.id), MachineId(row.of_machine_id), AccountId(row.of_account_id), row.protocol,
                      row.opened_at, row.seen_at)
    return OpenSession(session, row.abilities, row.opened_by, None if row.scope is None else holder_in(row))


_ALIVE = text("""
    SELECT s.abilities, count(DISTINCT s.machine_id) AS machines
    FROM sessions s JOIN machines m ON m.id = s.machine_id
    WHERE s.ended_at IS NULL AND s.protocol = :protocol AND s.last_seen_at > :since AND m.suspended_at IS NULL
    GROUP BY s.abilities
""")


def abilities_alive(tx: Tx, protocol: str, since: int) -> list[tuple[str, int]]:
    """Return what machines of a protocol said of themselves that were heard of since, and how many said it."""
    rows = tx.execute(_ALIVE, {"protocol": protocol, "since": since})
    return [(row.abilities, int(row.machines)) for row in rows]


_TOUCH_SESSION = text("UPDATE sessions SET last_seen_at = :now WHERE id = :session_id")
_TOUCH_MACHINE = text("UPDATE machines SET last_seen_at = :now WHERE id = :machine_id")


def touch(tx: Tx, session: Session, now: int) -> None:
    """Note that a session and its machine were heard of."""
    tx.later(_TOUCH_SESSION, {"session_id": session.id, "now": now})
    tx.later(_TOUCH_MACHINE, {"machine_id": session.machine_id, "now": now})


def end_session(tx: Tx, session_id: SessionId, now: int) -> None:
    """End a session; its token opens nothing any more."""
    tx.execute(update(schema.sessions).where(schema.sessions.c.id == session_id).values(ended_at=now))
