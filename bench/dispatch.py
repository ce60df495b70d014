"""Full cycles a second through HTTP: claim, upload of a 100 KB PNG, inspection, settlement, credit.

The server is a real `sheepfold serve`, the load comes from a process of its own, and both share this machine. Beside
the figures stands the bare work of the same cycles, measured in the same run: on one core, and by as many processes at
once as the server has.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import uuid
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import httpx
from ground.bare import bare, bare_by
from ground.databases import KINDS, NoPostgres, database
from ground.figures import latencies, machine
from ground.filling import ABILITIES, NEEDS, Filling, fill
from ground.load import WIRES, Orders
from ground.pictures import HEIGHT, WIDTH, painted
from ground.serving import served, spent_by

from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.kinds.flame.spec import parse
from sheepfold.model.accounts import Role
from sheepfold.protocols.rest import wire

HERE = Path(__file__).parent
BARE_CYCLES = 200


def main() -> None:
    """Measure each wire on each database."""
    asked = _asked()
    house = "with its house, which makes previews meanwhile" if asked.house else "without its house"
    print(f"full cycles over {asked.connections} connections for {asked.seconds:g} s; server {house}, "
          f"processes: {asked.processes}; {machine()}")
    with ExitStack() as swept:  # all at the end: some file systems are slow where much was deleted a moment ago
        for kind in KINDS if asked.database == "both" else (asked.database,):
            for protocol in WIRES if asked.protocol == "both" else (asked.protocol,):
                folder = Path(swept.enter_context(tempfile.TemporaryDirectory(prefix="sheepfold-bench-")))
                try:
                    _measure(kind, protocol, asked, folder)
                except NoPostgres as reason:
                    print(f"{kind}: not measured. {reason}")


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both")
    parser.add_argument("--protocol", choices=(*WIRES, "both"), default="both")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="of the server; one for each core")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--warm-up", type=float, default=3.0, help="seconds at the beginning that do not count")
    parser.add_argument("--tasks", type=int, default=40_000, help="open tasks at the beginning")
    parser.add_argument("--jobs", type=int, default=10, help="whose tasks they are")
    parser.add_argument("--house", action="store_true", help="keep house too: chores take their share of the machine")
    return parser.parse_args()


def _measure(kind: str, protocol: str, asked: argparse.Namespace, folder: Path) -> None:
    picture = painted()
    with database(kind, folder) as url:
        keys = _furnish(folder, url, asked)
        (folder / "picture.png").write_bytes(picture)
        cycles = min(BARE_CYCLES, asked.tasks // (4 * (1 + asked.processes)))
        least = bare(url, folder, picture, cycles)
        least_by_all = bare_by(asked.processes, url, folder, picture, cycles)
        with served(folder, url, with_house=asked.house, processes=asked.processes) as (server, port):
            secrets = [_session(port, key) for key in keys] if protocol == "rest" else [uuid.uuid4().hex for _ in keys]
            orders = Orders(port, protocol, secrets, asked.seconds, str(folder / "picture.png"))
            _driven(replace(orders, seconds=asked.warm_up))
            before = spent_by(server, asked.processes)
            measured = _driven(orders)
            after = spent_by(server, asked.processes) | {"load": measured["processor_s"]}
    spent = {who: (time_s - before.get(who, 0.0)) * 1000 / len(measured["uploads_s"]) for who, time_s in after.items()}
    rate = measured["cycles"] / asked.seconds
    print(f"{kind} over {protocol}: {rate:.0f} cycles/s\n"
          f"    claim   {latencies(measured['claims_s'])}\n"
          f"    upload  {latencies(measured['uploads_s'])}\n"
          f"    processor time of a cycle: {', '.join(f'{who} {time_ms:.2f} ms' for who, time_ms in spent.items())}\n"
          f"    bare work, one after another on one core: {least.cycles_per_s:.0f} cycles/s "
          f"(ms: {', '.join(f'{step[:-3]} {time_ms:.2f}' for step, time_ms in asdict(least).items())})\n"
          f"    bare work, by processes at once, as many as the server's: {least_by_all:.0f} cycles/s\n"
          f"    ratio   {rate / least.cycles_per_s:.2f} of the bare work on one core, "
          f"{rate / least_by_all:.2f} of that by as many processes as the server's ({asked.processes})", flush=True)


def _furnish(folder: Path, url: str, asked: argparse.Namespace) -> list[str]:
    """Make a farm with open tasks, and machines with keys; return the keys."""
    with open_farm(Settings(data=folder, database_url=url), lambda key, account: ()) as farm:
        add_account(farm, "volunteer", Role.VOLUNTEER, "")
        keys = [add_key(farm, "volunteer", f"box{number}").key for number in range(asked.connections)]
        spec = parse({"frames": 160, "width": WIDTH, "height": HEIGHT})
        blob = farm.blobs.keep_bytes(_genome())
        fill(url, Filling(asked.tasks, asked.jobs, 1, json.dumps(spec), blob.digest, blob.size_bytes))
        _check(farm)
    return keys


def _genome() -> bytes:
    """Return one of our own flames three times, as the task of a frame has it."""
    sample = Path(sys.modules[parse.__module__].__file__ or "").parent / "samples" / "coral.flam3"
    text = sample.read_bytes()
    return text[text.index(b"<flame"): text.rindex(b"</flame>") + len(b"</flame>")] * 3


def _check(farm: Farm) -> None:
    if not farm.needs.satisfied_by(ABILITIES):
        raise SystemExit(f"The machines of this benchmark cannot do {NEEDS.canonical()}.")


def _session(port: int, key: str) -> str:
    asked = wire.SessionAsked(abilities=wire.Abilities.of(ABILITIES))
    answer = httpx.post(f"http://127.0.0.1:{port}{wire.BASE}/sessions", content=asked.model_dump_json(), timeout=60,
                        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    answer.raise_for_status()
    return wire.SessionOpened.model_validate_json(answer.content).session


def _driven(orders: Orders) -> dict[str, Any]:
    """Let the load run, each connection through one cycle at least; returns what it measured."""
    run = subprocess.run([sys.executable, "-m", "ground.load"], cwd=HERE, input=json.dumps(asdict(orders)),
                         stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(run.stdout)
    return measured


if __name__ == "__main__":
    main()
