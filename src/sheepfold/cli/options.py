"""The options that several commands share, and the farm that `--data` opens."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from sheepfold.config import settings_for, unknown_variables
from sheepfold.farm.farm import Farm, open_farm
from sheepfold.model.errors import BadInput
from sheepfold.protocols.registry import verifiers
from sheepfold.store.opening import is_made

_log = logging.getLogger(__name__)
DataOption = Annotated[
    Path, typer.Option("--data", envvar="SHEEPFOLD_DATA", help="The farm's folder.", file_okay=False, metavar="DIR")
]


@contextmanager
def farm_in(data: Path, *, may_be_new: bool = False) -> Iterator[Farm]:
    """Open the farm in a data folder, as DATABASE_URL, BLOBS_URL and PUBLIC_URL say; raises BadInput for none.

    One that `may_be_new` is made where there is none.
    """
    settings = settings_for(data, os.environ)
    if not may_be_new and not is_made(settings.database_url, settings.data):
        raise BadInput(f"There is no farm in {data}, and DATABASE_URL names none: `sheepfold serve` makes one.")
    with open_farm(settings, verifiers) as farm:
        yield farm


def warn_of_unknown_settings() -> None:
    """Log each variable of the environment that looks like a setting and is none, as one that is misspelt."""
    for name, near in unknown_variables(os.environ):
        _log.warning("setting=%s ignored=unknown nearest=%s", name, near or "none")
