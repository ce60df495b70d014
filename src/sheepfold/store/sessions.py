"""Rows of sessions: who opened one, for what machine, with what abilities."""

from dataclasses import dataclass

from sqlalchemy import insert, text, update

from sheepfold.model.accounts import AccountId
from sheepfold.model.machines import MachineId, Session, SessionId
from sheepfold.store import schema
from sheepfold.store.database import Tx

SEEN_GRAIN_S = 60
"""`last_seen_at` is written at most once in this time, so that a busy session costs no write a request."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A living session with what its machine said of itself, as JSON text, and by what it was opened."""

    session: Session
    abilities: str
    opened_by: str


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


# by uq_sessions_token_hash
_BY_TOKEN = text("""
    SELECT id, machine_id, account_id, protocol, abilities, opened_by, opened_at, last_seen_at
    FROM sessions WHERE token_hash = :token_hash AND ended_at IS NULL
""")


def find_session(tx: Tx, token_hash: str) -> OpenSession | None:
    """Return the living session of a token, or None."""
    row = tx.execute(_BY_TOKEN, {"token_hash": token_hash}).one_or_none()
    if row is None:
        return None
    session = Session(SessionId(row.id), MachineId(row.machine_id), AccountId(row.account_id), row.protocol,
                      row.opened_at, row.last_seen_at)
    return OpenSession(session, row.abilities, row.opened_by)


def touch(tx: Tx, session: Session, now: int) -> None:
    """Note that a session and its machine were heard of."""
    tx.execute(update(schema.sessions).where(schema.sessions.c.id == session.id).values(last_seen_at=now))
    tx.execute(update(schema.machines).where(schema.machines.c.id == session.machine_id).values(last_seen_at=now))


def end_session(tx: Tx, session_id: SessionId, now: int) -> None:
    """End a session; its token opens nothing any more."""
    tx.execute(update(schema.sessions).where(schema.sessions.c.id == session_id).values(ended_at=now))
