"""A million spoilt requests of all wires to the whole application: what the farm answered, how fast, in what memory.

It ends with 1, and says which input of which seed it was, at the first answer that is a mistake of the farm's.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from ground.figures import machine
from ground.fuzzing import Tracebacks, Upset, fuzz, seeds

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key, key_verifier
from sheepfold.farm.checkup import check
from sheepfold.farm.dispatch import Maker, open_session
from sheepfold.farm.farm import open_farm
from sheepfold.model.accounts import Role
from sheepfold.protocols.registry import verifiers

AT_A_TIME = 5000


def main() -> None:
    """Send them and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"{asked.inputs} spoilt requests from seed {asked.seed} on; {machine()}")
    log = Tracebacks()
    logging.getLogger().addHandler(log)
    logging.getLogger().setLevel(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="sheepfold-bench-") as name:
        settings = Settings(Path(name), result_limit_bytes=100_000, input_limit_bytes=100_000, claim_wait_limit_s=0)
        with open_farm(settings, verifiers) as farm:
            add_account(farm, "ann", Role.ARTIST, "")
            key = add_key(farm, "ann", "desk")
            session = open_session(farm, Maker(key.machine.id, key.account.id, "rest"), '{"kinds": ["screenshot"]}',
                                   key_verifier(key.key))
            known, app = seeds(key.key, session), make_app(farm)
            process, statuses, started = psutil.Process(), Counter[int](), time.monotonic()
            for part in range(-(-asked.inputs // AT_A_TIME)):
                count = min(AT_A_TIME, asked.inputs - part * AT_A_TIME)
                try:
                    statuses += asyncio.run(fuzz(app, log, known, asked.seed + part, count))
                except Upset as upset:
                    sys.exit(f"A mistake: {upset}")
                rate = sum(statuses.values()) / (time.monotonic() - started)
                print(f"{sum(statuses.values())} inputs, {rate:.0f}/s, {process.memory_info().rss / 2**20:.0f} MiB, "
                      f"{dict(sorted(statuses.items()))}", flush=True)
            findings = list(check(farm))
    if findings:
        sys.exit(f"The farm is broken: {findings[:5]}")
    print("No mistake, and the farm is whole.")


if __name__ == "__main__":
    main()
