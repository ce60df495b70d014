"""Webhooks are told what happened: once each, signed, in their own form, again after failures, and nowhere private."""

import hashlib
import hmac
import json
import socket

import pytest
from sqlalchemy import update
from tests.farm.receiver import go_round, topics

from sheepfold.farm import letters, postman, webhooks
from sheepfold.farm.owner import change_machine
from sheepfold.farm.webhooks import Wanted
from sheepfold.model.accounts import Role
from sheepfold.model.errors import BadInput, Conflict, Forbidden, NotFound
from sheepfold.model.notices import Form, Reach, Topic
from sheepfold.store import webhooks as hook_rows
from sheepfold.store.hook_tables import hook_deliveries


def test_a_finished_job_is_told_once_and_signed(near, inbox):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    job = near.order()
    near.make_all(near.maker("argo"))
    go_round(near.farm)
    go_round(near.farm)
    ((method, path, headers, body),) = inbox.got
    assert (method, path) == ("POST", "/in")
    signed = hmac.new(hook.secret.encode(), headers["Sheepfold-Timestamp"].encode() + b"." + body, hashlib.sha256)
    assert headers["Sheepfold-Signature"] == f"v1={signed.hexdigest()}"
    told = json.loads(body)
    assert (told["topic"], told["job"]["id"], told["id"]) == ("job.done", job.id, headers["Sheepfold-Delivery"])
    assert told["link"] == f"https://farm.example/jobs/{job.id}"
    (delivery,) = webhooks.list_deliveries(near.farm, ann, hook.id)
    assert (delivery.delivered_at, delivery.next_at, delivery.answer) == (near.farm.now(), None, "204")


def test_others_hear_nothing_and_the_owner_may_hear_all(near, inbox):
    webhooks.add_webhook(near.farm, near.account("bob"), Wanted(inbox.url))
    webhooks.add_webhook(near.farm, near.account("ann"), Wanted(inbox.url, topics=(Topic.JOB_FAILED,)))
    owner = near.account("root", Role.OWNER)
    webhooks.add_webhook(near.farm, owner, Wanted(inbox.url + "/farm", reach=Reach.FARM))
    near.order()
    near.make_all(near.maker("argo"))
    change_machine(near.farm, owner, "argo", "pause")
    while go_round(near.farm):
        pass
    assert [path for _, path, _, _ in inbox.got] == ["/in/farm"] * 2
    assert topics(inbox) == ["job.done", "machine.suspended"]


def test_a_failure_is_tried_again_with_the_same_id_and_given_up_in_the_end(near, inbox, clock):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    inbox.status = 500
    uid = webhooks.try_webhook(near.farm, ann, hook.id)
    for _ in range(postman.ATTEMPTS):
        assert go_round(near.farm) == 1
        assert go_round(near.farm) == 0  # not at once
        clock.advance(postman.LONGEST_RETRY_S * 2)
    assert {headers["Sheepfold-Delivery"] for _, _, headers, _ in inbox.got} == {uid}
    (found,) = webhooks.list_webhooks(near.farm, ann)
    assert found.disabled_at is not None
    assert "500" in found.reason
    with pytest.raises(Conflict):
        webhooks.try_webhook(near.farm, ann, hook.id)
    assert webhooks.enable_webhook(near.farm, ann, hook.id).disabled_at is None


def test_hooks_of_a_dead_host_keep_nobody_else_waiting(near, inbox, clock):
    eve, bob = near.account("eve"), near.account("bob")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    hooks = [webhooks.add_webhook(near.farm, eve, Wanted(dead)) for _ in range(webhooks.MOST_HOOKS)]
    for hook in hooks * 3:
        queue(near.farm, hook)
    queue(near.farm, webhooks.add_webhook(near.farm, bob, Wanted(inbox.url)))
    assert [go_round(near.farm) for _ in range(3)] == [postman.AT_A_TIME, len(hooks) + 1 - postman.AT_A_TIME, 0]
    assert len(inbox.got) == 1
    clock.advance(postman.FIRST_RETRY_S * 2)
    older = webhooks.add_webhook(near.farm, bob, Wanted(inbox.url + "/older"))
    queue(near.farm, older, at=clock.now - 3600)
    assert go_round(near.farm) == postman.AT_A_TIME
    assert len(inbox.got) == 2


def queue(farm, hook, at=None):
    """Have a message wait for a hook."""
    farm.db.write(lambda tx: hook_rows.add_delivery(tx, hook.id, farm.token(), Topic.JOB_DONE, '{"text": "Done."}',
                                                    farm.now() if at is None else at))


def test_what_waits_behind_a_failure_is_sent_as_soon_as_a_test_arrives(near, inbox, clock):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    for _ in range(3):
        queue(near.farm, hook)
    inbox.status = 500
    for _ in range(4):
        assert go_round(near.farm) == 1
        clock.advance(postman.TAKEN_S * 10)
    assert go_round(near.farm) == 1
    assert go_round(near.farm) == 0
    assert len({headers["Sheepfold-Delivery"] for _, _, headers, _ in inbox.got}) == 1
    webhooks.try_webhook(near.farm, ann, hook.id)
    assert [go_round(near.farm), go_round(near.farm)] == [1, 0]
    inbox.status = 204
    clock.advance(postman.FIRST_RETRY_S * 2)
    webhooks.try_webhook(near.farm, ann, hook.id)
    assert [go_round(near.farm) for _ in range(5)] == [1] * 5
    assert topics(inbox) == ["job.done"] * 5 + ["test"] * 2 + ["job.done", "test", "job.done", "job.done"]
    assert go_round(near.farm) == 0


def test_what_a_dead_house_had_taken_is_sent_again(near, inbox, clock):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    webhooks.try_webhook(near.farm, ann, hook.id)
    (due,) = near.farm.db.read(lambda tx: hook_rows.due(tx, clock.now, 9))
    near.farm.db.write(lambda tx: hook_rows.take_delivery(tx, due, clock.now, clock.now + postman.TAKEN_S))
    assert go_round(near.farm) == 0
    clock.advance(postman.TAKEN_S)
    assert go_round(near.farm) == 1
    assert topics(inbox) == ["test"]


def test_redirects_are_not_followed_and_gone_is_gone(near, inbox):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    inbox.status, inbox.headers = 307, {"Location": "/elsewhere"}
    webhooks.try_webhook(near.farm, ann, hook.id)
    go_round(near.farm)
    assert [path for _, path, _, _ in inbox.got] == ["/in"]
    inbox.status = 410
    webhooks.try_webhook(near.farm, ann, hook.id)
    go_round(near.farm)
    assert "410" in webhooks.list_webhooks(near.farm, ann)[0].reason


@pytest.mark.parametrize(("status", "attempts"), [(410, 0), (500, postman.ATTEMPTS - 1), (204, 0)])
def test_what_a_hook_answers_that_was_removed_meanwhile_is_not_said_of_the_next(near, inbox, status, attempts):
    """SQLite gives the ids of what was removed last again."""
    ann = near.account("ann")
    queue(near.farm, webhooks.add_webhook(near.farm, ann, Wanted(inbox.url)))
    near.farm.db.write(lambda tx: tx.execute(update(hook_deliveries).values(attempts=attempts)))

    def put_right():
        (wrong,) = webhooks.list_webhooks(near.farm, ann)
        webhooks.remove_webhook(near.farm, ann, wrong.id)
        queue(near.farm, webhooks.add_webhook(near.farm, ann, Wanted(inbox.url + "/right")))

    inbox.status, inbox.before_answer = status, put_right
    assert go_round(near.farm) == 1
    (hook,) = webhooks.list_webhooks(near.farm, ann)
    assert (hook.url, hook.disabled_at) == (inbox.url + "/right", None)
    (waiting,) = webhooks.list_deliveries(near.farm, ann, hook.id)
    assert (waiting.next_at, waiting.attempts, waiting.answer) == (near.farm.now(), 0, "")
    inbox.status, inbox.before_answer = 204, lambda: None
    assert go_round(near.farm) == 1
    assert [path for _, path, _, _ in inbox.got] == ["/in", "/in/right"]


def test_who_asks_to_wait_is_waited_for(near, inbox, clock):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted(inbox.url))
    inbox.status, inbox.headers = 429, {"Retry-After": "900"}
    webhooks.try_webhook(near.farm, ann, hook.id)
    go_round(near.farm)
    (delivery,) = webhooks.list_deliveries(near.farm, ann, hook.id)
    assert delivery.next_at >= clock.now + 900


def test_private_addresses_are_refused_when_added_and_when_called(world):
    ann = world.account("ann")
    for url in ("http://127.0.0.1/x", "http://[::1]/", "http://169.254.169.254/latest", "http://10.0.0.1:8080/",
                "http://localhost:8080/", "http://2130706433/"):
        with pytest.raises(Forbidden, match="webhook_allowed_ranges"):
            webhooks.add_webhook(world.farm, ann, Wanted(url))
    with pytest.raises(Forbidden):
        webhooks.add_webhook(world.farm, ann, Wanted("http://office.example/"), lambda host, port: ["10.0.0.1"])
    assert webhooks.list_webhooks(world.farm, ann) == []
    hook = webhooks.add_webhook(world.farm, ann, Wanted("http://hooks.example/x"))
    webhooks.try_webhook(world.farm, ann, hook.id)
    postman.deliver_due(world.farm, resolve=lambda host, port: ["93.184.215.14", "127.0.0.1"])
    assert "no public address" in webhooks.list_deliveries(world.farm, ann, hook.id)[0].answer


def test_a_name_that_leads_to_an_allowed_network_is_taken(near):
    ann = near.account("ann")
    hook = webhooks.add_webhook(near.farm, ann, Wanted("http://office.example/"), lambda host, port: ["127.0.0.1"])
    assert webhooks.list_webhooks(near.farm, ann) == [hook]


@pytest.mark.parametrize("url", ["ftp://a.example/", "https:///x", "https://u:p@a.example/", "http://a.example:x/",
                                 "https://a.example/a b", "https://a.example/" + "x" * 1000, "http://[::1", ""])
def test_what_is_no_address_is_refused(world, url):
    with pytest.raises(BadInput):
        webhooks.add_webhook(world.farm, world.account("ann"), Wanted(url))


@pytest.mark.parametrize("url", ["https://u:secret/x@a.example/", "https://[secret]/", "u:secret@a.example"])
def test_a_refused_address_is_not_repeated(world, url):
    with pytest.raises(BadInput) as found:
        webhooks.add_webhook(world.farm, world.account("ann"), Wanted(url))
    assert "secret" not in str(found.value)


def test_an_artist_does_not_hear_of_the_farm_and_sees_no_others_hooks(world):
    ann, bob = world.account("ann"), world.account("bob")
    with pytest.raises(Forbidden):
        webhooks.add_webhook(world.farm, ann, Wanted("https://a.example/", reach=Reach.FARM))
    hook = webhooks.add_webhook(world.farm, ann, Wanted("https://a.example/"))
    for deed in (webhooks.remove_webhook, webhooks.try_webhook, webhooks.enable_webhook, webhooks.list_deliveries):
        with pytest.raises(NotFound):
            deed(world.farm, bob, hook.id)
    webhooks.remove_webhook(world.farm, ann, hook.id)
    assert webhooks.list_webhooks(world.farm, ann) == []


@pytest.mark.parametrize(("form", "field"), [(Form.DISCORD, "content"), (Form.SLACK, "text"), (Form.MATRIX, "body")])
def test_chats_are_told_in_their_own_form(near, inbox, form, field):
    ann = near.account("ann")
    webhooks.add_webhook(near.farm, ann, Wanted(inbox.url, form))
    near.order()
    near.make_all(near.maker("argo"))
    go_round(near.farm)
    told = json.loads(inbox.got[0][3])
    assert told[field].startswith("Job 1000")
    assert "https://farm.example/jobs/1000" in told[field]


def test_discord_rings_nobody_and_slack_reads_no_marks():
    told = {"text": "@everyone *<b>*", "link": None}
    discord, slack = letters.discord(told), letters.slack(told)
    assert discord["allowed_mentions"] == {"parse": []}
    assert slack["text"] == "@everyone *&lt;b&gt;*"


def test_discord_takes_the_longest_message():
    content = letters.discord({"text": "*" * 3000, "link": "https://farm.example/jobs/1000"})["content"]
    assert len(content) <= letters.DISCORD_LENGTH
    assert content.endswith("*\n<https://farm.example/jobs/1000>")
    assert content.count("\\") == content.count("*")


def test_a_matrix_server_gets_a_transaction_that_it_takes_once(near, inbox):
    ann, room = near.account("ann"), "/_matrix/client/v3/rooms/!r:x.example/send/m.room.message"
    url = inbox.url.removesuffix("/in") + room
    hook = webhooks.add_webhook(near.farm, ann, Wanted(url, Form.MATRIX, token="syt_abc"))
    uid = webhooks.try_webhook(near.farm, ann, hook.id)
    go_round(near.farm)
    ((method, path, headers, body),) = inbox.got
    assert (method, path, headers["Authorization"]) == ("PUT", f"{room}/{uid}", "Bearer syt_abc")
    assert json.loads(body)["msgtype"] == "m.notice"


def test_retries_come_later_and_later_but_not_all_together():
    assert [postman.retry_delay_s(n, 0.5) for n in (1, 2, 3, 30)] == [30, 60, 120, 6 * 3600]
    assert postman.retry_delay_s(1, 0.0) == 15
