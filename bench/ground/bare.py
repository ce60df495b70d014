"""The bare work of a cycle, without a farm around it: the least that any server must do, one cycle after another.

Hash a picture, write it and flush it, decode it, claim its task in one durable transaction and settle it in another:
plain statements at driver level, on tables of the farm's own schema. Where several processes do it at once, each has
tasks of its own, and at SQLite they take turns by a lock of the system, as a farm's processes do.
"""

import fcntl
import hashlib
import multiprocessing
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from PIL import Image

from ground.pictures import marked

Values = dict[str, Any]
Transact = Callable[[tuple[str, ...], Values], None]
Rows = Callable[[str], list[tuple[int, int, int]]]

_CLAIM = (
    "UPDATE tasks SET openings = openings - 1 WHERE id = :task",
    """INSERT INTO leases (id, task_id, machine_id, account_id, protocol, state, granted_at, deadline_at)
       VALUES (:lease, :task, 1, 1, 'bare', 'active', 0, 0)""",
    "UPDATE lanes SET virtual_time = virtual_time + 1 WHERE id = :lane",
    "INSERT INTO events (at, job_id, task_id, what, detail) VALUES (0, :job, :task, 'lease granted', '{}')",
)
_SETTLE = (
    "INSERT INTO blobs (digest, md5, size_bytes, kept_at) VALUES (:digest, '', 0, 0)",
    """INSERT INTO results (id, task_id, lease_id, machine_id, account_id, digest, verdict, soundness, media_type,
                            width, height, submitted_at)
       VALUES (:lease, :task, :lease, 1, 1, :digest, 'valid', 'sound', 'image/png', 400, 296, 0)""",
    "UPDATE leases SET state = 'submitted', ended_at = 0 WHERE id = :lease",
    "UPDATE tasks SET state = 'done', ended_at = 0 WHERE id = :task",
    """INSERT INTO ledger (result_id, account_id, payer_id, job_id, millipoints, cost_ms, taken_s,
       earned_at) VALUES (:lease, 1, 1, :job, 1, 1, 0, 0)""",
    "UPDATE jobs SET tasks_done = tasks_done + 1 WHERE id = :job",
    "INSERT INTO events (at, job_id, task_id, what, detail) VALUES (0, :job, :task, 'task done', '{}')",
)
_PARAMETER = re.compile(r":(\w+)")
_FIRST_ID = 2**40  # out of the way of the farm's own rows
MEET_S = 120.0
"""Processes that are to work at once have all started by then."""


@dataclass(frozen=True, slots=True)
class Bare:
    """Milliseconds of each step of a cycle."""

    hash_ms: float
    write_ms: float
    decode_ms: float
    claim_ms: float
    settle_ms: float

    @property
    def cycles_per_s(self) -> float:
        """Return how many cycles a second one thread does, one after another."""
        return 1000 / (self.hash_ms + self.write_ms + self.decode_ms + self.claim_ms + self.settle_ms)


def bare(url: str, folder: Path, picture: bytes, cycles: int, share: int = 0, shares: int = 1) -> Bare:
    """Do the bare work so many times and return what each step took in the mean; on one of so many shares of the tasks.

    No two shares have a job in common, as long as there are enough of them.
    """
    spent = dict.fromkeys(Bare.__slots__, 0.0)
    transact, rows = _driver(url)
    tasks = rows("SELECT id, job_id, lane_id FROM tasks WHERE openings > 0 ORDER BY id DESC")
    jobs = sorted({job for _, job, _ in tasks})
    own = [one for one in tasks if (jobs.index(one[1]) if shares <= len(jobs) else one[0]) % shares == share][:cycles]
    for number, (task, job, lane) in enumerate(own):
        body = marked(picture, f"bare {os.getpid()} {number}")
        clock = [time.perf_counter()]
        digest, _md5 = hashlib.sha256(body).hexdigest(), hashlib.md5(body, usedforsecurity=False).hexdigest()
        clock.append(time.perf_counter())
        path = folder / digest
        _write(path, body)
        clock.append(time.perf_counter())
        with Image.open(path) as image:
            image.load()
        clock.append(time.perf_counter())
        values = {"task": task, "job": job, "lane": lane, "lease": _FIRST_ID + task, "digest": digest}
        transact(_CLAIM, values)
        clock.append(time.perf_counter())
        transact(_SETTLE, values)
        clock.append(time.perf_counter())
        for name, began, ended in zip(spent, clock, clock[1:], strict=False):
            spent[name] += (ended - began) * 1000 / len(own)
    return Bare(**spent)


def bare_by(processes: int, url: str, folder: Path, picture: bytes, cycles: int) -> float:
    """Have so many processes do the bare work so many times each, at once; returns how many cycles a second they do."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawning, _meet, (spawning.Barrier(processes),)) as pool:
        done = [pool.submit(bare, url, folder, picture, cycles, share, processes) for share in range(processes)]
        return sum(one.result().cycles_per_s for one in done)


def _meet(all_here: threading.Barrier) -> None:
    all_here.wait(MEET_S)


def _write(path: Path, body: bytes) -> None:
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _driver(url: str) -> tuple[Transact, Rows]:
    """Return what runs statements in one durable transaction, and what reads rows."""
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        lite = sqlite3.connect(file, isolation_level=None)
        lite.execute("PRAGMA journal_mode=WAL")
        lite.execute("PRAGMA synchronous=FULL")
        turn = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)

        def transact(statements: tuple[str, ...], values: Values) -> None:
            fcntl.flock(turn, fcntl.LOCK_EX)
            lite.execute("BEGIN IMMEDIATE")
            for statement in statements:
                lite.execute(statement, values)
            lite.execute("COMMIT")
            fcntl.flock(turn, fcntl.LOCK_UN)

        return transact, lambda query: lite.execute(query).fetchall()
    connection = psycopg.connect(url, autocommit=True)
    connection.prepare_threshold = 1

    def transact_there(statements: tuple[str, ...], values: Values) -> None:
        with connection.transaction():
            for statement in statements:
                connection.execute(_PARAMETER.sub(r"%(\1)s", statement), values)

    return transact_there, lambda query: connection.execute(query).fetchall()

