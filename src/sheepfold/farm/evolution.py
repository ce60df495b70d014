"""The flock lives by itself: sheep retire, loops are bred of those that people like, edges join them."""

import logging
import random
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from pathlib import Path

from sheepfold.blobs.spool import Digest
from sheepfold.farm.farm import Farm
from sheepfold.farm.flock import PLAYER_FILM, retire
from sheepfold.farm.orders import Note, Order, order_job
from sheepfold.kinds import handwork
from sheepfold.model.accounts import SHEPHERD, Account, Role
from sheepfold.model.errors import Conflict
from sheepfold.model.evolution import Breed, Goals, Join, Member, Method, Retire, next_step
from sheepfold.model.flock import Sheep, SheepId, next_id
from sheepfold.model.jobs import Job, Terms
from sheepfold.store import accounts as account_rows
from sheepfold.store import flock as flock_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store.database import Tx

TERMS = Terms(priority=-100)
"""What people order goes first."""

BIRTH_S = 1800
"""How long a birth may take: mostly that is less than a minute. Then its process hangs, and is ended."""

_log = logging.getLogger(__name__)


class Evolution:
    """The flock's next step, one after the other; a genome that is being bred keeps nobody waiting."""

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._birth: _Birth | None = None
        self._barren: frozenset[SheepId] = frozenset()

    def step(self, executor: Executor) -> bool:
        """Take the flock's next step, or look after the birth under way; False where nothing was to be done.

        Raises what a birth raised, and BrokenExecutor where it takes longer than any: then the executor is of no use
        any more. Until another one succeeds its parents have no children: they may be why.

        In a farm whose owner wants no breeding nothing ever is. Two houses at once may take the same step twice: that
        costs a sheep more, and the next steps make it good.
        """
        goals = Goals(self._farm.settings.flock_loops, self._farm.settings.flock_edges)
        if goals.loops == 0:
            return False
        if self._birth is not None:
            return self._delivered(self._birth)
        chance = random.Random(self._farm.token())  # noqa: S311 -- of sheep, not of secrets
        match next_step(self._farm.db.read(_members), goals, chance.random, self._barren):
            case Retire(sheep):
                self._farm.db.write(lambda tx: retire(tx, sheep, self._farm.now()))
            case Join(first, last):
                _join(self._farm, first, last)
            case Breed(method, parents):
                self._birth = _begun(self._farm, executor, method, parents, chance.getrandbits(63))
            case None:
                return False
        return True

    def _delivered(self, birth: "_Birth") -> bool:
        """Order the loop of a genome that is there; raises as `step` does."""
        if not birth.genome.done() and time.monotonic() < birth.ends_at:
            return False
        self._birth = None
        self._barren |= {parent.id for parent in birth.parents}

        def note(tx: Tx, job: Job) -> None:
            flock_rows.add_loop(tx, job.id)
            flock_rows.add_parents(tx, job.id, [parent.job_id for parent in birth.parents])

        with birth.folder:
            if not birth.genome.done():
                raise BrokenExecutor(f"{birth.title} did not come within {BIRTH_S} seconds.")
            _ordered(self._farm, {"shape": "loop"}, {"genome": birth.genome.result()}, birth.title, note)
        self._barren = frozenset()
        return True


@dataclass(frozen=True, slots=True)
class _Birth:
    """A genome that is being bred in a process of the executor's, in a folder that lasts until it is ordered.

    It ends at a time of the monotonic clock at the latest.
    """

    genome: "Future[Path]"
    parents: Sequence[Sheep]
    title: str
    folder: tempfile.TemporaryDirectory[str]
    ends_at: float


def _members(tx: Tx) -> list[Member]:
    born_into = next_id(flock_rows.newest_id(tx)).generation
    _, shepherd = _known_shepherd(tx)
    return flock_rows.living(tx, born_into, PLAYER_FILM, None if shepherd is None else shepherd.id)


def _join(farm: Farm, first: Sheep, last: Sheep) -> None:
    """Order an edge between two loops, by their numbers: there may be several of a genome."""

    def note(tx: Tx, job: Job) -> None:
        if flock_rows.next_in_line(tx).generation != first.id.generation:
            raise Conflict(f"Generation {first.id.generation} is full: an edge belongs to that of its loops.")
        flock_rows.add_edge(tx, job.id, first.id.number, last.id.number)

    with tempfile.TemporaryDirectory(prefix="edge-", dir=farm.spool_folder) as name:
        genomes = _genomes(farm, (first, last), Path(name))
        inputs = dict(zip(("genome", "genome2"), genomes, strict=True))
        title = f"From sheep {first.id.number} to {last.id.number}"
        _ordered(farm, {"shape": "edge"}, inputs, title, note)


def _begun(farm: Farm, executor: Executor, method: Method, parents: Sequence[Sheep], seed: int) -> _Birth:
    folder = tempfile.TemporaryDirectory(prefix="breed-", dir=farm.spool_folder)
    path = Path(folder.name)
    genomes = _genomes(farm, parents, path)
    names = " and ".join(str(parent.id.number) for parent in parents)
    title = f"Child of sheep {names}" if parents else "A stranger"
    child = executor.submit(handwork.breed, method.value, genomes, seed, path / "child.flam3", farm.settings.flock_size)
    return _Birth(child, parents, title, folder, time.monotonic() + BIRTH_S)


def _genomes(farm: Farm, sheep: Sequence[Sheep], folder: Path) -> list[Path]:
    """Return the genomes of loops as local files."""
    jobs = farm.db.read(lambda tx: [job_rows.job_of(tx, one.job_id) for one in sheep])
    return [farm.blobs.local_path(Digest(job.inputs["genome"]), folder) for job in jobs]


def _ordered(farm: Farm, spec: dict[str, object], inputs: dict[str, Path], title: str, note: Note) -> None:
    settings = farm.settings
    width, height = settings.flock_size
    spec |= {"width": width, "height": height, "frames": settings.flock_frames, "quality": settings.flock_quality}
    job = order_job(farm, _shepherd(farm), Order("flame", spec, inputs, title, TERMS), note)
    _log.info("flock_ordered job=%d shape=%s title=%s", job.id, spec["shape"], title)


def _shepherd(farm: Farm) -> Account:
    """Return the account of the flock, made where it is new."""

    def ensure(tx: Tx) -> Account:
        name, known = _known_shepherd(tx)
        return known or account_rows.add_account(tx, name, Role.ARTIST, "", farm.now())

    return farm.db.write(ensure)


def _known_shepherd(tx: Tx) -> tuple[str, Account | None]:
    """Return the name of the flock's account, another than SHEPHERD where somebody has that, and the account if any."""
    name, number = SHEPHERD, 1
    while (known := account_rows.find_account(tx, name)) is not None and account_rows.is_somebodys(tx, known.id):
        number += 1
        name = f"{SHEPHERD}-{number}"
    return name, known
