"""What calls ask of the database: anybody may call, and a small call makes no great work."""

from collections import Counter

import pytest

from sheepfold.store.transaction import Tx

MOST_STATEMENTS = 12
STATUS = "requests.status"
MANY = [f"Browser{letter}" for letter in "ABCDE"]
WIDTHS = list(range(640, 1140, 50))


@pytest.fixture
def asked(monkeypatch):
    """Collect the statements of this process."""
    statements = []

    def note(name):
        run = getattr(Tx, name)

        def noted(tx, statement, values):
            statements.extend([] if "PRAGMA" in str(statement) else [statement])  # by which a server hears of news
            return run(tx, statement, values)

        monkeypatch.setattr(Tx, name, noted)

    note("_run")
    note("_execute_composed")
    return statements


def asked_by(asked, site, method, *params):
    """Return how many statements a call makes, and what it is answered."""
    asked.clear()
    answer = site.argo.call(method, *params)
    return len(asked), answer


def multicall(*calls):
    return [{"methodName": method, "params": list(params)} for method, *params in calls]


def test_a_group_of_many_views_is_told_by_as_few_statements_as_one_view_s(site, asked):
    small = site.order()
    site.argo.poll()
    large = site.order(browsers=["Firefox", *MANY], widths=WIDTHS)
    few, (told,) = asked_by(asked, site, STATUS, small.id)
    assert (few <= MOST_STATEMENTS, told["status"]) == (True, "starting")
    site.argo.shoot()
    site.argo.shoot()
    site.argo.visit(site.argo.poll()["request"])
    site.argo.poll()
    for name in ("brig", "sloop", "yawl"):
        site.factory(name)
        site.browser(name, "BrowserA")
    many, rows = asked_by(asked, site, STATUS, large.id)
    assert many == few
    assert len(rows) == 60
    assert Counter(row["status"] for row in rows) == {"uploaded": 2, "loading": 1, "starting": 1, "pending": 56}


def test_a_call_that_is_repeated_is_answered_once(site, asked):
    job = site.order(browsers=["Firefox", *MANY], widths=WIDTHS)
    once, rows = asked_by(asked, site, STATUS, job.id)
    calls = multicall(*[(STATUS, job.id), (STATUS, str(job.id))] * 50)
    often, answers = asked_by(asked, site, "system.multicall", calls)
    assert often <= once
    assert answers == [[rows]] * 100
    for method in ("browsers.active", "factories.features"):
        params = ["argo"] * (method == "factories.features")
        once, answer = asked_by(asked, site, method, *params)
        often, answers = asked_by(asked, site, "system.multicall", multicall(*[(method, *params)] * 100))
        assert (often, answers) == (once, [[answer]] * 100)


def test_what_a_call_changes_is_told_by_the_next_and_each_challenge_is_another(site):
    job = site.order()
    encrypted = site.argo.encrypted()
    (before,), _, (after,) = site.argo.call("system.multicall", multicall(
        (STATUS, job.id), ("requests.poll", "argo", encrypted), (STATUS, job.id)))
    assert (before[0]["status"], after[0]["status"]) == ("pending", "starting")
    challenge = ("nonces.challenge", "argo")
    (first,), (second,) = site.argo.call("system.multicall", multicall(challenge, challenge))
    assert first["nonce"] != second["nonce"]


def test_a_view_that_waits_is_told_the_estimate_of_the_quickest_that_can_make_it(site, picture):
    site.factory("brig")
    site.browser("brig", "Firefox", "3.0")
    site.browser("brig", "Opera", "9.2")
    brig = site.factory("sloop")
    site.browser("sloop", "Opera", "9.2")
    for wait_s, factory, browser in ((50, site.argo, "Firefox"), (20, brig, "Opera")):
        site.order(browsers=[browser])
        site.clock.now += wait_s
        told = factory.poll()
        assert factory.visit(told["request"], f"Mozilla/5.0 ({browser})").status_code == 302
        factory.upload(told["request"], picture(wait_s))
    job = site.order(browsers=["Firefox", "Opera", "Lynx"])
    assert [row["seconds"] for row in site.argo.call(STATUS, job.id)] == [50, 20, 0]
