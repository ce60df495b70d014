"""Screenshot jobs a second over Browsershots' wire: poll, redirect and upload of a 100 KB PNG, with a nonce for each.

The server is a real `sheepfold serve`, the factories are a process of their own, and both share this machine. Beside
the figures stands the bare work of the same jobs, measured in the same run. A job is five calls and a page.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ground.bare import bare
from ground.databases import KINDS, NoPostgres, database
from ground.factories import USER_AGENT, Orders
from ground.figures import latencies, machine
from ground.filling import copy_job
from ground.pictures import HEIGHT, WIDTH, painted
from ground.serving import served, spent_by

from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.browsers import add_browser
from sheepfold.farm.farm import open_farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import BrowserProgram, Screen
from sheepfold.protocols.registry import verifiers

HERE = Path(__file__).parent
BARE_CYCLES = 200
SETTINGS = {"SHEEPFOLD_SCREENSHOT_ALLOWED_RANGES": "127.0.0.0/8", "SHEEPFOLD_SCREENSHOT_OBEY_ROBOTS": "0",
            "SHEEPFOLD_BROWSERSHOTS_LOAD_LIMIT": "0"}


def main() -> None:
    """Measure on each database."""
    asked = _asked()
    print(f"screenshot jobs by {asked.factories} factories for {asked.seconds:g} s; {machine()}")
    for kind in KINDS if asked.database == "both" else (asked.database,):
        try:
            _measure(kind, asked)
        except NoPostgres as reason:
            print(f"{kind}: not measured. {reason}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both")
    parser.add_argument("--factories", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--warm-up", type=float, default=3.0, help="seconds at the beginning that do not count")
    parser.add_argument("--jobs", type=int, default=10_000, help="open jobs at the beginning")
    return parser.parse_args()


def _measure(kind: str, asked: argparse.Namespace) -> None:
    picture = painted()
    with tempfile.TemporaryDirectory(prefix="sheepfold-bench-") as name, database(kind, Path(name)) as url:
        folder = Path(name)
        factories = _furnish(folder, url, asked)
        (folder / "picture.png").write_bytes(picture)
        least = bare(url, folder, picture, min(BARE_CYCLES, asked.jobs // 4))
        with served(folder, url, with_house=False, settings=SETTINGS) as (server, port):
            orders = Orders(port, factories, asked.seconds, str(folder / "picture.png"))
            _driven(replace(orders, seconds=asked.warm_up))
            before = spent_by(server)
            measured = _driven(orders)
            after = spent_by(server) | {"load": measured["processor_s"]}
    spent = {who: (time_s - before.get(who, 0.0)) * 1000 / len(measured["uploads_s"]) for who, time_s in after.items()}
    rate = measured["cycles"] / asked.seconds
    print(f"{kind} over browsershots: {rate:.0f} jobs/s\n"
          f"    poll     {latencies(measured['polls_s'])}\n"
          f"    redirect {latencies(measured['redirects_s'])}\n"
          f"    upload   {latencies(measured['uploads_s'])}\n"
          f"    processor time of a job: {', '.join(f'{who} {time_ms:.2f} ms' for who, time_ms in spent.items())}\n"
          f"    bare work, one after another on one core: {least.cycles_per_s:.0f} jobs/s "
          f"(ms: {', '.join(f'{step[:-3]} {time_ms:.2f}' for step, time_ms in asdict(least).items())})\n"
          f"    ratio    {rate / least.cycles_per_s:.2f} of the bare work", flush=True)


def _furnish(folder: Path, url: str, asked: argparse.Namespace) -> dict[str, str]:
    """Make a farm with open jobs, and factories with a browser each; returns the factories' keys by their names."""
    settings = Settings(data=folder, database_url=url, screenshot_allowed_ranges=("127.0.0.0/8",),
                        screenshot_obey_robots=False)
    with open_farm(settings, verifiers) as farm:
        add_account(farm, "volunteer", Role.VOLUNTEER, "")
        names = [f"box{number}" for number in range(asked.factories)]
        factories = {name: add_key(farm, "volunteer", name).key for name in names}
        for name in factories:
            program = BrowserProgram("Firefox", "3.0", user_agent=USER_AGENT, command="firefox")
            add_browser(farm, None, name, program, "linux", Screen(WIDTH, HEIGHT, 24))
        artist = add_account(farm, "artist", Role.ARTIST, "")
        spec = {"url": "http://127.0.0.1/", "browsers": ["firefox"], "widths": [WIDTH]}
        job = order_job(farm, artist, Order("screenshot", spec))
    copy_job(url, job.id, asked.jobs - 1)
    return factories


def _driven(orders: Orders) -> dict[str, Any]:
    """Let the factories work, each through one job at least; returns what was measured."""
    run = subprocess.run([sys.executable, "-m", "ground.factories"], cwd=HERE, input=json.dumps(asdict(orders)),
                         stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(run.stdout)
    return measured


if __name__ == "__main__":
    main()
