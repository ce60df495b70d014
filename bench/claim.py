"""The claim, `farm.dispatch.claim_task`, with many open tasks and many jobs: its times, and the databases' own plans.

Each claim is a whole one: needs matched, a lease granted and durable, its event written, and the assignment read.
Beside it lanes are tidied once a second, as the house does. Printed are the times, how they compare with the first farm
of the database, how evenly the accounts were served, and in the end whether claims are flat: whether in the median none
took more than 1.5 times what it took in the smallest farm. Give the small farm's size twice, first and last, where
others use the machine: `--tasks 1000 10000000 1000`.
"""

import argparse
import itertools
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ground.databases import KINDS, NoPostgres, database, size_mib
from ground.figures import latencies, machine, percentile_ms
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

TASKS = (1_000, 1_000_000, 10_000_000)
JOBS = (10_000,)
QUICK_TASKS, QUICK_JOBS = (1_000, 20_000), (1, 100)
ACCOUNTS_AT_MOST = 1_000
AT_ONCE = 32
TERM_S = 600
FLAT = 1.5
"""Claims are flat where they take no more than this many times the smallest farm's."""


def main() -> None:
    """Measure every combination that was asked for."""
    asked = _asked()
    print(f"claim_task, durable, {asked.claims} claims a line; {machine()}")
    for kind in KINDS if asked.database == "both" else (asked.database,):
        try:
            first: Times | None = None
            measured: dict[Size, list[Times]] = {}
            for tasks, jobs in itertools.product(asked.tasks, asked.jobs):
                times = _measure(kind, tasks, min(jobs, tasks), asked)
                measured.setdefault((tasks, min(jobs, tasks)), []).append(times)
                first = first or times
                print(f"{'':10} of the first farm's: {times.compared(first)}", flush=True)
            print(f"{kind:10} {verdict(measured)}", flush=True)
        except NoPostgres as reason:
            print(f"{kind}: not measured. {reason}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both")
    parser.add_argument("--tasks", type=int, nargs="+", help="how many open tasks", metavar="N")
    parser.add_argument("--jobs", type=int, nargs="+", metavar="N",
                        help=f"how many jobs, of as many accounts, {ACCOUNTS_AT_MOST} at most")
    parser.add_argument("--claims", type=int, default=400, help="how many claims are timed")
    parser.add_argument("--plans", action="store_true", help="show the database's plans of a claim on each farm")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller combinations")
    asked = parser.parse_args()
    asked.tasks = asked.tasks or (QUICK_TASKS if asked.quick else TASKS)
    asked.jobs = asked.jobs or (QUICK_JOBS if asked.quick else JOBS)
    return asked


@dataclass(frozen=True, slots=True)
class Times:
    """How long each claim took in seconds: those one after another, and those that came together."""

    alone: list[float]
    crowd: list[float]

    def compared(self, first: "Times") -> str:
        """Say how many times the first farm's claims these take."""
        return "   ".join(
            f"{name} p50 {percentile_ms(own, 0.5) / percentile_ms(others, 0.5):.2f}, "
            f"p99 {percentile_ms(own, 0.99) / percentile_ms(others, 0.99):.2f}"
            for name, own, others in (("one by one", self.alone, first.alone), ("at once", self.crowd, first.crowd)))


Size = tuple[int, int]
"""How many tasks a farm has, and how many jobs."""


def verdict(measured: Mapping[Size, Sequence[Times]]) -> str:
    """Say whether claims are flat: how their medians compare with the smallest farm's, at worst.

    What was measured several times in farms of one size is taken together.
    """
    smallest = min(measured)
    others = [size for size in measured if size != smallest]
    if not others:
        return "claims are flat or not, nobody knows: all farms were of one size"
    ratio, way, (tasks, jobs) = max((_median(measured[size], way) / _median(measured[smallest], way), way, size)
                                    for way in ("alone", "crowd") for size in others)
    name = {"alone": "one by one", "crowd": f"{AT_ONCE} at once"}[way]
    found = f"at worst {ratio:.2f} times the smallest farm's p50, {name} at {tasks:,} tasks of {jobs:,} jobs"
    return f"claims are flat: {found}" if ratio <= FLAT else f"claims are NOT flat within {FLAT}: {found}"


def _median(measured: Sequence[Times], way: str) -> float:
    return percentile_ms([time for times in measured for time in getattr(times, way)], 0.5)


def _measure(kind: str, tasks: int, jobs: int, asked: argparse.Namespace) -> Times:
    claims = min(asked.claims, tasks // 3)
    began_at = time.perf_counter()
    with _filled(kind, tasks, jobs) as (farm, makers, url):
        filled_s = time.perf_counter() - began_at
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
              f"accounts served: {len(served)}, {min(served)} to {max(served)} tasks each   "
              f"filled in {filled_s:.0f} s; {machine()}", flush=True)
        if asked.plans:
            _explain(farm, makers[0])
    return Times(alone, crowd)


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


def _explain(farm: Farm, maker: Maker) -> None:
    claimant = Claimant(maker.machine_id, maker.account_id, "bench", None, TERM_S)
    found = farm.db.write(lambda tx: plans(tx, claimant, farm.needs.satisfied_by(ABILITIES)))
    for name, lines in found.items():
        print(f"  the plan of {name}", *lines, sep="\n    ", flush=True)


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
