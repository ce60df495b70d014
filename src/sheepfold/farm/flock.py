"""The flock: who joins it, and what players see of it: the list of films, votes, and genomes."""

from collections.abc import Iterable
from dataclasses import dataclass

from sheepfold.farm.dispatch import Input, lease_at, open_blob
from sheepfold.farm.farm import Farm
from sheepfold.farm.rights import own_job
from sheepfold.kinds.seam import Spec
from sheepfold.model.accounts import Account
from sheepfold.model.errors import BadInput, InvalidSpec, UnknownBlob, UnknownSheep
from sheepfold.model.events import Event, What
from sheepfold.model.flock import Sheep, SheepId
from sheepfold.model.jobs import Job, JobId
from sheepfold.store import accounts as account_rows
from sheepfold.store import blobs as blob_rows
from sheepfold.store import events as event_rows
from sheepfold.store import flock as flock_rows
from sheepfold.store import jobs as job_rows
from sheepfold.store import leases as lease_rows
from sheepfold.store.database import Tx
from sheepfold.store.flock import FilmedSheep
from sheepfold.store.leases import Wanted

PLAYER_FILM = "film.avi"
"""What old screensavers play; the same pictures as `film.mp4`, in the container that their file names promise."""

FIRST_GENERATION = 1


@dataclass(frozen=True, slots=True)
class Flock:
    """The living generation: its sheep that have a film, and the size in pixels that it is listed with."""

    generation: int
    size: tuple[int, int]
    sheep: tuple[FilmedSheep, ...]


def check_sheep(farm: Farm, account: Account, spec: Spec, *, is_private: bool) -> None:
    """Check that no private order is one of a sheep; raises InvalidSpec."""
    del farm, account
    if is_private and spec["shape"] != "still":
        raise InvalidSpec("A loop or an edge lives in the flock, which everybody sees; only a still can be private.")


def join_flock(tx: Tx, job: Job) -> None:
    """Give a loop or an edge its number; an edge joins the loops that were ordered of its two genomes.

    Raises UnknownSheep where its generation has none, and InvalidSpec where both genomes are one.
    """
    match job.spec["shape"]:
        case "loop":
            flock_rows.add_loop(tx, job.id)
        case "edge":
            first, last = (job.inputs.get(name, "") for name in ("genome", "genome2"))
            if first == last:
                raise InvalidSpec("An edge joins two loops of the flock; these two genomes are one and the same.")
            flock_rows.add_edge(tx, job.id, _keyframe(tx, first), _keyframe(tx, last))


def _keyframe(tx: Tx, digest: str) -> int:
    sheep = flock_rows.find_loop_of(tx, flock_rows.next_in_line(tx).generation, digest)
    if sheep is None:
        raise UnknownSheep("An edge joins two loops of the flock: order the loops of both genomes first.")
    return sheep.id.number


def list_flock(farm: Farm) -> Flock:
    """Return the living generation's films."""

    def read(tx: Tx) -> Flock:
        generation = living_of(tx)
        filmed = tuple(flock_rows.filmed(tx, generation, PLAYER_FILM))
        spec = job_rows.job_of(tx, filmed[-1].sheep.job_id).spec if filmed else {}
        size = farm.settings.flock_size if not spec else (spec["width"], spec["height"])
        return Flock(generation, size, filmed)

    return farm.db.read(read)


def vote_as(farm: Farm, account: Account, number: int, value: int, generation: int | None = None) -> None:
    """Count the one vote that an account has on a sheep, by whichever way it comes; raises as `vote` does.

    It replaces one by the account's name, too, as servers of before migration 0024 cast it.
    """
    vote(farm, number, f"account {account.id}", value, generation, former=account.name)


def vote_from(farm: Farm, address: str, number: int, uid: str, value: int) -> bool:
    """Count the vote of a player of whom nothing is known but a UID, which anybody may make up; raises as `vote` does.

    False where it does not count, as too many such votes come from its address. The same vote again is no other one.
    """

    def is_cast(tx: Tx) -> bool:
        sheep = flock_rows.sheep_of(tx, SheepId(living_of(tx), number))
        return flock_rows.vote_of(tx, sheep.job_id, uid) == value

    if farm.db.read(is_cast):
        return True
    if not farm.voices.count(address, uid):
        return False
    vote(farm, number, uid, value)
    return True


def vote(farm: Farm, number: int, voter: str, value: int, generation: int | None = None, *, former: str = "") -> None:
    """Count a voter's vote on a sheep, +1 or -1, in the living generation where none is named.

    It replaces the voter's older one, also one by a former name. The same vote again changes nothing. Raises
    UnknownSheep, and BadInput for any other value.
    """
    if value not in {-1, 1}:
        raise BadInput(f"A vote is 1 or -1; found {value}.")

    def cast(tx: Tx) -> None:
        sheep = flock_rows.sheep_of(tx, SheepId(living_of(tx) if generation is None else generation, number))
        was_replaced = bool(former) and flock_rows.withdraw_vote(tx, sheep.job_id, former)
        if flock_rows.vote(tx, sheep.job_id, voter, value, farm.now()) or was_replaced:
            event_rows.add(tx, [Event(What.VOTE_CAST, sheep.job_id, None, {"value": value})], farm.now())

    farm.db.write(cast)


def retire_sheep(farm: Farm, account: Account, sheep_id: SheepId) -> None:
    """Take a sheep of this account out of the flock, or any as the owner; a loop with the edges that touch it.

    Its films and pictures stay. Where it has left already nothing happens. Raises UnknownSheep, Forbidden.
    """

    def leave(tx: Tx) -> None:
        sheep = flock_rows.sheep_of(tx, sheep_id)
        own_job(tx, account, sheep.job_id)
        retire(tx, [sheep, *flock_rows.edges_at(tx, sheep_id)], farm.now())

    farm.db.write(leave)


def retire(tx: Tx, sheep: Iterable[Sheep], now: int) -> None:
    """Take sheep out of the flock, in the caller's transaction; nothing happens to those that have left already."""
    retired = [one for one in sheep if flock_rows.retire(tx, one.job_id, now)]
    event_rows.add(tx, [Event(What.SHEEP_RETIRED, one.job_id, None, {"rating": one.rating}) for one in retired], now)


def living_generation(farm: Farm) -> int:
    """Return the generation that players see."""
    return farm.db.look(living_of)


def living_of(tx: Tx) -> int:
    """Return the generation that players see: a new one lives from its first film on, the very first at once."""
    return flock_rows.living_generation(tx) or FIRST_GENERATION


def find_sheep(farm: Farm, job_id: JobId) -> SheepId | None:
    """Return the sheep that a job is; None for a job that is none."""
    return farm.outlook.sheep_of(job_id)


def lease_on_sheep(farm: Farm, machine_name: str, sheep_id: SheepId, picture: int) -> Wanted:
    """Return what the result of a machine's lease on a picture of a sheep is judged by, with one look.

    Pictures are numbered frame by frame, part by part. Raises UnknownMachine, UnknownSheep, UnknownTask, UnknownLease.
    """
    wanted = farm.db.look(lambda tx: lease_rows.find_wanted_of_sheep(tx, machine_name, sheep_id, picture))
    if wanted is None:
        job = job_of_sheep(farm, sheep_id)
        machine = farm.db.look(lambda tx: account_rows.machine_named(tx, machine_name))
        return lease_at(farm, machine.id, (job.id, *divmod(picture, job.spec["parts"])))
    return wanted


def job_of_sheep(farm: Farm, sheep_id: SheepId) -> Job:
    """Return the job that a sheep is; raises UnknownSheep."""
    job = farm.db.look(lambda tx: job_rows.find_job_of_sheep(tx, sheep_id))
    if job is None:
        raise UnknownSheep(f"There is no sheep {sheep_id.number} in generation {sheep_id.generation}.")
    return job


def open_film(farm: Farm, sheep_id: SheepId, film: str = PLAYER_FILM) -> tuple[str, Input]:
    """Open a sheep's film with its media type; raises UnknownSheep, and UnknownBlob while it is not made yet."""

    def find(tx: Tx) -> tuple[str, str] | None:
        job_id = flock_rows.sheep_of(tx, sheep_id).job_id
        found = (product for product in blob_rows.products_of(tx, job_id) if product.name == film)
        return next(((product.media_type, product.digest) for product in found), None)

    product = farm.db.read(find)
    if product is None:
        raise UnknownBlob(f"Sheep {sheep_id.number} of generation {sheep_id.generation} has no {film!r} yet.")
    return product[0], open_blob(farm, product[1])


def read_genomes(farm: Farm, sheep_id: SheepId) -> list[bytes]:
    """Return the genome of a loop, or both of an edge; raises UnknownSheep."""
    inputs = job_of_sheep(farm, sheep_id).inputs
    digests = [inputs[name] for name in ("genome", "genome2") if name in inputs]
    return [b"".join(open_blob(farm, digest).chunks) for digest in digests]
