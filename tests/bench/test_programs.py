"""That each benchmark runs, on both databases and over both wires, and prints its figures; no speed is asserted."""

import hashlib
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import text
from tests.conftest import World, picture

BENCH = Path(__file__).parents[2] / "bench"
WORDS = {
    "fleet": ["--machines", "20", "--render-s", "1", "--seconds", "4"],
    "fuzz": ["--inputs", "300"],
    "mayhem": ["--machines", "8", "--seconds", "20", "--mean-s", "5"],
    "blender": ["--frames", "2", "--width", "48", "--height", "27"],
    "claim": ["--tasks", "100", "--jobs", "1", "3", "--claims", "10", "--plans"],
    "screenshot": ["--shots", "1"],
    "flame": ["--names", "r1", "--size", "80x60", "--quality", "5", "--rounds", "1"],
    "volunteer": ["--wires", "electricsheep", "--frames", "2", "--width", "64", "--height", "48", "--quality", "2"],
    "pages": ["--jobs", "300", "--frames", "200"],
    "browsershots": ["--jobs", "200", "--factories", "2", "--seconds", "1", "--warm-up", "0.5"],
    "dispatch": ["--tasks", "3000", "--connections", "2", "--seconds", "1", "--warm-up", "0.5"],
}
DATABASES = ("sqlite", "postgresql")


def printed(program: str, database: str = "") -> str:
    chosen = ["--database", database] if database else []
    argv = [sys.executable, str(BENCH / f"{program}.py"), *chosen, *WORDS[program]]
    limit_s = 800 if program == "mayhem" else 280
    run = subprocess.run(argv, capture_output=True, text=True, timeout=limit_s, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def program(name: str, patch: pytest.MonkeyPatch) -> ModuleType:
    """Return a program of the bench as a module."""
    patch.syspath_prepend(BENCH)
    return importlib.import_module(name)


@pytest.mark.parametrize("database", DATABASES)
def test_the_claim_is_measured_and_explained(database: str):
    lines = printed("claim", database)
    assert lines.count(f"{database:10} claims are ") == 1
    assert lines.count("one by one: p50") == 2
    assert {"sqlite": "USING INDEX ix_tasks_open", "postgresql": "LockRows"}[database] in lines


@pytest.mark.parametrize(
    ("large_s", "crowd_s", "said"),
    [(0.0148, 0.02, "flat: at worst 1.48 times the smallest farm's p50, one by one at 1,000 tasks of 5 jobs"),
     (0.01, 0.0302, "NOT flat within 1.5: at worst 1.51 times the smallest farm's p50, 32 at once at 1,000 tasks of 5"
      " jobs")],
)  # fmt: skip
def test_claims_are_flat_or_not(large_s: float, crowd_s: float, said: str, monkeypatch: pytest.MonkeyPatch):
    claim = program("claim", monkeypatch)
    smallest = [claim.Times([0.001], [0.001]), claim.Times([0.01, 0.012], [0.02, 0.03])]
    assert claim.verdict({(1000, 5): [claim.Times([large_s], [crowd_s])], (100, 5): smallest}) == f"claims are {said}"
    assert claim.verdict({(100, 5): smallest}) == "claims are flat or not, nobody knows: all farms were of one size"


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_full_cycles_are_measured_over_both_wires_beside_the_bare_work(database: str):
    lines = printed("dispatch", database)
    for wire in ("rest", "electricsheep"):
        assert f"{database} over {wire}: " in lines
    assert lines.count("of the bare work on one core, ") == lines.count("as many processes as the server's (") == 2
    assert lines.count("processor time of a cycle: server ") == 2


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_screenshot_jobs_over_browsershots_are_measured_beside_the_bare_work(database: str):
    lines = printed("browsershots", database)
    assert f"{database} over browsershots: " in lines
    assert all(f"    {step}" in lines for step in ("poll ", "redirect ", "upload ", "ratio "))


@pytest.mark.timeout(900)  # it may have to install bpy
def test_both_ways_of_rendering_blender_are_measured_and_show_the_same():
    subprocess.run([BENCH.parent / "scripts" / "setup-bpy"], capture_output=True, timeout=600, check=True)
    lines = printed("blender")
    assert lines.count("frames a minute") == 2
    assert "ratio " in lines
    assert "pictures that differ: 0 of 2" in lines


def test_a_fleet_survives_the_death_of_its_server():
    lines = printed("fleet", "sqlite")
    assert "0 findings" in lines
    assert "calm again after" in lines
    assert "nothing lost, nothing paid or lent twice" in lines
    assert "claims outside the storm   p99 " in lines


@pytest.mark.parametrize(
    ("statement", "said"),
    [("DELETE FROM ledger WHERE result_id = 1", "picture {first} was paid 0 times"),
     ("UPDATE results SET digest = (SELECT r.digest FROM results r WHERE r.id = 2) WHERE id = 1",
      "picture {first} is lost"),
     ("UPDATE results SET task_id = 2 WHERE id = 1", "task 2 was paid 2 times"),
     ("UPDATE leases SET task_id = 2 WHERE id = 4", "task 2 was lent 2 times")],
)  # fmt: skip
def test_a_fleet_s_reckoning_names_what_was_lost_or_paid_or_lent_twice(world: World, statement: str, said: str,
                                                                       monkeypatch: pytest.MonkeyPatch):  # fmt: skip
    reckoned = program("fleet", monkeypatch).reckoned
    for _ in range(4):
        world.order()
    box = world.maker("box")
    bodies = [picture(number) for number in range(3)]
    for body in bodies:
        world.send(world.held(box), body)
    world.held(box)  # lease 4, whose picture is not sent
    sent = [hashlib.sha256(body).hexdigest() for body in bodies]
    assert world.farm.db.read(lambda tx: list(reckoned(tx, sent))) == []
    world.farm.db.write(lambda tx: tx.execute(text(statement)))
    assert said.format(first=sent[0]) in world.farm.db.read(lambda tx: list(reckoned(tx, sent)))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", DATABASES)
def test_a_farm_whose_server_is_killed_at_random_loses_nothing(database: str):
    assert "nothing lost, nothing paid twice" in printed("mayhem", database)


def test_spoilt_requests_are_counted_by_their_answers():
    assert "No mistake, and all farms are whole." in printed("fuzz")


def test_single_shots_and_kept_browsers_are_measured_beside_a_bare_loop():
    lines = printed("screenshot")
    assert lines.count("shots a minute") == 3
    assert "single shots: " in lines


def test_the_flame_engine_is_measured_beside_flam3():
    assert "geometric mean " in printed("flame")


def test_the_pages_of_a_large_farm_are_timed():
    lines = printed("pages")
    assert all(f"\n{path} " in lines for path in ("/", "/jobs", "/flock", "/shots", "/owner"))


def test_every_program_of_the_bench_is_tried_here():
    assert {path.stem for path in BENCH.glob("*.py")} == set(WORDS)


@pytest.mark.slow
def test_a_volunteers_loops_are_measured():
    lines = printed("volunteer")
    assert lines.count("electricsheep  loop") == 2
    assert lines.count(": 2 frames, ") == 2
