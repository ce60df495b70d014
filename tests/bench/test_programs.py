"""That each benchmark runs, on both databases and over both wires, and prints its figures; no speed is asserted."""

import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("database", DATABASES)
def test_the_claim_is_measured_and_explained(database: str):
    lines = printed("claim", database)
    assert lines.count("one by one: p50") == 2
    assert {"sqlite": "USING INDEX ix_tasks_open", "postgresql": "LockRows"}[database] in lines


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_full_cycles_are_measured_over_both_wires_beside_the_bare_work(database: str):
    lines = printed("dispatch", database)
    for wire in ("rest", "electricsheep"):
        assert f"{database} over {wire}: " in lines
    assert lines.count("of the bare work") == 2
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


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", DATABASES)
def test_a_farm_whose_server_is_killed_at_random_loses_nothing(database: str):
    assert "nothing lost, nothing paid twice" in printed("mayhem", database)


def test_spoilt_requests_are_counted_by_their_answers():
    assert "No mistake, and the farm is whole." in printed("fuzz")


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
