"""The check-up finds what is broken on purpose, and says it in words."""

import importlib
import inspect
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from tests.conftest import ANY_SITE, DATABASES, HEIGHT, TERM_S, WIDTH, Clock, World, backwards, new_database, picture
from tests.findings import BROKEN, Broken, breaks

from sheepfold.blobs.spool import Digest
from sheepfold.config import Settings
from sheepfold.farm import checkup, shots
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.backup import back_up
from sheepfold.farm.browse import view_job
from sheepfold.farm.browsers import add_browser
from sheepfold.farm.checkup import MOST_SILENT, TASKS_AT_A_TIME, check
from sheepfold.farm.dispatch import open_session, session_of
from sheepfold.farm.farm import open_farm
from sheepfold.farm.keeping import keep_file, md5_of, name_blob
from sheepfold.farm.orders import Order, cancel_job, order_job
from sheepfold.farm.retention import HOLD_S
from sheepfold.farm.upkeep import sweep_blobs
from sheepfold.kinds.inspector import Inspector
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import BrowserProgram, Screen
from sheepfold.model.jobs import Terms
from sheepfold.model.tasks import TaskId
from sheepfold.store import accounts as account_rows
from sheepfold.store import checks, invariants, task_checks, wholeness
from sheepfold.store.findings import SHOWN

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
QUIET = {**ANY_SITE, "browsershots_load_limit": 0, "browsershots_throttle_s": 0}


@dataclass(frozen=True)
class Model:
    """A farm that is well, to be copied and broken: its database, closed, and its data folder."""

    dialect: str
    database: str
    data: Path


@pytest.fixture(scope="module", params=DATABASES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_inspector: Inspector
          ) -> Iterator[Model]:  # fmt: skip
    """Make a farm in the middle of its work, with all kinds of things done, waiting and being rendered."""
    folder = tmp_path_factory.mktemp("model")
    with new_database(request.param, request, folder) as url:
        with open_farm(Settings(data=folder / "data", database_url=url, **QUIET), backwards, Clock(),
                       shared_inspector) as farm:
            furnish(World(farm, farm.now, folder))
        yield Model(request.param, url.removeprefix("sqlite:///").rpartition("/")[2], folder)


def furnish(world: World) -> None:
    """Fill a farm; what is named below is what statements and sentences of the tests speak of."""
    box, bow = world.maker("box"), world.maker("bow")
    world.order(account="ann", terms=Terms(quorum=2))  # job 1000, task 1
    for maker in (box, bow):
        world.send(world.held(maker), picture())  # results 1 and 2 for ann
    world.order(account="bob")  # job 1001, task 2
    world.clock.advance(30)
    world.send(world.held(box), picture(1))  # result 3
    world.flame(account="dan")  # job 1002, tasks 3 and 4, sheep 1
    world.make_all(box, first=10)  # results 4 and 5
    world.order(account="ann")  # job 1003, task 5
    send_by_factory(world)  # result 6
    world.do_chores()
    world.order(account="eve")  # job 1004, task 6
    world.send(world.held(box), picture(2))  # result 7, whose preview and sheet wait to be made
    world.order(frames=2, account="cid")  # job 1005, tasks 7 and 8, of two lanes: the latter stands behind
    world.farm.db.write(lambda tx: tx.execute(text(
        "UPDATE lanes SET virtual_time = virtual_time + 1 WHERE id = (SELECT lane_id FROM tasks WHERE id = 8)")))
    token = open_session(world.farm, bow, "")
    session = session_of(world.farm, token).session
    world.held(type(bow)(bow.machine_id, bow.account_id, bow.protocol, session.id))  # lease 8
    told = world.folder / "told"
    told.write_bytes(b"a project that SheepIt's clients are told the MD5 of")
    blob = keep_file(world.farm, told)
    world.farm.db.write(lambda tx: name_blob(tx, blob, world.clock.now, md5_of(told)))


def send_by_factory(world: World) -> None:
    """Have a screenshot factory make the only task that waits, by its own wire's operations."""
    ann = world.account("ann")
    add_key(world.farm, "ann", "argo")
    add_browser(world.farm, ann, "argo", BrowserProgram("Firefox", "128.0", AGENT), "linux", Screen(WIDTH, HEIGHT, 24))
    machine = world.farm.db.read(lambda tx: account_rows.find_machine(tx, "argo"))
    assert machine is not None
    maker = shots.maker_of(machine, "browsershots")
    shot = shots.poll(world.farm, maker, machine)
    assert shot is not None
    shots.visit(world.farm, maker, machine, shot.task_id, (AGENT, "password"))
    with world.spooled(picture(3)) as spool:
        shots.deliver(world.farm, maker, shot.task_id, spool.finish())


@pytest.fixture
def copy(model: Model, tmp_path: Path, request: pytest.FixtureRequest, shared_inspector: Inspector) -> Iterator["Copy"]:
    """Copy the model, to be broken."""
    shutil.copytree(model.data, tmp_path / "model")
    url, server = f"sqlite:///{tmp_path / 'model' / model.database}", None
    if model.dialect == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = server.create(model.database)
        url = server.url(name)
    clock = Clock()
    clock.advance(30)
    with open_farm(Settings(data=tmp_path / "model" / "data", database_url=url, **QUIET), backwards, clock,
                   shared_inspector) as farm:
        yield Copy(World(farm, clock, tmp_path), model.dialect, url)
    if server is not None:
        server.drop(name)


@dataclass(frozen=True)
class Copy:
    """A farm that is well until somebody breaks it."""

    world: World
    dialect: str
    url: str

    def run(self, statement: str) -> None:
        """Change rows past all that guards them."""
        if self.dialect == "postgresql":
            with psycopg.connect(self.url) as connection:
                connection.execute("SET session_replication_role = replica")
                connection.execute(statement)
            return
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute(statement)


def test_a_farm_of_all_kinds_of_work_is_well(copy: Copy):
    assert copy.world.findings() == []


TASK_1, TASK_2, TASK_3 = "task 1 (job 1000, frame 0)", "task 2 (job 1001, frame 0)", "task 3 (job 1002, frame 0)"
TASK_6, TASK_7, TASK_8 = "task 6 (job 1004, frame 0)", "task 7 (job 1005, frame 0)", "task 8 (job 1005, frame 1)"
RESULT_1, RESULT_3 = f"result 1 of box for {TASK_1}", f"result 3 of box for {TASK_2}"
LEASE_2, LEASE_3, LEASE_8 = f"lease 2 of bow on {TASK_1}", f"lease 3 of box on {TASK_2}", f"lease 8 of bow on {TASK_7}"
CID = "(SELECT id FROM accounts WHERE name = 'cid')"

KNOWN_FILE = "every file that is named is known"
KNOWN_STATE = "every state is one that the farm knows"
NAMED_ROW = "every row that is named is there"
READABLE = "a task's rows can be read"
ORDER = "an order has all that its kind needs"
PAYS = "the account whose job it is pays"
COST = "a payment knows what its task was expected to cost"
DONE = "a done task has the results that its job asks for"
SUBMITTED = "a lease is submitted exactly when a result came for it"
RESULT_STORY, LEASE_STORY = "a result is what its story tells", "a lease is what its story tells"
OPENINGS = "openings are what the rule says"
ENDED = "what has ended says when"
COUNTS, STATE = "a job's counts are those of its tasks", "a job's state is what its tasks make it"
LANE = "an open task queues in its job's lane"
PREVIEW, PRODUCT = "a done task has its preview, or one that waits to be made", \
    "a done job was made into something, or waits to be"

FILES = [
    ("DELETE FROM blobs WHERE digest = (SELECT digest FROM results WHERE id = 3)",
     KNOWN_FILE, f"{RESULT_3} names the file "),
    ("DELETE FROM blobs WHERE digest = (SELECT digest FROM job_inputs WHERE job_id = 1002)",
     KNOWN_FILE, "the row of job_inputs with job_id 1002, name genome names the file "),
    ("DELETE FROM blobs WHERE digest = (SELECT digest FROM previews WHERE task_id = 2)",
     KNOWN_FILE, "the row of previews with task_id 2, width 320 names the file "),
    ("UPDATE blobs SET md5 = 'x' WHERE md5 <> ''", "a file's MD5 is one, or none", "has x, which is no MD5"),
    ("UPDATE blobs SET md5 = '0123456789abcdef0123456789abcdef' WHERE md5 <> ''",
     "a blob's MD5 is that of its bytes", "not 0123456789abcdef0123456789abcdef"),
    ("UPDATE blobs SET cleared_at = 1 WHERE digest = (SELECT digest FROM results WHERE id = 3)",
     "no file that is needed is cleared", f"({RESULT_3}) is marked as cleared, and is needed"),
]
NAMES = [
    ("UPDATE tasks SET state = 'lost' WHERE id = 2", KNOWN_STATE, f"the state of {TASK_2} is lost, which is none of"),
    ("UPDATE results SET verdict = 'good' WHERE id = 3", KNOWN_STATE, f"the verdict of {RESULT_3} is good"),
    ("UPDATE leases SET state = 'lent' WHERE id = 8", KNOWN_STATE, f"the state of {LEASE_8} is lent"),
    ("UPDATE jobs SET kind = 'opera' WHERE id = 1001", ORDER, "job 1001 is of kind opera"),
    ("UPDATE jobs SET spec = '{' WHERE id = 1001", ORDER, "job 1001 has a spec that cannot be read: {"),
    ("UPDATE tasks SET job_id = 555 WHERE id = 2", NAMED_ROW, "task 2 (job 555, frame 0) names job 555 by its job_id"),
    ("DELETE FROM jobs WHERE id = 1001", NAMED_ROW, f"{TASK_2} names job 1001 by its job_id"),
    ("UPDATE jobs SET account_id = 999 WHERE id = 1001", NAMED_ROW, "job 1001 names account 999 by its account_id"),
    ("UPDATE tasks SET lane_id = 999 WHERE id = 8", NAMED_ROW, f"{TASK_8} names lane 999 by its lane_id"),
    ("DELETE FROM lanes", NAMED_ROW, f"{TASK_8} names lane "),
    ("DELETE FROM needs", NAMED_ROW, "lane 1 names needs "),
    ("DELETE FROM accounts WHERE name = 'bob'", NAMED_ROW, "job 1001 names account "),
    ("DELETE FROM machines WHERE name = 'box'", NAMED_ROW,
     f"lease 3 of machine 1 on {TASK_2} names machine 1 by its machine_id"),
    ("UPDATE tasks SET state = 'lost' WHERE id = 2", READABLE, f"{TASK_2} cannot: 'lost' is not a valid TaskState"),
    ("UPDATE results SET verdict = 'good' WHERE id = 3", READABLE, f"{TASK_2} cannot: 'good' is not a valid Verdict"),
    ("DELETE FROM key_verifiers", "a key opens something", "key 1 of machine argo has nothing left"),
]
CREDIT = [
    ("DELETE FROM ledger WHERE result_id = 3", "a valid result is paid once", f"{RESULT_3} is valid, and no row"),
    ("UPDATE ledger SET result_id = 777 WHERE result_id = 3", "only valid results are paid",
     "millipoints for result 777, whose verdict is none, not valid"),
    ("UPDATE results SET verdict = 'invalid' WHERE id = 3", "only valid results are paid",
     f"millipoints for {RESULT_3}, whose verdict is invalid"),
    ("UPDATE ledger SET account_id = payer_id WHERE result_id = 3", "who made a picture is paid for it",
     f"{RESULT_3} is booked on account box-owner; account bob was paid"),
    ("UPDATE ledger SET payer_id = account_id WHERE result_id = 3", PAYS, f"{RESULT_3} is of job 1001, for which"
     " account bob pays; the ledger has account box-owner pay, for job 1001"),
    ("UPDATE ledger SET job_id = 1003 WHERE result_id = 1", PAYS, f"{RESULT_1} is of job 1000, for which account ann"
     " pays; the ledger has account ann pay, for job 1003"),
    ("UPDATE ledger SET millipoints = millipoints * 3, taken_s = 30 WHERE result_id = 3",
     "a result was paid what its story tells", f"the story of {TASK_2} tells that {RESULT_3} earned 30000 millipoints"
     " for account box-owner; the ledger has 90000 for account box-owner"),
    ("UPDATE ledger SET millipoints = millipoints + 1 WHERE result_id = 1",
     "no payment is far from what its picture was expected to cost", f"{RESULT_1} earned 30001 millipoints in 0 s"),
    ("UPDATE ledger SET cost_ms = cost_ms * 100, millipoints = millipoints * 100 WHERE result_id = 3", COST,
     f"{RESULT_3} was paid as if 3000000 ms had been expected; its task is expected to cost 30000"),
    ("UPDATE tasks SET cost_ms = cost_ms + 7 WHERE id = 2", COST, f"{RESULT_3} was paid as if 30000 ms"),
]
RESULTS_AND_LEASES = [
    ("DELETE FROM results WHERE id = 2", DONE, f"{TASK_1} is done; of 2 machines that must agree on it 1 do"),
    ("DELETE FROM results WHERE id = 2", RESULT_STORY, f"the story of {TASK_1} tells of result 2, "),
    ("DELETE FROM results WHERE id = 2", SUBMITTED, f"{LEASE_2} is submitted, and no result names it"),
    ("UPDATE results SET account_id = 1 WHERE id = 3", "a result is its lease's",
     f"{RESULT_3}, booked on account anonymous, names {LEASE_3}, booked on account box-owner"),
    ("UPDATE results SET lease_id = 2 WHERE id = 3", "a result is its lease's", f"box-owner, names {LEASE_2}"),
    ("UPDATE results SET task_id = 6 WHERE id = 3", "a result is its lease's", f"result 3 of box for {TASK_6}, booked"),
    ("UPDATE results SET machine_id = 1 WHERE id = 2", DONE, f"{TASK_1} is done; of 2 machines that must agree"),
    ("UPDATE results SET digest = (SELECT r.digest FROM results r WHERE r.id = 7) WHERE id = 3", RESULT_STORY,
     f"the story of {TASK_2} tells of result 3, a984"),
    ("UPDATE results SET like_id = 999 WHERE id = 3", "a result is like the first of its task that shows the same",
     f"{RESULT_3} is told to be like result 999"),
    ("UPDATE leases SET state = 'expired' WHERE id = 3", SUBMITTED, f"{LEASE_3} is expired, though {RESULT_3} came"),
    ("UPDATE leases SET state = 'active', ended_at = NULL WHERE id = 3", SUBMITTED, f"{LEASE_3} is active, though"),
    ("DELETE FROM leases WHERE id = 3", NAMED_ROW, f"{RESULT_3} names lease 3 by its lease_id"),
    ("DELETE FROM leases WHERE state = 'active'", LEASE_STORY,
     f"the story of {TASK_7} tells of lease 8, granted to machine bow; what is there is none"),
    ("UPDATE leases SET task_id = 6 WHERE id = 3", "a result is its lease's", f"names lease 3 of box on {TASK_6}"),
    ("UPDATE leases SET task_id = 8 WHERE id = 8", LEASE_STORY, f"the story of {TASK_7} tells of lease 8"),
    ("UPDATE leases SET account_id = 1 WHERE id = 8", "a lease is its session's", f"{LEASE_8}, booked on account"),
    ("UPDATE leases SET deadline_at = 9999999999 WHERE id = 8", "no lease lasts longer than any wire grants", LEASE_8),
    ("UPDATE leases SET deadline_at = 5 WHERE id = 8", "no lease is active long after its deadline", LEASE_8),
    ("UPDATE leases SET ended_at = 5 WHERE id = 8", ENDED, f"{LEASE_8} is active, and the time of its end is 5"),
]
TASKS_AND_LANES = [
    ("UPDATE tasks SET openings = 5 WHERE id = 8", OPENINGS,
     f"{TASK_8} has 5; open, with 0 active leases, 0 results, quorum 1, it should have 1"),
    ("UPDATE tasks SET openings = 0 WHERE id = 8", OPENINGS, f"{TASK_8} has 0; open, with 0 active leases"),
    ("UPDATE tasks SET state = 'open', ended_at = NULL WHERE id = 2", "a task is as its rules leave it",
     f"{TASK_2} is open, and by its leases and results should be done"),
    ("UPDATE tasks SET ended_at = NULL WHERE id = 2", ENDED, f"{TASK_2} is done, and the time of its end is none"),
    ("UPDATE tasks SET past_lease = 999 WHERE id = 7", "a task was opened anew after leases that there were",
     f"{TASK_7} was opened anew after lease 999, and the newest lease of all is 8"),
    ("UPDATE tasks SET past_lease = 8 WHERE id = 7", "a task that is opened anew has its leases withdrawn", LEASE_8),
    ("UPDATE tasks SET past_lease = 3 WHERE id = 2", DONE, f"{TASK_2} is done; of 1 machines that must agree on it 0"),
    ("UPDATE tasks SET lane_id = (SELECT t.lane_id FROM tasks t WHERE t.id = 2) WHERE id = 8", LANE,
     "of account bob with priority 0"),
    ("UPDATE tasks SET lane_id = (SELECT t.lane_id FROM tasks t WHERE t.id = 3) WHERE id = 8", LANE,
     f"{TASK_8} queues in lane "),
    ("UPDATE jobs SET priority = 5 WHERE id = 1005", LANE, "its job is of account cid with priority 5"),
    ("UPDATE lanes SET drained_at = 1", "a lane with an opening is awake", "of account cid sleeps"),
    (f"UPDATE lanes SET virtual_time = 9223372036854775807 WHERE account_id = {CID}",
     "no lane is behind all others for ever", "of account cid has come to 9223372036854775807"),
    ("UPDATE tasks SET input = NULL WHERE id = 3", "a frame of a flame has its genome", f"{TASK_3} names no genome"),
]
JOBS = [
    ("DELETE FROM tasks WHERE id = 2", COUNTS,
     "job 1001 counts 1 done and 0 failed of 1; of its tasks 0 are done and 0 failed of 0"),
    ("UPDATE jobs SET tasks_done = 0, tasks_failed = 1 WHERE id = 1001", COUNTS,
     "job 1001 counts 0 done and 1 failed of 1; of its tasks 1 are done and 0 failed of 1"),
    ("UPDATE jobs SET state = 'running', ended_at = NULL WHERE id = 1001", STATE,
     "job 1001 is running, and by its tasks should be done"),
    ("UPDATE jobs SET state = 'failed' WHERE id = 1001", STATE, "job 1001 is failed, and by its tasks should be done"),
    ("UPDATE jobs SET state = 'canceled' WHERE id = 1001", STATE, "job 1001 is canceled, and by its tasks"),
    ("UPDATE jobs SET state = 'done', ended_at = 5 WHERE id = 1005", STATE, "job 1005 is done, and by its tasks"),
    ("UPDATE jobs SET ended_at = NULL WHERE id = 1001", ENDED, "job 1001 is done, and the time of its end is none"),
    ("UPDATE jobs SET cleared_at = 5 WHERE id = 1005", "what is cleared has ended, and is not kept for ever",
     "job 1005 is running; kept since none, cleared at 5, emptied at none"),
    ("UPDATE jobs SET quorum = 3 WHERE id = 1000", DONE, f"{TASK_1} is done; of 3 machines that must agree on it 2 do"),
    ("DELETE FROM chores WHERE what = 'preview' AND state = 'queued'", PREVIEW, f"{TASK_6} is done, and neither has"),
    ("DELETE FROM chores WHERE what = 'assemble' AND state = 'queued'", PRODUCT, "job 1004 is done, and neither has"),
    ("DELETE FROM previews WHERE task_id = 2", PREVIEW, f"{TASK_2} is done, and neither has"),
    ("DELETE FROM products WHERE job_id = 1001", PRODUCT, "job 1001 is done, and neither has"),
    ("UPDATE chores SET state = 'failed', reason = 'No space left.' WHERE state = 'queued' AND what = 'preview'",
     "no chore was given up", "(preview of job 1004): No space left."),
    ("UPDATE chores SET queued_at = 1 WHERE state = 'queued' AND what = 'preview'",
     "no chore waits for a day", "(preview of job 1004)"),
    ("DELETE FROM visits WHERE job_id = 1001", ORDER, "job 1001 has no row in visits"),
    ("UPDATE visits SET account_id = 1 WHERE job_id = 1001", "an order of screenshots is its job's",
     "job 1001 is of account bob; where it leads is noted for account anonymous"),
    ("DELETE FROM job_inputs", ORDER, "job 1002 has no input genome"),
    ("DELETE FROM sheep", ORDER, "job 1002 has no row in sheep"),
    ("DELETE FROM screenshots", "a screenshot that a factory sent has its name",
     "result 6 of argo for task 5 (job 1003, frame 0)"),
]
SCHEMA = [
    ("DROP INDEX uq_leases_active", "every index is there", "uq_leases_active of leases is not, or not as it was made"),
    ("DROP TABLE lane_charges", "the database answers what it is asked", "whether every row that is named is there"),
]
STATEMENTS = [*FILES, *NAMES, *CREDIT, *RESULTS_AND_LEASES, *TASKS_AND_LANES, *JOBS, *SCHEMA]


@pytest.mark.parametrize(("statement", "invariant", "words"), STATEMENTS)
def test_what_is_broken_by_hand_is_found_and_named(copy: Copy, statement: str, invariant: str, words: str):
    copy.run(statement)
    findings = list(check(copy.world.farm, read_blobs=True))
    assert [one for one in findings if one.invariant == invariant and words in one.what], findings
    assert all(one.remedy for one in findings)


def test_a_project_may_be_called_anything_but_must_be_there(copy: Copy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")
    project = copy.world.folder / "castle.blend"
    project.write_bytes(b"BLENDER-v402")
    spec = {"frames": "1", "width": 64, "height": 48}
    job = order_job(copy.world.farm, copy.world.account("zoe"), Order("blender", spec, {"castle.blend": project}))
    assert copy.world.findings() == []
    copy.run(f"DELETE FROM job_inputs WHERE job_id = {job.id}")
    [found] = [one for one in check(copy.world.farm) if one.invariant == ORDER]
    assert found.what == f"job {job.id} has 0 inputs: a project is one file, by any name"


def test_a_file_outlives_the_sweep_and_the_next_backup_though_its_row_is_lost(copy: Copy):
    world, folder = copy.world, copy.world.folder / "backup"
    digest = world.task(TaskId(2)).results[0].digest
    back_up(world.farm, folder)
    copy.run(f"DELETE FROM blobs WHERE digest = '{digest}'")
    world.clock.advance(world.farm.settings.orphan_blob_age_s + 1)
    back_up(world.farm, folder)
    assert list(folder.glob(f"blobs/*/{digest}"))
    world.clock.advance(2 * HOLD_S)
    sweep_blobs(world.farm)
    assert world.farm.blobs.exists(Digest(digest))


@breaks("every constraint is there")
def test_a_constraint_that_is_lost_or_not_proven_is_found(copy: Copy) -> Broken:
    if copy.dialect != "postgresql":
        pytest.skip("SQLite's constraints are part of their tables.")
    copy.run("ALTER TABLE ledger DROP CONSTRAINT uq_ledger_result_id")
    copy.run("ALTER TABLE leases DROP CONSTRAINT fk_leases_log_blobs, ADD CONSTRAINT fk_leases_log_blobs"
             " FOREIGN KEY (log) REFERENCES blobs (digest) NOT VALID")
    found = list(check(copy.world.farm))
    assert [one.what.partition(" of ")[0] for one in found] == ["fk_leases_log_blobs", "uq_ledger_result_id"]
    return found


@breaks("a farm keeps an owner")
def test_a_farm_whose_owners_are_all_shut_out_is_found(copy: Copy) -> Broken:
    for name in ("olga", "otto"):
        add_account(copy.world.farm, name, Role.OWNER, "")
    close = "INSERT INTO people (account_id, closed_at) SELECT id, 5 FROM accounts WHERE name = '{}'"
    copy.run(close.format("olga"))
    assert copy.world.findings() == []
    copy.run(close.format("otto"))
    found = list(check(copy.world.farm))
    assert [one.what for one in found] == [f"account {name} is an owner's and is closed, as are those of all owners"
                                           for name in ("olga", "otto")]  # fmt: skip
    add_account(copy.world.farm, "ona", Role.OWNER, "")  # as the finding says
    assert copy.world.findings() == []
    return found


@breaks("a sheep has numbers that its clients count")
@pytest.mark.parametrize(("column", "number"), [("number", 100000), ("number", 0), ("last", 100000), ("first", 0)])
def test_a_sheep_that_no_client_can_count_is_found(copy: Copy, column: str, number: int) -> Broken:
    statement = f"UPDATE sheep SET {column} = {number}"
    if copy.dialect == "postgresql":
        copy.run(f"ALTER TABLE sheep DROP CONSTRAINT ck_sheep_ck_sheep_number; {statement}")
    else:
        with closing(sqlite3.connect(copy.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute(statement)
    found = [one for one in check(copy.world.farm) if one.invariant == "a sheep has numbers that its clients count"]
    told = {"number": 1, "first": 1, "last": 1} | {column: number}
    assert [one.what for one in found] == [f"job 1002 is sheep {told['number']} of generation 1, from {told['first']}"
                                           f" to {told['last']}; clients know 1 to 99999"]  # fmt: skip
    return found


def overwrite(copy: Copy, table: str, begin: int) -> None:
    """Spoil the page in SQLite's file where a table or an index begins, from a byte on to its end."""
    if copy.dialect != "sqlite":
        pytest.skip("PostgreSQL's pages are torn in the tests of what wears a database out.")
    path = Path(copy.url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size + begin)
        file.write(b"\xff" * (size - begin))


def test_a_page_that_cannot_be_read_at_all_is_found_and_ends_no_check_up(copy: Copy):
    overwrite(copy, "votes", 0)
    found = copy.world.findings()
    assert "whether its pages are whole" in found[0]
    assert {line.partition(": ")[0] for line in found} == {"the database answers what it is asked"}


@breaks("no page of the database is torn")
def test_a_page_that_was_written_in_part_is_found(copy: Copy) -> Broken:
    overwrite(copy, "ix_results_task_id", 512)
    found = list(check(copy.world.farm))
    assert found[0].what.startswith("SQLite has found this: On tree page ")
    assert "restore the last backup that was well" in found[0].remedy
    return found


def test_what_a_story_told_before_it_named_results_is_no_finding(copy: Copy):
    for event in copy.world.farm.db.read(lambda tx: tx.execute(text(
            "SELECT id, detail FROM events WHERE what = 'credit earned'")).all()):  # fmt: skip
        told = json.loads(event.detail)
        del told["result"]
        copy.run(f"UPDATE events SET detail = '{json.dumps(told)}' WHERE id = {event.id}")
    assert copy.world.findings() == []


@pytest.fixture
def busy(world: World) -> World:
    """A farm in the middle of its work: something done, something waiting, something being rendered."""
    world.order(terms=Terms(quorum=2))
    world.order(account="bob")
    box = world.maker("box")
    world.send(world.held(box), picture())
    world.send(world.held(box), picture(1))
    world.order(frames=2, account="cid")
    world.held(box)
    return world


def test_a_lease_that_upkeep_forgot_is_found(busy: World):
    busy.clock.advance(TERM_S + 61)
    assert [line for line in busy.findings() if "ran out 61 s ago and is active still" in line]


def file_of(world: World, task_id: int) -> tuple[str, Path]:
    """Return the digest of a task's picture, and its file, which may be written to."""
    digest = world.task(TaskId(task_id)).results[0].digest
    path = world.farm.blobs.local_path(Digest(digest), world.folder)
    path.chmod(0o600)
    return digest, path


@breaks("every blob that is named is there")
def test_a_blob_that_is_gone_is_found(busy: World) -> Broken:
    digest, path = file_of(busy, 2)
    path.unlink()
    (found,) = check(busy.farm, read_blobs=True)
    assert found.what == f"blob {digest} (result 2 of box for task 2 (job 1001, frame 0)) is missing"
    return [found]


@breaks("the files are the farm's own")
def test_files_of_another_farm_are_found(busy: World) -> Broken:
    busy.farm.blobs.belong_to("another")
    (found,) = check(busy.farm)
    assert found.what.startswith("The files here are of farm another, and the database is of farm ")
    return [found]


def lose_files(world: World) -> None:
    """Let a disk lose its files in two steps: they are spoilt, and moved away by whoever heeds what is found."""
    for digest, _ in list(world.farm.blobs.list_digests()):
        path = world.farm.blobs.local_path(digest, world.folder)
        path.chmod(0o600)
        path.write_bytes(bytes(path.stat().st_size))
    assert {one.what.rpartition(") ")[2] for one in check(world.farm, read_blobs=True)} == {"has other bytes"}
    for digest, _ in list(world.farm.blobs.list_digests()):
        world.farm.blobs.local_path(digest, world.folder).unlink()


def clear_files(world: World) -> None:
    world.farm.db.write(lambda tx: tx.execute(text("UPDATE blobs SET cleared_at = 5")))


@pytest.mark.parametrize("lose", [lose_files, clear_files])
def test_an_input_that_is_lost_is_there_again_when_the_same_is_ordered_again(world: World, lose: Callable):
    job = world.flame()
    lose(world)
    found = list(check(world.farm))
    assert sum("the input of task" in one.what or "the input genome" in one.what for one in found) == 3
    assert all("order" in one.remedy and "again with the same files" in one.remedy for one in found)
    again = world.flame()
    cancel_job(world.farm, world.account("ann"), again.id)
    assert world.findings() == []
    assert world.make_all(world.maker("box")) == 2
    assert view_job(world.farm, job.id).job.state == "done"
    world.do_chores()
    assert world.findings() == []


@breaks("a blob has its size")
def test_a_blob_of_another_size_is_found(busy: World) -> Broken:
    _, path = file_of(busy, 2)
    path.write_bytes(b"torn")
    (found,) = check(busy.farm, read_blobs=True)
    assert found.what.endswith(f"(result 2 of box for task 2 (job 1001, frame 0)) has 4 bytes, not {len(picture(1))}")
    return [found]


@breaks("a blob's bytes are those of its name")
def test_a_blob_whose_bytes_have_rotted_is_found_by_reading(busy: World) -> Broken:
    _, path = file_of(busy, 2)
    body = bytearray(path.read_bytes())
    body[100] ^= 1
    path.write_bytes(body)
    assert list(check(busy.farm)) == []
    (found,) = check(busy.farm, read_blobs=True)
    assert found.what.endswith("has other bytes")
    return [found]


@breaks("every file can be read")
def test_a_blob_that_cannot_be_read_is_a_finding_among_others(busy: World) -> Broken:
    _, path = file_of(busy, 2)
    path.unlink()
    path.symlink_to(path)
    _, other = file_of(busy, 1)
    other.unlink()
    found = list(check(busy.farm, read_blobs=True))
    assert {one.invariant for one in found} == {"every file can be read", "every blob that is named is there"}
    return found


def test_a_store_that_answers_nothing_is_not_asked_for_each_of_its_files(world: World):
    world.order(frames=10)
    world.make_all(world.maker("box"))
    for task_id in range(1, 11):
        _, path = file_of(world, task_id)
        path.unlink()
        path.symlink_to(path)
    findings = world.findings()
    assert len(findings) == MOST_SILENT + 1
    assert findings[-1] == "every file can be read: the store of files answers nothing: the rest was not looked at"


def test_tasks_are_checked_to_the_last_of_many(world: World):
    for _ in range(3):
        world.order(frames=200)
    assert TASKS_AT_A_TIME < 600
    assert world.findings() == []
    world.farm.db.write(lambda tx: tx.execute(text("UPDATE tasks SET openings = 2 WHERE id = 600")))
    (line,) = world.findings()
    assert line.startswith("openings are what the rule says: task 600 (job 1002, frame 199) has 2; open, ")


@pytest.mark.parametrize("broken", ["openings = 2", "ended_at = 5"])
def test_of_many_rows_some_are_told_and_then_how_many_more_there_are(world: World, broken: str):
    world.order(frames=200)
    world.farm.db.write(lambda tx: tx.execute(text(f"UPDATE tasks SET {broken}")))
    findings = list(check(world.farm))
    assert len(findings) == SHOWN + 1
    assert findings[-1].what == "and 180 more"
    assert len({one.invariant for one in findings}) == 1


def catalogue() -> set[str]:
    """Return the names of all rules."""
    rules = {rule.invariant for rule in (*wholeness.RULES, *invariants.RULES, *checks._STRAINS)}
    return rules | {match for module in (checks, checkup, task_checks, wholeness)
                    for match in re.findall(r'(?:Finding\(|return |found = )"([^"]+)"', inspect.getsource(module))}


def test_each_rule_is_broken_by_a_test():
    importlib.import_module("tests.store.test_checks")  # which notes what it breaks, too
    assert {invariant for _, invariant, _ in STATEMENTS} | BROKEN == catalogue()


def test_the_operators_page_says_what_to_do_about_each_finding():
    page = Path("docs/operate/check.md").read_text("utf-8")
    assert {name for name in catalogue() if f"*{name}*" not in page} == set()
    assert set(re.findall(r"\*([^*|]+)\*", page)) == catalogue()
