"""What webhooks are told of, from what happens on the farm to what arrives at a receiver."""

import json
import socket
import time
from dataclasses import replace

import pytest
from tests.conftest import Clock
from tests.farm.receiver import go_round, receiving, topics

from sheepfold.blobs.spool import Digest
from sheepfold.certificate import ensure_certificate
from sheepfold.farm import postman, webhooks
from sheepfold.farm.browse import view_job
from sheepfold.farm.owner import close_account, reopen_account
from sheepfold.farm.postman import KEPT_S, Postman
from sheepfold.farm.problems import report_problem
from sheepfold.farm.webhooks import Wanted
from sheepfold.model.accounts import Role
from sheepfold.model.jobs import Terms
from sheepfold.model.notices import Topic
from sheepfold.model.trust import INVALID_IN_A_ROW

ON_SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
"""The rows of webhooks are tried on both databases elsewhere; here it is about what leads to them."""


def told(inbox):
    """Return the only message that arrived."""
    ((_, _, _, body),) = inbox.got
    return json.loads(body)


@pytest.fixture
def heard(near, inbox):
    """Let ann be told of one topic, and return what brings her the message of what happened."""

    def hear(topic, account="ann"):
        webhooks.add_webhook(near.farm, near.account(account), Wanted(inbox.url, topics=(topic,)))

        def message():
            while go_round(near.farm):
                pass
            return told(inbox)

        return message

    return hear


@ON_SQLITE
def test_a_page_that_changed_is_told_with_the_way_to_its_review(near, heard):
    message = heard(Topic.REVIEW_CHANGED)
    for first in (0, 1):
        job = near.order(frames=2, baseline="home")
        near.make_all(near.maker("argo"), first=first)
        near.do_chores()
    said = message()
    assert (said["topic"], said["detail"]) == ("review.changed", {"changed": 2})
    assert said["link"] == f"https://farm.example/shots/{job.id}/changes"


@ON_SQLITE
def test_a_task_that_no_attempt_makes_is_told_as_broken(near, heard):
    message = heard(Topic.TASK_BROKEN)
    job = near.order(terms=Terms(max_attempts=1))
    near.send(near.held(near.maker("argo")), b"rubbish")
    said = message()
    assert (said["task"], said["text"].startswith("Task")) == (view_job(near.farm, job.id).tasks[0].id, True)


@ON_SQLITE
def test_each_chore_that_was_given_up_wants_to_be_looked_at(near, inbox, heard, clock):
    heard(Topic.JOB_ATTENTION)
    job = near.order()
    near.make_all(near.maker("argo"))
    task = near.task(view_job(near.farm, job.id).tasks[0].id)
    near.farm.blobs.delete(Digest(task.results[0].digest))
    while view_job(near.farm, job.id).chores_waiting:
        near.do_chores()
        clock.advance(3600)
    while go_round(near.farm):
        pass
    assert topics(inbox) == ["job.attention"] * 2
    assert all("needs a look" in json.loads(body)["text"] for _, _, _, body in inbox.got)


@ON_SQLITE
def test_a_problem_is_told_in_the_words_of_who_reports_it(near, heard):
    message = heard(Topic.PROBLEM_REPORTED)
    job = near.order()
    near.make_all(near.maker("argo"))
    report_problem(near.farm, near.account("eve"), view_job(near.farm, job.id).tasks[0].id, "The menu is there twice.")
    assert message()["text"] == f'eve reports of Job {job.id} "a test": The menu is there twice.'


@ON_SQLITE
def test_a_machine_that_makes_nothing_valid_is_told_to_its_owner_when_it_is_suspended(near, heard):
    message = heard(Topic.MACHINE_SUSPENDED, "vera")
    near.order(frames=INVALID_IN_A_ROW, terms=Terms(max_attempts=50))
    maker = near.maker("argo", "vera")
    for _ in range(INVALID_IN_A_ROW):
        near.send(near.held(maker), b"rubbish")
    said = message()
    assert (said["detail"]["machine"], said["account"], said["job"]) == ("argo", "vera", None)


@ON_SQLITE
def test_the_postman_goes_by_himself_and_ends_when_he_is_told(near, inbox):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    going = Postman(near.farm)
    going.start()
    try:
        uid = webhooks.try_webhook(near.farm, ann, hook.id)
        assert inbox.arrived.wait(60)
    finally:
        going.stop()
    assert told(inbox)["id"] == uid
    (delivery,) = webhooks.list_deliveries(near.farm, ann, hook.id)
    assert delivery.delivered_at is not None


@ON_SQLITE
def test_a_postman_forgets_on_though_the_clock_was_set_back(near, inbox, clock):
    ann, gone_by = near.account("ann"), Clock()
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))

    def deliver():
        webhooks.try_webhook(near.farm, ann, hook.id)
        while not all(one.delivered_at for one in webhooks.list_deliveries(near.farm, ann, hook.id)):
            time.sleep(0.02)

    clock.advance(30 * 86_400)
    going = Postman(replace(near.farm, elapsed=gone_by))
    going.start()
    try:
        deliver()
        deliver()  # so that the round of the first has ended
        clock.advance(-30 * 86_400)
        deliver()
        clock.advance(KEPT_S + 1)
        gone_by.advance(KEPT_S + 1)
        while len(webhooks.list_deliveries(near.farm, ann, hook.id)) > 2:
            time.sleep(0.02)
    finally:
        going.stop()


@ON_SQLITE
def test_a_postman_who_must_end_leaves_who_says_nothing_and_counts_no_failure(near):
    ann = near.account("ann")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hook = webhooks.add_webhook(near.farm, ann, Wanted(f"http://127.0.0.1:{silent.getsockname()[1]}/"))
        going = Postman(near.farm)
        going.start()
        webhooks.try_webhook(near.farm, ann, hook.id)
        with silent.accept()[0] as caller:
            assert caller.recv(4) == b"POST"
            near.farm.closing.set()
            going.stop()
    (delivery,) = webhooks.list_deliveries(near.farm, ann, hook.id)
    assert (delivery.delivered_at, delivery.answer) == (None, "")
    assert delivery.next_at > near.farm.now()


@ON_SQLITE
def test_https_is_spoken_to_whom_the_system_trusts_and_to_nobody_else(near, tmp_path, monkeypatch):
    certificate = ensure_certificate(tmp_path / "tls", "127.0.0.1", 1_700_000_000)
    ann = near.account("ann")
    with receiving(certificate) as inbox:
        hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
        webhooks.try_webhook(near.farm, ann, hook.id)
        go_round(near.farm)
        assert "certificate" in webhooks.list_deliveries(near.farm, ann, hook.id)[0].answer
        assert inbox.got == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        webhooks.try_webhook(near.farm, ann, hook.id)
        go_round(near.farm)
        assert topics(inbox) == ["test"]


def test_what_waits_for_a_closed_account_is_not_sent(near, inbox, clock):
    ann, boss = near.account("ann"), near.account("boss", Role.OWNER)
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    webhooks.try_webhook(near.farm, ann, hook.id)
    close_account(near.farm, boss, "ann")
    reopen_account(near.farm, boss, "ann")
    clock.advance(86_400)
    assert go_round(near.farm) == 0
    assert inbox.got == []
    (delivery,) = webhooks.list_deliveries(near.farm, ann, hook.id)
    assert (delivery.next_at, delivery.answer) == (None, "The account was closed.")


def test_a_delivery_that_fails_while_its_account_is_closed_is_not_tried_again(near, inbox):
    ann, boss = near.account("ann"), near.account("boss", Role.OWNER)
    hook = webhooks.add_webhook(near.farm, ann, Wanted("http://hooks.example/x"))
    webhooks.try_webhook(near.farm, ann, hook.id)

    def close_meanwhile(host, port):
        close_account(near.farm, boss, "ann")
        return ["192.0.2.1"]

    postman.deliver_due(near.farm, resolve=close_meanwhile)
    (delivery,) = webhooks.list_deliveries(near.farm, ann, hook.id)
    assert (delivery.next_at, delivery.delivered_at) == (None, None)


def test_the_newest_deliveries_of_all_hooks_are_one_read(near, inbox):
    ann, bob = near.account("ann"), near.account("bob")
    first, second = (webhooks.add_webhook(near.farm, ann, Wanted(inbox.url)) for _ in range(2))
    webhooks.try_webhook(near.farm, bob, webhooks.add_webhook(near.farm, bob, Wanted(inbox.url)).id)
    sent = [webhooks.try_webhook(near.farm, ann, first.id) for _ in range(3)]
    webhooks.try_webhook(near.farm, ann, second.id)
    found = webhooks.newest_deliveries(near.farm, ann, limit=2)
    assert {hook_id: len(deliveries) for hook_id, deliveries in found.items()} == {first.id: 2, second.id: 1}
    assert [one.notice for one in found[first.id]] == sent[:0:-1]
