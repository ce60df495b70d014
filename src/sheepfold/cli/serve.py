"""`sheepfold serve`: one process that is the farm, or several."""

import logging
import ssl
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sheepfold.app import Door, Place, open_door, serve
from sheepfold.certificate import ensure_certificate
from sheepfold.cli.logs import LogForm, LogOption, log_to_stderr
from sheepfold.cli.options import DataOption, farm_in, warn_of_unknown_settings
from sheepfold.kinds import walls
from sheepfold.model.errors import SheepfoldError
from sheepfold.supervisor import supervise

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
_log = logging.getLogger(__name__)
_Pem = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, metavar="FILE",
                                           help="In PEM, for --tls-port; both or none.")]  # fmt: skip


@app.command()
def serve_farm(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    data: DataOption,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for the whole network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port of plain HTTP; 0 chooses a free one.")] = 8000,
    tls_port: Annotated[int | None, typer.Option(min=0, max=65535, help="A port for HTTPS as well.")] = None,
    tls_cert: _Pem = None,
    tls_key: _Pem = None,
    no_house: Annotated[bool, typer.Option("--no-house", help="Leave upkeep and films to `sheepfold house`.")] = False,
    processes: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="One for each core of a busy farm.")] = 1,
    log: LogOption = LogForm.PLAIN,
) -> None:
    """Serve the farm in DIR: every protocol, the pages, and the house.

    DATABASE_URL (postgresql://…), BLOBS_URL (s3://…) and PUBLIC_URL override what lies in DIR. Without a certificate,
    HTTPS uses one that the farm makes for itself.
    """
    if (tls_cert is None) is not (tls_key is None):
        raise typer.BadParameter("--tls-cert and --tls-key belong together.")
    if tls_cert is not None and tls_port is None:
        raise typer.BadParameter("--tls-cert and --tls-key are for --tls-port, which says where HTTPS is spoken.")
    warn_of_unknown_settings()
    certificate = None
    if tls_cert is not None and tls_key is not None:
        certificate = _checked(tls_cert, tls_key)
    # also where others serve it: it is brought up to date once, and errors are told here
    with farm_in(data, may_be_new=True) as farm:
        if certificate is None and tls_port is not None:
            certificate = ensure_certificate(data / "tls", host, int(time.time()))
        doors = _open_doors(host, port, tls_port, certificate)
        if reason := walls.why_none():
            _log.warning("walls=none reason=%s strangers_projects=%s", reason, "opened within limits alone")
        if processes == 1:
            serve(farm, doors, with_house=not no_house)
            return
    level = logging.getLogger().level
    doors = [door.for_several(processes) for door in doors]
    places = [Place(number, processes) for number in range(processes)]
    supervise([partial(_serve_share, data, doors, place, level, log, with_house=not no_house and place.number == 0)
               for place in places], partial(_note_death, doors))


def _note_death(doors: Sequence[Door], number: int) -> None:
    for door in doors:
        door.note_death(number)


def _serve_share(data: Path, doors: Sequence[Door], place: Place, level: int, log: LogForm, *,
                 with_house: bool) -> None:
    """Be one of several processes; one that cannot open the farm, or keep it open, ends with a line that says why."""
    log_to_stderr(level, log)
    try:
        with farm_in(data) as farm:
            serve(farm, doors, place, with_house=with_house)
    except SheepfoldError as error:
        _log.error("not_serving=%s", error)
        sys.exit(1)


def _open_doors(host: str, port: int, tls_port: int | None, certificate: tuple[Path, Path] | None) -> list[Door]:
    """Listen for plain HTTP always, since ShotFactory speaks nothing else, and for TLS where a port is given."""
    doors = [open_door(host, port)]
    return doors if tls_port is None else [*doors, open_door(host, tls_port, certificate)]


def _checked(cert: Path, key: Path) -> tuple[Path, Path]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (ssl.SSLError, OSError) as error:
        raise typer.BadParameter(f"{cert} and {key} are no certificate and its key: {error}.") from error
    return cert, key
