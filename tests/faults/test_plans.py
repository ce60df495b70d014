"""A full farm is as quick as an empty one: what is asked with each request, and each second, walks indexes."""

import pytest
from sqlalchemy import text
from tests.faults.ground import KIND_OF, Crew, furnish
from tests.plans import heard, rows_read, whole
from tests.serving import serving

from sheepfold.farm.expiry import expire_orders
from sheepfold.farm.storage import count_all
from sheepfold.farm.upkeep import expire_leases, sweep_blobs
from sheepfold.model.notices import Form, Reach, Topic
from sheepfold.store import webhooks as hook_rows
from sheepfold.store.webhooks import Hook

FRAMES, BLOBS = 1000, 200
HOOKS, MESSAGES = 20, 200
REMEMBERED = ("SELECT count(*) FROM machines WHERE last_seen_at >= :since",)
"""What is asked the more seldom, the longer it takes."""


@pytest.mark.parametrize("protocol", KIND_OF)
def test_no_request_of_a_machine_reads_a_table_whole(build, monkeypatch, protocol):
    statements = heard(monkeypatch)
    house = build()
    people = furnish(house, 3, KIND_OF[protocol])
    with house.farm() as farm, serving(farm, house.port):
        crew = Crew(house, people, protocol)
        statements.clear()
        while len(crew.sent) < 2:
            crew.make_one()
        expire_leases(farm)
        expire_orders(farm)
        asked = list(statements)
        assert any("INSERT INTO ledger" in statement for statement in asked)
        assert any("deadline_at <=" in statement for statement in asked)
        plans = {statement: farm.db.look(lambda tx, s=statement: whole(tx, s)) for statement in asked}
    walks = {statement: walked for statement, walked in plans.items() if walked and statement not in REMEMBERED}
    assert walks == {}


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_counting_sweeping_and_checking_read_some_rows_for_each_blob_and_no_more(world, monkeypatch):
    world.flame(frames=FRAMES)
    digests = [world.farm.blobs.keep_bytes(f"a file {number}".encode()).digest for number in range(BLOBS)]

    def fill(tx):
        for place, digest in enumerate(digests):
            tx.execute(text("INSERT INTO blobs (digest, md5, size_bytes, kept_at, cleared_at) "
                            "VALUES (:digest, '', 9, 0, :at)"), {"digest": digest, "at": place % 2 or None})
        tx.execute(text("UPDATE tasks SET input = (SELECT digest FROM job_inputs)"))  # as all of a Blender job have one
        tx.execute(text("ANALYZE"))

    world.farm.db.write(fill)
    read = rows_read(monkeypatch)
    count_all(world.farm)
    world.clock.advance(world.farm.settings.orphan_blob_age_s + 1)
    world.findings()
    assert sweep_blobs(world.farm) == BLOBS + FRAMES
    about_blobs = {statement: rows for statement, rows in read.items() if "FROM blobs b" in statement}
    assert len(about_blobs) == len(("count", "check", "look of the sweep", "piles", "sweep", "what lies there still"))
    assert max(about_blobs.values()) < 50 * (BLOBS + FRAMES)


def test_the_next_messages_are_found_by_their_hooks_however_many_wait(world, monkeypatch):
    ann, now = world.account("ann"), world.clock.now

    def fill(tx):
        hooks = [hook_rows.add_hook(tx, Hook(0, ann.id, Reach.OWN, Form.JSON, "", "", (), now, None, ""))
                 for _ in range(HOOKS)]
        for hook_id in hooks * MESSAGES:
            hook_rows.add_delivery(tx, hook_id, "", Topic.JOB_DONE, "", now)
        failed = hook_rows.take_delivery(tx, hook_rows.due(tx, now, 1)[0], now, now + 60)
        return hook_rows.add_delivery(tx, failed.hook_id, "", Topic.TEST, "", now)

    test = world.farm.db.write(fill)
    if world.farm.db.url.startswith("sqlite"):
        assert world.farm.db.look(lambda tx: whole(tx, hook_rows._DUE.text)) == []
        return
    world.farm.db.write(lambda tx: tx.execute(text("ANALYZE")))
    read = rows_read(monkeypatch)
    found = world.farm.db.look(lambda tx: hook_rows.due(tx, now, HOOKS))
    assert (len(found), found[-1]) == (HOOKS, test)
    assert sum(read.values()) < 20 * HOOKS
