"""The flock lives by itself: sheep retire, loops are bred of those that people like, edges join them."""

import logging
import random
import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from sheepfold.blobs.spool import Digest
from sheepfold.farm.farm import Farm
from sheepfold.farm.flock import PLAYER_FILM, living_of
from sheepfold.farm.orders import Order, order_job
from sheepfold.kinds import handwork
from sheepfold.model.accounts import Account, Role
from sheepfold.model.events import Event, What
from sheepfold.model.evolution import Breed, Goals, Join, Member, Method, Retire, next_step
from sheepfold.model.flock import Sheep
from sheepfold.model.jobs import Job, Terms
from sheepfold.store import accounts as account_rows
from sheepfold.store import events as event_rows
from sheepfold.store import flock as flock_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store.database import Tx

SHEPHERD = "flock"
"""The account that orders what the flock breeds. Nobody can sign in to it."""

TERMS = Terms(priority=-100)
"""What people order goes first."""

_log = logging.getLogger(__name__)


def evolve(farm: Farm, executor: Executor) -> bool:
    """Take the flock's next step; False where there is none, as in every farm whose owner wants no breeding.

    A step may be taken twice by two houses at once: that costs a sheep more, and the next steps make it good.
    """
    goals = Goals(farm.settings.flock_loops, farm.settings.flock_edges)
    if goals.loops == 0:
        return False
    chance = random.Random(farm.token())  # noqa: S311 -- of sheep, not of secrets
    match next_step(farm.db.read(_members), goals, chance.random):
        case Retire(sheep):
            _retire(farm, sheep)
        case Join(first, last):
            _join(farm, first, last)
        case Breed(method, parents):
            _breed(farm, executor, method, parents, chance.getrandbits(63))
        case None:
            return False
    return True


def _members(tx: Tx) -> list[Member]:
    return flock_rows.living(tx, living_of(tx), PLAYER_FILM)


def _retire(farm: Farm, sheep: Sequence[Sheep]) -> None:
    def retire(tx: Tx) -> None:
        now = farm.now()
        retired = [one for one in sheep if flock_rows.retire(tx, one.job_id, now)]
        event_rows.add(tx, [Event(What.SHEEP_RETIRED, one.job_id, None, {"rating": one.rating}) for one in retired],
                       now)

    farm.db.write(retire)


def _join(farm: Farm, first: Sheep, last: Sheep) -> None:
    with tempfile.TemporaryDirectory(prefix="edge-", dir=farm.spool_folder) as name:
        genomes = _genomes(farm, (first, last), Path(name))
        inputs = dict(zip(("genome", "genome2"), genomes, strict=True))
        title = f"From sheep {first.id.number} to {last.id.number}"
        _ordered(farm, {"shape": "edge"}, inputs, title)


def _breed(farm: Farm, executor: Executor, method: Method, parents: Sequence[Sheep], seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="breed-", dir=farm.spool_folder) as name:
        folder = Path(name)
        genomes = _genomes(farm, parents, folder)
        genome = executor.submit(handwork.breed, method.value, genomes, seed, folder / "genome.flam3").result()
        names = " and ".join(str(parent.id.number) for parent in parents)
        title = {Method.RANDOM: "A stranger", Method.MUTATE: f"Child of sheep {names}"}.get(method)
        job = _ordered(farm, {"shape": "loop"}, {"genome": genome}, title or f"Child of sheep {names}")
    farm.db.write(lambda tx: flock_rows.add_parents(tx, job.id, [parent.job_id for parent in parents]))


def _genomes(farm: Farm, sheep: Sequence[Sheep], folder: Path) -> list[Path]:
    """Return the genomes of loops as local files."""
    jobs = farm.db.read(lambda tx: [job_rows.job_of(tx, one.job_id) for one in sheep])
    return [farm.blobs.local_path(Digest(job.inputs["genome"]), folder) for job in jobs]


def _ordered(farm: Farm, spec: dict[str, object], inputs: dict[str, Path], title: str) -> Job:
    settings = farm.settings
    width, height = settings.flock_size
    spec |= {"width": width, "height": height, "frames": settings.flock_frames, "quality": settings.flock_quality}
    job = order_job(farm, _shepherd(farm), Order("flame", spec, inputs, title, TERMS))
    _log.info("flock_ordered job=%d shape=%s title=%s", job.id, spec["shape"], title)
    return job


def _shepherd(farm: Farm) -> Account:
    """Return the account of the flock, made where it is new."""

    def ensure(tx: Tx) -> Account:
        known = account_rows.find_account(tx, SHEPHERD)
        return known or account_rows.add_account(tx, SHEPHERD, Role.ARTIST, "", farm.now())

    return farm.db.write(ensure)
