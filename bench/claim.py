"""The claim, `farm.dispatch.claim_task`, with many open tasks and many jobs: its times, and the databases' own plans.

Each claim is a whole one: needs matched, a lease granted and durable, its event written, and the assignment read.
Beside it lanes are tidied once a second, as the house does. At the end stands how evenly the accounts were served.
"""

import argparse
import itertools
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ground.databases import KINDS, NoPostgres, database, size_mib
from ground.figures import latencies, machine
from ground.filling import ABILITIES, Filling, fill
from sqlalchemy import text

from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account
from sheepfold.farm.dispatch import Maker, claim_task
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.farm.upkeep import BEAT_S, tidy_lanes
from sheepfold.model.accounts import AccountId, Role
from sheepfold.model.machines import MachineId
from sheepfold.store.claim import Claimant, plans
from sheepfold.store.database import Tx

TASKS = (1_000, 30_000, 1_000_000)
JOBS = (1, 30, 1_000)
QUICK_TASKS, QUICK_JOBS = (1_000, 20_000), (1, 100)
ACCOUNTS_AT_MOST = 1_000
AT_ONCE = 32
TERM_S = 600


def main() -> None:
    """Measure every combination that was asked for."""
    asked = _asked()
    print(f"claim_task, durable, {asked.claims} claims a line; {machine()}")
    for kind in KINDS if asked.database == "both" else (asked.database,):
        try:
            for tasks, jobs in itertools.product(asked.tasks, asked.jobs):
                _measure(kind, tasks, min(jobs, tasks), asked.claims)
            _explain(kind, max(asked.tasks), min(max(asked.jobs), max(asked.tasks)))
        except NoPostgres as reason:
            print(f"{kind}: not measured. {reason}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both")
    parser.add_argument("--tasks", type=int, nargs="+", help="how many open tasks", metavar="N")
    parser.add_argument("--jobs", type=int, nargs="+", metavar="N",
                        help=f"how many jobs, of as many accounts, {ACCOUNTS_AT_MOST} at most")
    parser.add_argument("--claims", type=int, default=400, help="how many claims are timed")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller combinations")
    asked = parser.parse_args()
    asked.tasks = asked.tasks or (QUICK_TASKS if asked.quick else TASKS)
    asked.jobs = asked.jobs or (QUICK_JOBS if asked.quick else JOBS)
    return asked


def _measure(kind: str, tasks: int, jobs: int, claims: int) -> None:
    claims = min(claims, tasks // 3)
    with _filled(kind, tasks, jobs) as (farm, makers, url):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(partial(_timed, farm), makers))  # opens connections, and reads what is remembered afterwards
            turns = list(itertools.islice(itertools.cycle(makers), claims))
            with _tidied(farm):
                alone = [_timed(farm, maker) for maker in turns]
                started = time.perf_counter()
                crowd = list(pool.map(partial(_timed, farm), turns))
        rate = claims / (time.perf_counter() - started)
        served = farm.db.read(_served)
        print(f"{kind:10} {tasks:10,} tasks {jobs:6,} jobs   one by one: {latencies(alone)}   "
              f"{AT_ONCE} at once: {latencies(crowd)} {rate:6,.0f}/s   {size_mib(url, farm.settings.data):6,.0f} MiB   "
              f"accounts served: {len(served)}, {min(served)} to {max(served)} tasks each", flush=True)


def _served(tx: Tx) -> list[int]:
    """Return how many tasks of each account were granted, of those that were served at all."""
    rows = tx.execute(text("SELECT j.account_id FROM leases l JOIN tasks t ON t.id = l.task_id "
                           "JOIN jobs j ON j.id = t.job_id"))
    return list(Counter(row.account_id for row in rows).values())


@contextmanager
def _tidied(farm: Farm) -> Iterator[None]:
    """Tidy lanes while the block runs."""
    ended = threading.Event()

    def tidy() -> None:
        while not ended.wait(BEAT_S):
            tidy_lanes(farm)

    thread = threading.Thread(target=tidy)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _timed(farm: Farm, maker: Maker) -> float:
    started = time.perf_counter()
    if claim_task(farm, maker, ABILITIES, TERM_S) is None:
        raise SystemExit("There was no task to claim, although some are open.")
    return time.perf_counter() - started


def _explain(kind: str, tasks: int, jobs: int) -> None:
    with _filled(kind, tasks, jobs) as (farm, makers, _):
        claimant = Claimant(makers[0].machine_id, makers[0].account_id, "bench", None, TERM_S)
        found = farm.db.read(lambda tx: plans(tx, claimant, farm.needs.satisfied_by(ABILITIES)))
    print(f"{kind}: the plans of a claim with {tasks:,} tasks and {jobs:,} jobs")
    for name, lines in found.items():
        print(f"  {name}", *lines, sep="\n    ")


@contextmanager
def _filled(kind: str, tasks: int, jobs: int) -> Iterator[tuple[Farm, list[Maker], str]]:
    """Open a farm with so many open tasks, and the makers that ask."""
    with tempfile.TemporaryDirectory(prefix="sheepfold-bench-") as name, database(kind, Path(name)) as url:
        settings = Settings(data=Path(name), database_url=url)
        with open_farm(settings, lambda key, account: ()) as farm:
            account = add_account(farm, "owner", Role.OWNER, "")
            blob = farm.blobs.keep_bytes(b"<flame/>")
            accounts = min(jobs, ACCOUNTS_AT_MOST)
            fill(url, Filling(tasks, accounts, AT_ONCE, "{}", blob.digest, blob.size_bytes, jobs))
            yield farm, [_maker(number, account.id) for number in range(AT_ONCE)], url


def _maker(number: int, account_id: AccountId) -> Maker:
    return Maker(MachineId(1 + number), account_id, "bench")


if __name__ == "__main__":
    main()
