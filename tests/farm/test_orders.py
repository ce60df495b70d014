"""Orders: what becomes of them, and which are refused."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.conftest import GENOMES, World, balances, in_threads, picture

from sheepfold.farm.appraisal import appraise
from sheepfold.farm.browse import list_jobs, story, view_job
from sheepfold.farm.dispatch import open_blob, read_input
from sheepfold.farm.flock import job_of_sheep, read_genomes
from sheepfold.farm.orders import TITLE_LENGTH, Order, cancel_job, order_job
from sheepfold.farm.upkeep import ORDER_KEY_AGE_S, forget_order_keys
from sheepfold.kinds.flame import words
from sheepfold.model.accounts import Role
from sheepfold.model.errors import Forbidden, InvalidSpec, JobEnded, UnknownJob, UnknownSheep
from sheepfold.model.events import What
from sheepfold.model.flock import SheepId
from sheepfold.model.jobs import JobState, Progress, Terms
from sheepfold.model.tasks import TaskId, TaskState, Verdict
from sheepfold.store import events as event_rows
from sheepfold.store import tasks as task_rows
from sheepfold.store.database import Tx

VIEW = {"url": "http://127.0.0.1/", "browsers": ["Firefox"], "widths": [320]}


def test_an_order_becomes_a_job_with_a_task_for_each_picture(world: World):
    job = world.order(frames=3, terms=Terms(priority=2, quorum=2, max_attempts=7))
    view = view_job(world.farm, job.id)
    assert view.job == job
    assert (job.state, job.progress, job.terms) == (JobState.RUNNING, Progress(3), Terms(2, 2, 7))
    assert [(task.frame, task.part, task.state, task.openings) for task in view.tasks] == [
        (frame, 0, TaskState.OPEN, 2) for frame in range(3)
    ]
    assert (view.account, view.sheep, view.products) == ("ann", None, ())
    assert world.findings() == []


def test_job_ids_begin_at_a_thousand(world: World):
    assert [world.order().id for _ in range(2)] == [1000, 1001]


def test_an_order_is_told_of(world: World):
    job = world.order()
    events = world.farm.db.read(lambda tx: event_rows.since(tx, 0, 10))
    assert [(event.what, event.job_id, event.detail["kind"]) for event in events] == [
        (What.JOB_ORDERED, job.id, "screenshot")
    ]


@pytest.mark.parametrize(
    "order",
    [
        Order("sculpture", VIEW),
        Order("screenshot", {}),
        Order("screenshot", VIEW | {"widths": []}),
        Order("screenshot", VIEW | {"unknown": 1}),
        Order("screenshot", VIEW | {"url": "file:///etc/passwd"}),
        Order("screenshot", VIEW, terms=Terms(quorum=0)),
        Order("screenshot", VIEW, terms=Terms(quorum=6)),
        Order("screenshot", VIEW, terms=Terms(priority=101)),
        Order("screenshot", VIEW, terms=Terms(max_attempts=0)),
        Order("flame", {"frames": 1}),
    ],
    ids=lambda order: f"{order.kind} {order.spec or 'empty'} {order.terms}",
)  # fmt: skip
def test_an_order_that_makes_no_sense_leaves_nothing(world: World, order: Order):
    with pytest.raises(InvalidSpec) as refused:
        order_job(world.farm, world.account("ann"), order)
    assert str(refused.value).endswith(".")
    assert list_jobs(world.farm) == []
    assert list(world.farm.spool_folder.iterdir()) == []


def test_a_genome_too_long_for_its_frames_is_neither_ordered_nor_appraised(world: World, tmp_path: Path):
    names = sorted(words.VARIATIONS | words.PARAMETERS)
    xform = '<xform weight="1" ' + " ".join(f'{name}="1.5"' for name in names) + "/>"
    (tmp_path / "long.flam3").write_text(f"<flame>{xform * 100}</flame>")
    order = Order("flame", {"frames": 200, "width": 64, "height": 64}, {"genome": tmp_path / "long.flam3"})
    for verb in (order_job, appraise):
        with pytest.raises(InvalidSpec, match="too long for 200 frames: frame 0"):
            verb(world.farm, world.account("ann"), order)
    assert list_jobs(world.farm) == []
    assert list(world.farm.spool_folder.iterdir()) == []


def test_volunteers_do_not_order(world: World):
    with pytest.raises(Forbidden):
        order_job(world.farm, world.account("vera", Role.VOLUNTEER), Order("screenshot", VIEW))


def test_a_title_is_the_kind_where_none_is_given_and_never_too_long(world: World):
    ann = world.account("ann")
    assert order_job(world.farm, ann, Order("screenshot", VIEW)).title == "screenshot"
    assert len(order_job(world.farm, ann, Order("screenshot", VIEW, title="x" * 999)).title) == TITLE_LENGTH


def test_inputs_are_kept_and_each_frames_own_file_goes_with_its_task(world: World):
    job = world.flame()
    held = world.held(world.maker("box"))
    genome = (GENOMES / "r2.flam3").read_bytes()
    assert b"".join(read_input(world.farm, held, "genome").chunks) == genome
    assert b"".join(open_blob(world.farm, job.inputs["genome"]).chunks) == genome
    own = b"".join(read_input(world.farm, held).chunks)
    assert own.count(b"<flame ") == 3
    assert list(world.farm.spool_folder.iterdir()) == []
    assert world.findings() == []


def test_loops_get_consecutive_numbers(world: World):
    for number in (1, 2):
        sheep = view_job(world.farm, world.flame().id).sheep
        assert sheep is not None
        assert (sheep.id, sheep.first, sheep.last) == (SheepId(1, number), number, number)


def test_an_edge_joins_the_loops_of_both_genomes(world: World):
    world.flame("r1")
    world.flame("r2")
    edge = world.flame("r2", second="r1", shape="edge")
    sheep = view_job(world.farm, edge.id).sheep
    assert sheep is not None
    assert (sheep.id, sheep.first, sheep.last) == (SheepId(1, 3), 2, 1)
    assert job_of_sheep(world.farm, sheep.id) == edge
    assert [len(genome) > 1000 for genome in read_genomes(world.farm, sheep.id)] == [True, True]


def test_an_edge_to_a_genome_that_is_no_loop_is_refused_and_leaves_nothing(world: World):
    world.flame("r1")
    with pytest.raises(UnknownSheep, match="order the loops"):
        world.flame("r1", second="r2", shape="edge")
    assert len(list_jobs(world.farm)) == 1
    assert view_job(world.farm, world.flame("r2").id).sheep.id == SheepId(1, 2)


def test_a_still_is_no_sheep(world: World):
    assert view_job(world.farm, world.flame(shape="still", frames=1).id).sheep is None


def test_orders_that_come_at_once_share_no_number(world: World):
    world.account("ann")
    jobs = in_threads(4, lambda n: world.flame(("r1", "r2", "r3", "s11")[n], frames=1))
    numbers = sorted(view_job(world.farm, job.id).sheep.id.number for job in jobs)
    assert numbers == [1, 2, 3, 4]


def test_canceling_ends_what_is_open(world: World):
    job = world.order(frames=2)
    held = world.held(world.maker("box"))
    canceled = cancel_job(world.farm, world.account("ann"), job.id)
    assert (canceled.state, canceled.progress) == (JobState.CANCELED, Progress(2, 0, 2))
    assert world.claim(world.maker("other")) is None
    assert world.findings() == []
    assert world.task(held.task_id).state is TaskState.CANCELED


def test_a_canceled_job_pays_what_was_being_rendered_once(world: World):
    job = world.order()
    held = world.held(world.maker("box"))
    cancel_job(world.farm, world.account("ann"), job.id)
    first = world.send(held, picture())
    again = world.send(held, picture())
    assert first == again
    assert (first.verdict, first.task_state) == (Verdict.VALID, TaskState.CANCELED)
    assert balances(world.farm)["box-owner"] == world.task(held.task_id).cost_ms
    assert view_job(world.farm, job.id).job.state is JobState.CANCELED
    assert world.findings() == []


def test_canceling_pays_results_that_waited_for_a_second(world: World):
    job = world.order(terms=Terms(quorum=2))
    world.send(world.held(world.maker("box")), picture())
    cancel_job(world.farm, world.account("ann"), job.id)
    assert balances(world.farm)["box-owner"] > 0
    assert world.findings() == []


def test_only_the_customer_and_owners_cancel(world: World):
    job = world.order()
    with pytest.raises(Forbidden):
        cancel_job(world.farm, world.account("bob"), job.id)
    assert cancel_job(world.farm, world.account("olga", Role.OWNER), job.id).state is JobState.CANCELED


def test_what_has_ended_cannot_be_canceled(world: World):
    job = world.order()
    ann = world.account("ann")
    world.make_all(world.maker("box"))
    with pytest.raises(JobEnded, match="done already"):
        cancel_job(world.farm, ann, job.id)
    with pytest.raises(UnknownJob):
        cancel_job(world.farm, ann, job.id + 1)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_result_that_comes_in_while_its_job_is_canceled_is_judged(world: World):
    job = world.order(terms=Terms(quorum=2))
    held = world.held(world.maker("box"))
    ann = world.account("ann")
    _settle_while(world, held.task_id, lambda: world.send(held, picture()),
                  lambda: cancel_job(world.farm, ann, job.id))  # fmt: skip
    assert [result.verdict for result in story(world.farm, held.task_id).task.results] == [Verdict.VALID]
    assert world.findings() == []


def _settle_while(world: World, task_id: TaskId, send: Callable[[], object], cancel: Callable[[], object]) -> None:
    """Cancel while the task's row is locked, so that the result gets the lock before the cancel does."""
    locked = threading.Event()

    def hold(tx: Tx) -> None:
        task_rows.load(tx, task_id, lock=True)
        locked.set()
        _until_blocked(world, 2)

    def second() -> None:
        assert locked.wait(60)
        send()

    def third() -> None:
        assert locked.wait(60)
        _until_blocked(world, 1)
        cancel()

    in_threads(3, lambda number: (lambda: world.farm.db.write(hold), second, third)[number]())


def _until_blocked(world: World, count: int) -> None:
    """Wait until so many transactions wait for a lock."""
    waiting = text("""SELECT count(*) FROM pg_stat_activity
                      WHERE datname = current_database() AND wait_event_type = 'Lock'""")
    while world.farm.db.read(lambda tx: tx.execute(waiting).scalar_one()) < count:
        time.sleep(0.01)


def named(world: World, key: str = "abc", **spec: object) -> Order:
    tiny = {"frames": 1, "width": 64, "height": 48, "quality": 1, "temporal_samples": 1} | spec
    return Order("flame", tiny, {"genome": GENOMES / "r2.flam3"}, key=key)


def test_an_order_that_is_sent_again_under_its_name_is_one_job(world: World):
    ann, bob = world.account("ann"), world.account("bob")
    job = order_job(world.farm, ann, named(world))
    assert order_job(world.farm, ann, named(world)).id == job.id
    assert order_job(world.farm, bob, named(world)).id == job.id + 1  # another account's names are its own
    assert order_job(world.farm, ann, named(world, "abd")).id == job.id + 2
    assert world.findings() == []


def test_orders_of_one_name_that_come_together_are_one_job(world: World):
    ann = world.account("ann")
    assert len({job.id for job in in_threads(4, lambda _: order_job(world.farm, ann, named(world)))}) == 1
    assert world.findings() == []


def test_a_name_belongs_to_one_order_for_a_week(world: World):
    ann = world.account("ann")
    first = order_job(world.farm, ann, named(world))
    with pytest.raises(InvalidSpec, match="another order"):
        order_job(world.farm, ann, named(world, frames=2))
    world.clock.advance(ORDER_KEY_AGE_S + 1)
    assert forget_order_keys(world.farm) == 1
    assert order_job(world.farm, ann, named(world, frames=2)).id == first.id + 1
