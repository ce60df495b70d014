"""The options that several commands share, and the farm that `--data` opens."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from sheepfold.config import settings_for
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.protocols.registry import verifiers

DataOption = Annotated[
    Path, typer.Option("--data", envvar="SHEEPFOLD_DATA", help="The farm's folder.", file_okay=False, metavar="DIR")
]


@contextmanager
def farm_in(data: Path) -> Iterator[Farm]:
    """Open the farm in a data folder, as DATABASE_URL, BLOBS_URL and PUBLIC_URL say."""
    with open_farm(settings_for(data, os.environ), verifiers) as farm:
        yield farm
