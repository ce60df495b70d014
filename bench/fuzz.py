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
from collections.abc import Sequence
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
OF_A_FARM = 10
"""After so many times AT_A_TIME inputs there is a new farm: what was accepted makes the old one large, and slow."""
WARM_UP = OF_A_FARM
"""After so many times AT_A_TIME inputs the program's own caches are full, and those of a farm's connections were."""
GROWTH_MIB = 256
"""By how much it may grow from then on: threads that come and go leave holes in the allocator's arenas."""


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
    storm = _Storm(log)
    parts = [min(AT_A_TIME, asked.inputs - sent) for sent in range(0, asked.inputs, AT_A_TIME)]
    for first in range(0, len(parts), OF_A_FARM):
        with tempfile.TemporaryDirectory(prefix="sheepfold-bench-") as name:
            settings = furnished_settings(Path(name), result_limit_bytes=100_000, input_limit_bytes=100_000)
            clock = Clock()
            with open_farm(settings, verifiers, clock) as farm:
                storm.hit(farm, Furnished(farm, clock), asked.seed + first, parts[first : first + OF_A_FARM])
                if findings := list(check(farm)):
                    sys.exit(f"The farm is broken: {findings[:5]}")
    if storm.tally.shallow():
        sys.exit(f"Too few inputs came past the door: {storm.tally.shallow()}")
    print("No mistake, and all farms are whole.")


class _Storm:
    """What was sent to one farm after another, and in what memory."""

    def __init__(self, log: Tracebacks) -> None:
        self.tally = Tally()
        self._log = log
        self._known = seeds()
        self._process = psutil.Process()
        self._started = time.monotonic()
        self._parts = 0
        self._warm_mib = 0.0

    def hit(self, farm: Farm, room: Furnished, seed: int, counts: Sequence[int]) -> None:
        """Send so many inputs, each part from a seed of its own; ends the program at a mistake or as memory grows."""
        app = make_app(farm)
        for number, count in enumerate(counts):
            try:
                self.tally.add(asyncio.run(rage(app, self._log, room, self._known, seed + number, count)))
            except Upset as upset:
                sys.exit(f"A mistake: {upset}")
            self._look()

    def _look(self) -> None:
        sent, mib = sum(self.tally.asked.values()), self._process.memory_info().rss / 2**20
        print(f"{sent} inputs, {sent / (time.monotonic() - self._started):.0f}/s, {mib:.0f} MiB, past the door "
              f"{self.tally.shares()}, {dict(sorted(self.tally.statuses.items()))}", flush=True)
        self._parts += 1
        if self._parts <= WARM_UP:
            self._warm_mib = mib
        elif mib > self._warm_mib + GROWTH_MIB:
            sys.exit(f"Memory grows: from {self._warm_mib:.0f} to {mib:.0f} MiB.")


if __name__ == "__main__":
    main()
