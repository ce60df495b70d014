"""What is asked for twice under one name is made once, and its secrets are in no database."""

import pytest
from sqlalchemy import text

from sheepfold.farm.accounts import add_account, add_key, revoke_keys
from sheepfold.farm.naming import Naming
from sheepfold.farm.upkeep import ORDER_KEY_AGE_S, forget_order_keys
from sheepfold.model.accounts import Role, Scope
from sheepfold.model.errors import Conflict, PerhapsDone, StoreUnavailable
from sheepfold.protocols.rest import making

_ALL = text("SELECT * FROM kept_answers")
HOOK = {"url": "https://hooks.example/in"}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(making, "PAUSES_S", (0.01, 0.01, 0.01))


@pytest.fixture
def ann(site):
    add_account(site.farm, "ann", Role.ARTIST, "")
    return add_key(site.farm, "ann", "desk", Scope.MANAGE).key


@pytest.fixture
def post(site, ann):
    def ask(path, body, name="n1", key=""):
        headers = site.bearer(key or ann) | ({"Idempotency-Key": name} if name else {})
        return site.http.post(path, json=body, headers=headers)

    return ask


@pytest.mark.parametrize(("path", "body"), [
    ("/webhooks", HOOK), ("/machines/laptop/keys", {"scope": "work"}), ("/invitations", {}),
    ("/teams", {"name": "wool"})])
def test_the_same_request_under_the_same_name_gets_the_same_answer(post, path, body):
    first, second = post(path, body), post(path, body)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first.headers["content-type"] == second.headers["content-type"]


def test_without_a_name_or_under_another_one_more_is_made(site, ann, post):
    for name in ("", "", "a", "b"):
        assert post("/webhooks", HOOK, name).status_code == 201
    assert len(site.http.get("/webhooks", headers=site.bearer(ann)).json()["webhooks"]) == 4


def test_another_request_under_a_name_is_a_mistake(post):
    post("/webhooks", HOOK)
    answer = post("/webhooks", HOOK | {"form": "slack"})
    assert (answer.status_code, "another request" in answer.json()["detail"]) == (422, True)


def test_what_was_refused_may_be_sent_again(post):
    for host in ("127.0.0.1", "localhost"):
        assert post("/webhooks", {"url": f"http://{host}/"}).status_code == 403
    assert post("/webhooks", HOOK).status_code == 201


def test_a_name_is_its_callers_own(site, post):
    add_account(site.farm, "bob", Role.ARTIST, "")
    key = add_key(site.farm, "bob", "box", Scope.MANAGE).key
    mine, others = post("/webhooks", HOOK), post("/webhooks", HOOK, key=key)
    assert mine.json()["id"] != others.json()["id"]


def test_a_revoked_key_gets_no_answer_of_before(site, post):
    post("/webhooks", HOOK)
    revoke_keys(site.farm, "desk")
    assert post("/webhooks", HOOK).status_code == 401


def test_a_request_whose_server_ended_is_not_done_twice(site, ann, post):
    answer = post("/webhooks", HOOK)
    assert answer.status_code == 201
    under_way = Naming(site.farm, ann, "n2", "0" * 64)
    assert under_way.begin() is None
    assert post("/webhooks", HOOK, "n2").status_code == 422
    with pytest.raises(Conflict, match="under way"):
        Naming(site.farm, ann, "n2", "0" * 64).begin()


@pytest.fixture
def lose(site, monkeypatch):
    """Lose the database once, as soon as what it was told to keep makes a question's answer more than none; it stays
    away for so many writes more."""
    def armed(question, *, away=0):
        write, left = site.farm.db.write, [PerhapsDone, *[StoreUnavailable] * away]

        def lossy(operation):
            if len(left) <= away and left:
                raise left.pop()
            answer = write(operation)
            if left and site.farm.db.read(lambda tx: tx.execute(text(question)).all()):
                raise left.pop(0)
            return answer

        monkeypatch.setattr(site.farm.db, "write", lossy)

    return armed


@pytest.mark.parametrize("away", [0, 3])
def test_a_name_is_found_again_whose_database_was_lost_as_it_was_noted(post, lose, away):
    lose("SELECT * FROM kept_answers", away=away)
    first, second = post("/webhooks", HOOK), post("/webhooks", HOOK)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()


def test_a_name_is_its_first_callers(site, ann):
    mine, twin = (Naming(site.farm, ann, "n1", "0" * 64) for _ in range(2))
    assert (mine.begin(), mine.begin()) == (None, None)
    with pytest.raises(Conflict, match="under way"):
        twin.begin()
    mine.keep(b"{}")
    assert twin.begin() == b"{}"


def test_what_a_lost_database_did_not_do_may_be_sent_again(site, post, monkeypatch):
    write, answers = site.farm.db.write, iter([None, *[StoreUnavailable] * 3])

    def away(operation):
        if lost := next(answers, None):
            raise lost
        return write(operation)

    monkeypatch.setattr(site.farm.db, "write", away)  # before it makes anything, and as the name is to be dropped
    assert post("/webhooks", HOOK).status_code == 503
    assert next(answers, "all") == "all"
    assert post("/webhooks", HOOK).status_code == 201


def test_the_answer_is_kept_for_whose_database_went_away_behind_it(site, ann, post, lose):
    lose("SELECT * FROM kept_answers WHERE length(answer) > 8", away=2)
    first, second = post("/webhooks", HOOK), post("/webhooks", HOOK)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len(site.http.get("/webhooks", headers=site.bearer(ann)).json()["webhooks"]) == 1


def test_a_request_whose_database_was_lost_is_not_done_twice(site, ann, post, lose):
    lose("SELECT * FROM webhooks")
    perhaps = post("/webhooks", HOOK)
    assert (perhaps.status_code, perhaps.json()["type"]) == (503, "/api/docs#perhaps-done")
    assert "retry-after" in perhaps.headers
    assert post("/webhooks", HOOK).status_code == 409
    assert len(site.http.get("/webhooks", headers=site.bearer(ann)).json()["webhooks"]) == 1


def test_secrets_lie_in_no_database_and_are_forgotten_after_a_week(site, post):
    made = post("/machines/laptop/keys", {"scope": "order"}).json()["key"]
    rows = site.farm.db.read(lambda tx: tx.execute(_ALL).all())
    assert rows
    assert made not in str(rows)
    site.clock.now += ORDER_KEY_AGE_S + 1
    assert forget_order_keys(site.farm) == len(rows)
    assert post("/machines/laptop/keys", {"scope": "order"}).json()["key"] != made


@pytest.mark.parametrize("name", ["", "two words", "x" * 201])
def test_a_name_is_printable_and_short(site, ann, name):
    headers = site.bearer(ann) | {"Idempotency-Key": name}
    assert site.http.post("/webhooks", json=HOOK, headers=headers).status_code == 400
