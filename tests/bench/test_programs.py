"""That each benchmark runs, on both databases and over both wires, and prints its figures; no speed is asserted."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
WORDS = {
    "claim": ["--tasks", "100", "--jobs", "1", "3", "--claims", "10"],
    "dispatch": ["--tasks", "3000", "--connections", "2", "--seconds", "1", "--warm-up", "0.5"],
}
DATABASES = ("sqlite", "postgresql")


def printed(program: str, database: str) -> str:
    argv = [sys.executable, str(BENCH / f"{program}.py"), "--database", database, *WORDS[program]]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=280, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("database", DATABASES)
def test_the_claim_is_measured_and_explained(database: str):
    lines = printed("claim", database)
    assert lines.count("one by one: p50") == 2
    assert {"sqlite": "USING INDEX ix_tasks_open", "postgresql": "Index Scan"}[database] in lines


@pytest.mark.parametrize("database", DATABASES)
def test_full_cycles_are_measured_over_both_wires_beside_the_bare_work(database: str):
    lines = printed("dispatch", database)
    for wire in ("rest", "electricsheep"):
        assert f"{database} over {wire}: " in lines
    assert lines.count("of the bare work") == 2
    assert lines.count("processor time of a cycle: server ") == 2


def test_every_program_of_the_bench_is_tried_here():
    assert {path.stem for path in BENCH.glob("*.py")} == set(WORDS)
