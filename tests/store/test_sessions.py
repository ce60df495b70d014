"""Rows of sessions."""

from tests.store.conftest import NOW, Rows

from sheepfold.model.accounts import Scope
from sheepfold.model.machines import Session, SessionId
from sheepfold.store import accounts, sessions


def opened(rows: Rows, token_hash: str = "hash") -> Session:
    box = rows.machine("box")
    new = Session(SessionId(0), box.id, box.account_id, "sheepit", NOW, NOW)
    rows.db.write(lambda tx: sessions.add_session(tx, token_hash, new, "{}", "key 1"))
    return rows.db.read(lambda tx: sessions.find_session(tx, token_hash)).session


def test_a_session_is_found_by_its_tokens_hash(rows: Rows):
    session = opened(rows)
    found = rows.db.read(lambda tx: sessions.find_session(tx, "hash"))
    assert (found.session, found.abilities, found.opened_by) == (session, "{}", "key 1")
    assert session.protocol == "sheepit"
    assert rows.db.read(lambda tx: sessions.find_session(tx, "other")) is None


def test_a_session_knows_whose_key_opened_it_until_that_is_revoked(rows: Rows):
    box = rows.machine("box")
    rows.db.write(lambda tx: accounts.add_key(tx, box.id, Scope.WORK, [("md5", "key 1"), ("key", "key 1")], NOW))
    opened(rows)
    found = rows.db.read(lambda tx: sessions.find_session(tx, "hash"))
    assert found.holder == rows.db.read(lambda tx: accounts.find_key_holder(tx, "key", "key 1"))
    assert (found.holder.machine.name, found.holder.scope) == ("box", Scope.WORK)
    rows.db.write(lambda tx: accounts.revoke_keys(tx, box.id, NOW))
    assert rows.db.read(lambda tx: sessions.find_session(tx, "hash")).holder is None


def test_an_ended_session_is_found_no_more_and_others_stay(rows: Rows):
    one, _ = opened(rows, "one"), opened(rows, "two")
    rows.db.write(lambda tx: sessions.end_session(tx, one.id, NOW))
    assert rows.db.read(lambda tx: sessions.find_session(tx, "one")) is None
    assert rows.db.read(lambda tx: sessions.find_session(tx, "two")) is not None


def test_a_sign_of_life_is_noted_for_session_and_machine(rows: Rows):
    session = opened(rows)
    rows.db.write(lambda tx: sessions.touch(tx, session, NOW + 60))
    assert rows.db.read(lambda tx: sessions.find_session(tx, "hash")).session.last_seen_at == NOW + 60
    assert rows.db.read(lambda tx: accounts.machine_named(tx, "box")).last_seen_at == NOW + 60
