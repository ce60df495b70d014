"""Pages of a farm of 100,000 jobs, 1,000 people and a job of 10,000 frames: how many ms the server needs for each."""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy import text
from starlette.testclient import TestClient

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.people import open_web_session
from sheepfold.model.accounts import Role
from sheepfold.protocols.registry import verifiers
from sheepfold.store.database import Tx
from sheepfold.web.frame import COOKIE

LIMIT_MS = 200
PEOPLE = 1000
IN_A_TEAM = 50
LOOPS = 200
TIMES = 9
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < :most - 1) "
_JOBS = text(_NUMBERS + """
    INSERT INTO jobs (id, account_id, kind, title, spec, priority, quorum, max_attempts, state, tasks_total, created_at)
    SELECT 1000 + i, :account, 'blender', 'job ' || i, '{}', 0, 1, 5,
           CASE WHEN i % 100 = 0 THEN 'running' ELSE 'done' END, :frames, 1 FROM n
""")
_TASKS = text(_NUMBERS + """
    INSERT INTO tasks (job_id, lane_id, frame, part, state, openings, cost_ms) SELECT :job, 1, i, 0, 'open', 1, 1 FROM n
""")
_EVENTS = text(_NUMBERS + """
    INSERT INTO events (at, job_id, task_id, what, detail)
    SELECT 1, :job, 1 + i, CASE WHEN i % 3 = 0 THEN 'preview made' ELSE 'lease granted' END, '{}' FROM n
""")


_PEOPLE = text(_NUMBERS + """
    INSERT INTO accounts (name, role, created_at) SELECT 'p' || i, 'volunteer', 1 FROM n
""")
_MACHINES = text(_NUMBERS + """
    INSERT INTO machines (account_id, name, created_at, last_seen_at) SELECT 2 + i, 'm' || i, 1, 1 FROM n
""")
_TEAMS = text(_NUMBERS + """
    INSERT INTO teams (name, leader_id, created_at) SELECT 't' || i, 2 + i * :size, 1 FROM n
""")
_MEMBERS = text(_NUMBERS + """
    INSERT INTO members (account_id, team_id, joined_at) SELECT 2 + i, 1 + i / :size, 1 FROM n
""")
# each frame has been made once, and paid
_LEASES = text(_NUMBERS + """
    INSERT INTO leases (task_id, machine_id, account_id, protocol, state, granted_at, deadline_at, ended_at)
    SELECT 1 + i, 1 + i % :people, 2 + i % :people, 'rest', 'submitted', 1, 2, 2 FROM n
""")
_BLOB = text("INSERT INTO blobs (digest, md5, size_bytes, kept_at) VALUES ('d', 'm', 1, 1)")
_RESULTS = text(_NUMBERS + """
    INSERT INTO results (task_id, lease_id, machine_id, account_id, digest, verdict, soundness, media_type, width,
                         height, submitted_at)
    SELECT 1 + i, 1 + i, 1 + i % :people, 2 + i % :people, 'd', 'valid', 'sound', 'image/png', 1, 1, 2 FROM n
""")
_LEDGER = text(_NUMBERS + """
    INSERT INTO ledger (result_id, account_id, payer_id, job_id, millipoints, cost_ms, taken_s, earned_at)
    SELECT 1 + i, 2 + i % :people, 1, :job, 1000, 1000, 1, 2 FROM n
""")
_SHEEP = text(_NUMBERS + """
    INSERT INTO sheep (generation, number, job_id, first, last) SELECT 1, i, 1000 + i, i, i FROM n
""")


def main() -> None:
    """Fill a farm, ask for its pages, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--frames", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), inspection_processes=1)
        with open_farm(settings, verifiers) as farm:
            print(f"{asked.jobs} jobs, one of {asked.frames} frames; median and worst of {TIMES}, limit {LIMIT_MS} ms")
            _ask(farm, _fill(farm, asked.jobs, asked.frames), asked.frames)


def _fill(farm: Farm, jobs: int, frames: int) -> int:
    account = add_account(farm, "ann", Role.OWNER, "")
    job = 1000 + jobs - 1

    def fill(tx: Tx) -> None:
        tx.execute(text("INSERT INTO needs (canonical) VALUES ('{}')"))
        tx.execute(text("INSERT INTO lanes (needs_id, account_id, priority, virtual_time) VALUES (1, :account, 0, 0)"),
                   {"account": account.id})
        tx.execute(_JOBS, {"most": jobs, "account": account.id, "frames": frames})
        tx.execute(_TASKS, {"most": frames, "job": job})
        tx.execute(_EVENTS, {"most": frames, "job": job})
        tx.execute(_PEOPLE, {"most": PEOPLE})
        tx.execute(_MACHINES, {"most": PEOPLE})
        tx.execute(_TEAMS, {"most": PEOPLE // IN_A_TEAM, "size": IN_A_TEAM})
        tx.execute(_MEMBERS, {"most": PEOPLE, "size": IN_A_TEAM})
        tx.execute(_LEASES, {"most": frames, "people": PEOPLE})
        tx.execute(_BLOB)
        tx.execute(_RESULTS, {"most": frames, "people": PEOPLE})
        tx.execute(_LEDGER, {"most": frames, "people": PEOPLE, "job": job})
        tx.execute(_SHEEP, {"most": min(jobs, LOOPS)})

    farm.db.write(fill)
    return job


def _ask(farm: Farm, job: int, frames: int) -> None:
    client = TestClient(make_app(farm))
    owner = add_account(farm, "reader", Role.OWNER, "")
    client.cookies.set(COOKIE, open_web_session(farm, owner, "bench"))
    client.headers["Authorization"] = f"Bearer {add_key(farm, 'reader', 'prometheus').key}"  # for /metrics
    for path in ("/", "/fragments/now", "/jobs", "/jobs?before=50000", f"/jobs/{job}", f"/jobs/{job}/head",
                 f"/jobs/{job}/frames/{frames - 200}.0", f"/tasks/{frames // 2}", "/mine", "/flock", "/shots",
                 "/flock/1/7", "/people", "/teams", "/teams/t7", "/account", "/machines", "/order", "/owner",
                 "/owner/people", "/owner/machines", "/owner/audit", "/metrics"):
        took_ms = [_timed(client, path) for _ in range(TIMES)]
        verdict = "" if max(took_ms) < LIMIT_MS else "  TOO SLOW"
        print(f"{path:32} {statistics.median(took_ms):7.1f} {max(took_ms):7.1f}{verdict}")


def _timed(client: TestClient, path: str) -> float:
    start = time.perf_counter()
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == 200, (path, answer.status_code)
    return 1000 * (time.perf_counter() - start)


if __name__ == "__main__":
    main()
