"""A million spoilt requests of all wires to the whole application: what the farm answered, how fast, in what memory.

The farm is furnished: what is asked for is there, unless it was spoilt. It ends with 1, and says which input of which
seed it was, at the first answer that is a mistake of the farm's; where too few inputs of a wire came past its door; and
where memory grows on after the first inputs.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil
from ground.figures import machine
from ground.furnished import ENVIRONMENT, Clock, Furnished, furnished_settings
from ground.fuzzing import Tracebacks
from ground.seeds import seeds
from ground.storm import Tally, Upset, rage

from sheepfold.app import make_app
from sheepfold.farm.checkup import check
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.protocols.registry import verifiers

AT_A_TIME = 5000
WARM_UP = 2
"""After so many times AT_A_TIME inputs the program's own caches are full."""
GROWTH_MIB = 128
"""By how much it may grow from then on: each of the database's connections keeps 2 MiB of a farm that grows."""


def main() -> None:
    """Send them and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"{asked.inputs} spoilt requests from seed {asked.seed} on; {machine()}")
    os.environ.update(ENVIRONMENT)
    log = Tracebacks()
    logging.getLogger().addHandler(log)
    logging.getLogger().setLevel(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="sheepfold-bench-") as name:
        settings = furnished_settings(Path(name), result_limit_bytes=100_000, input_limit_bytes=100_000)
        clock = Clock()
        with open_farm(settings, verifiers, clock) as farm:
            _storm(farm, Furnished(farm, clock), log, asked.inputs, asked.seed)
            findings = list(check(farm))
    if findings:
        sys.exit(f"The farm is broken: {findings[:5]}")
    print("No mistake, and the farm is whole.")


def _storm(farm: Farm, room: Furnished, log: Tracebacks, inputs: int, seed: int) -> None:
    known, app, tally = seeds(), make_app(farm), Tally()
    process, started, warm_mib = psutil.Process(), time.monotonic(), 0.0
    for part in range(-(-inputs // AT_A_TIME)):
        count = min(AT_A_TIME, inputs - part * AT_A_TIME)
        try:
            tally.add(asyncio.run(rage(app, log, room, known, seed + part, count)))
        except Upset as upset:
            sys.exit(f"A mistake: {upset}")
        sent, mib = sum(tally.asked.values()), process.memory_info().rss / 2**20
        print(f"{sent} inputs, {sent / (time.monotonic() - started):.0f}/s, {mib:.0f} MiB, past the door "
              f"{tally.shares()}, {dict(sorted(tally.statuses.items()))}", flush=True)
        if part < WARM_UP:
            warm_mib = mib
        elif mib > warm_mib + GROWTH_MIB:
            sys.exit(f"Memory grows: from {warm_mib:.0f} to {mib:.0f} MiB.")
    if tally.shallow():
        sys.exit(f"Too few inputs came past the door: {tally.shallow()}")


if __name__ == "__main__":
    main()
