"""A small real farm that is a folder, and `FolderLink`, a second implementation of `Link` beside those of the wires.

It keeps the promises of the seam over plain files, so that tests, and worker processes that tests kill, can look at
it and steer it: `away` makes it unreachable, `refuse` makes it refuse, `hold` makes an upload wait, and a task named in
`unwanted/` is wanted no more. Run as a program it is a worker's process for this farm.
"""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sheepfold.kinds.flame import spec, split
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.link import FarmRefused, FarmUnreachable, Figures, Receipt, Work

GENOME = Path(__file__).parents[1] / "genomes" / "r2.flam3"
ABILITIES = Abilities(kinds=frozenset({"flame"}), renderers=frozenset({Program("flam3")}), memory_mib=4096)
FOLDERS = ("open", "leased", "taken", "given", "files", "unwanted", "opened", "beats")


class FolderFarm:
    """A farm in a folder; a task is a JSON file that wanders from `open` to `leased` to `taken` or `given`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in FOLDERS:
            (path / name).mkdir(parents=True, exist_ok=True)

    def order(self, frames: int = 1, *, width: int = 64, quality: float = 2, term_s: int = 60) -> None:
        """Order a loop of small flames, split for real."""
        order = {"width": width, "height": 48, "quality": quality, "frames": frames, "temporal_samples": 1}
        parsed = spec.parse(order)
        for draft in split.split(parsed, {"genome": GENOME}, self._new_folder("split")):
            assert draft.input is not None
            handle = f"{draft.frame:03d}"
            draft.input.replace(self.path / "files" / handle)
            work = Work(handle, "flame", dict(parsed), draft.frame, draft.part, term_s, {})
            self.put(work)

    def put(self, work: Work) -> None:
        """Put a task into the farm."""
        self.write("open", work.handle, asdict(work))

    def names(self, folder: str) -> list[str]:
        """Return the tasks in a folder."""
        return sorted(path.stem for path in (self.path / folder).glob("*.json"))

    def write(self, folder: str, name: str, told: dict[str, Any]) -> None:
        """Write of a task in a folder, where it appears whole."""
        path = self.path / folder / f"{name}.json"
        path.with_suffix(".new").write_text(json.dumps(told))
        path.with_suffix(".new").rename(path)

    def read(self, folder: str, name: str) -> dict[str, Any]:
        """Return what is written of a task in a folder."""
        found: dict[str, Any] = json.loads((self.path / folder / f"{name}.json").read_text())
        return found

    def is_set(self, switch: str) -> bool:
        """Say whether a switch is there."""
        return (self.path / switch).exists()

    def set(self, switch: str) -> None:
        """Set a switch."""
        (self.path / switch).touch()

    def clear(self, switch: str) -> None:
        """Take a switch away."""
        (self.path / switch).unlink()

    def _new_folder(self, name: str) -> Path:
        folder = self.path / name
        folder.mkdir(exist_ok=True)
        return folder


class FolderLink:
    """A machine's line to a farm in a folder; fulfils `Link`."""

    def __init__(self, farm: FolderFarm) -> None:
        self.farm = farm
        self.is_closed = False

    def open(self, abilities: Abilities) -> None:
        self._reach()
        (self.farm.path / "opened" / f"{time.monotonic_ns()}.json").write_text(abilities.canonical())

    def claim(self, abilities: Abilities, *, may_wait: bool = True) -> Work | None:
        self._reach()
        for path in sorted((self.farm.path / "open").glob("*.json")):
            told = json.loads(path.read_text())
            if told["kind"] in abilities.kinds:
                path.replace(self.farm.path / "leased" / path.name)
                return Work(**{name: told[name] for name in Work.__slots__})
        return None

    def fetch_task_input(self, work: Work, target: Path) -> bool:
        self._reach()
        source = self.farm.path / "files" / work.handle
        if source.exists():
            target.write_bytes(source.read_bytes())
        return source.exists()

    def fetch_input(self, work: Work, name: str, target: Path) -> None:
        self._reach()
        target.write_bytes((self.farm.path / "files" / name).read_bytes())

    def heartbeat(self, work: Work, seconds_done: int) -> bool:
        self._reach()
        with (self.farm.path / "beats" / f"{work.handle}.json").open("a") as beats:
            beats.write(f"{seconds_done}\n")
        return not (self.farm.path / "unwanted" / work.handle).exists()

    def submit(self, work: Work, picture: Path, figures: Figures) -> Receipt:
        self._reach()
        self.farm.set("uploading")
        while self.farm.is_set("hold"):
            time.sleep(0.01)
        self._reach()
        leased = self.farm.path / "leased" / f"{work.handle}.json"
        if not leased.exists():
            return Receipt.UNWANTED
        (self.farm.path / "taken" / f"{work.handle}.png").write_bytes(picture.read_bytes())
        self.farm.write("taken", work.handle, asdict(figures))
        leased.unlink()
        return Receipt.ACCEPTED

    def give_up(self, work: Work, reason: str, log: Path | None, *, failed: bool) -> None:
        self._reach()
        told = {"reason": reason, "failed": failed, "log": log.read_text() if log else ""}
        (self.farm.path / "leased" / f"{work.handle}.json").unlink(missing_ok=True)
        self.farm.write("given", work.handle, told)

    def close(self) -> None:
        self.is_closed = True

    def _reach(self) -> None:
        if self.farm.is_set("refuse"):
            raise FarmRefused("The farm knows no such key.")
        if self.farm.is_set("away"):
            raise FarmUnreachable("The farm is away.", 0)


def main(farm: Path, folder: Path, *, once: bool) -> int:
    """Work for a farm in a folder, taking signals as the command does."""
    import logging

    from sheepfold.worker.folder import WorkFolder
    from sheepfold.worker.machine import Options, work
    from sheepfold.worker.steps import End, Rules
    from sheepfold.worker.stopping import Stop, run_until_done

    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    ends: list[End] = []
    stop = Stop()
    options = Options("folder://", "", folder=folder, rules=Rules(once))
    with WorkFolder(folder, "a farm") as desks:
        link = FolderLink(FolderFarm(farm))
        run_until_done(lambda: ends.append(work(link, ABILITIES, desks, stop, options)), stop)
    return 1 if ends[0].problem else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), once="--once" in sys.argv))
