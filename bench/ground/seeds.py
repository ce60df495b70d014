"""All seeds: requests of all wires that make sense on a furnished farm, each of which is accepted as it is."""

from .page_seeds import page_seeds  # the tests import this as bench.ground.seeds
from .rest_seeds import seeds_of_rest
from .seed import Seed
from .wire_seeds import browsershots_seeds, electric_sheep_seeds, sheepit_seeds


def seeds() -> list[Seed]:
    """Return all of them: for each operation of the REST API, each route of an old wire and each page one at least."""
    return [*seeds_of_rest(), *sheepit_seeds(), *browsershots_seeds(), *electric_sheep_seeds(), *page_seeds()]
