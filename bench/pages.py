"""Pages of a farm of 100,000 jobs, 1,000 people and a job of 10,000 frames: how many ms the server needs for each.

The third figure is the worst processor time: where other programs keep the machine busy, it alone is the page's own.
"""

import argparse
import gc
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
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.people import open_web_session
from sheepfold.model.accounts import Account, Role
from sheepfold.protocols.registry import verifiers
from sheepfold.protocols.visitors import COOKIE
from sheepfold.store.database import Tx

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
_AUDIT = text(_NUMBERS + "INSERT INTO audit (at, who, what, about) SELECT 1, 'ann', 'resume machine', 'm' || i FROM n")
_OWN = text(_NUMBERS + """
    INSERT INTO machines (account_id, name, created_at, last_seen_at) SELECT :account, 'own' || i, 1, 1 FROM n
""")
_HOOKS = text(_NUMBERS + """
    INSERT INTO webhooks (account_id, reach, form, url, secret, topics, created_at)
    SELECT :account, 'own', 'json', 'https://hooks.example/' || i, 's', '[]', 1 FROM n
""")
_DELIVERIES = text(_NUMBERS + """
    INSERT INTO hook_deliveries (hook_id, notice, topic, body, created_at, delivered_at, answer)
    SELECT 1 + i % :hooks, '1', 'job.done', '{}', 1, 1, '204' FROM n
""")
SHOTS = {"url": "http://127.0.0.1/", "browsers": ["Firefox", "Chromium", "WebKitGTK"], "widths": [390, 800, 1024, 1280]}
HOOKS, DELIVERIES, OWN, LINES = 20, 10_000, 100, 50_000


def main() -> None:
    """Fill a farm, ask for its pages, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--frames", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), inspection_processes=1, screenshot_allowed_ranges=("127.0.0.0/8",),
                            screenshot_obey_robots=False, ready_needs_house=False)
        with open_farm(settings, verifiers) as farm:
            print(f"{asked.jobs} jobs, one of {asked.frames} frames; of {TIMES} the median and the worst, limit "
                  f"{LIMIT_MS} ms, and the most of the processor")
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
        tx.execute(_AUDIT, {"most": LINES})

    farm.db.write(fill)
    return job


def _ask(farm: Farm, job: int, frames: int) -> None:
    client = TestClient(make_app(farm))
    owner = add_account(farm, "reader", Role.OWNER, "")
    client.cookies.set(COOKIE, open_web_session(farm, owner, "bench"))
    shots = order_job(farm, owner, Order("screenshot", SHOTS)).id
    farm.db.write(lambda tx: _furnish(tx, owner))
    gc.freeze()  # as `serve` does
    client.headers["Authorization"] = f"Bearer {add_key(farm, 'reader', 'prometheus').key}"  # for /metrics
    for path in ("/", "/fragments/now", f"/fragments/jobs/{job}", "/jobs", "/jobs?before=50000", f"/jobs/{job}",
                 f"/jobs/{job}/head", f"/jobs/{job}/frames/{frames - 200}.0",
                 f"/jobs/{job}/tiles?ids={','.join(str(n) for n in range(1, 201))}", f"/tasks/{frames // 2}", "/mine",
                 "/flock", "/flock/player", "/flock/1/7", "/shots", f"/shots/{shots}", "/people", "/teams", "/teams/t7",
                 "/account", "/account/webhooks", "/machines", "/fragments/machines", "/machines/add", "/join",
                 "/order", "/order/flame", "/order/blender", "/order/screenshot", "/owner", "/owner/people",
                 "/owner/machines", "/owner/audit", "/sign-in", "/metrics", "/readyz"):
        taken = [_timed(client, path) for _ in range(TIMES)]
        took_ms, worked_ms = [wall for wall, _ in taken], max(work for _, work in taken)
        verdict = "" if max(took_ms) < LIMIT_MS else "  TOO SLOW"
        print(f"{path[:32]:32} {statistics.median(took_ms):7.1f} {max(took_ms):7.1f} {worked_ms:7.1f}{verdict}")


def _furnish(tx: Tx, reader: Account) -> None:
    """Give whoever reads the pages machines and webhooks of their own."""
    tx.execute(_OWN, {"most": OWN, "account": reader.id})
    tx.execute(_HOOKS, {"most": HOOKS, "account": reader.id})
    tx.execute(_DELIVERIES, {"most": DELIVERIES, "hooks": HOOKS})


def _timed(client: TestClient, path: str) -> tuple[float, float]:
    """Ask for a page; returns the milliseconds that passed, and those that the processor worked."""
    start, work = time.perf_counter(), time.process_time()
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == 200, (path, answer.status_code)
    return 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - work)


if __name__ == "__main__":
    main()
