"""`sheepfold serve`: one process that is the farm."""

import ssl
import time
from pathlib import Path
from typing import Annotated

import typer

from sheepfold.app import Listening, serve
from sheepfold.certificate import ensure_certificate
from sheepfold.cli.logs import LogForm, LogOption
from sheepfold.cli.options import DataOption, farm_in

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
_Pem = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, metavar="FILE", help="In PEM; both or none.")]


@app.command()
def serve_farm(  # noqa: PLR0913, PLR0917 -- these are the options of a command, each given by name
    data: DataOption,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for the whole network.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port of plain HTTP; 0 chooses a free one.")] = 8000,
    tls_port: Annotated[int | None, typer.Option(min=0, max=65535, help="A port for HTTPS as well.")] = None,
    tls_cert: _Pem = None,
    tls_key: _Pem = None,
    no_house: Annotated[bool, typer.Option("--no-house", help="Leave upkeep and films to `sheepfold house`.")] = False,
    log: LogOption = LogForm.PLAIN,
) -> None:
    """Serve the farm in DIR: every protocol, the pages, and the house.

    DATABASE_URL (postgresql://…), BLOBS_URL (s3://…) and PUBLIC_URL override what lies in DIR. Without a certificate,
    HTTPS uses one that the farm makes for itself.
    """
    if (tls_cert is None) is not (tls_key is None):
        raise typer.BadParameter("--tls-cert and --tls-key belong together.")
    if tls_cert is not None and tls_key is not None:
        _check_certificate(tls_cert, tls_key)
    if tls_port is not None and tls_cert is None:
        tls_cert, tls_key = ensure_certificate(data / "tls", host, int(time.time()))
    with farm_in(data) as farm:
        serve(farm, Listening(host, port, tls_port, tls_cert, tls_key), with_house=not no_house)


def _check_certificate(cert: Path, key: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (ssl.SSLError, OSError) as error:
        raise typer.BadParameter(f"{cert} and {key} are no certificate and its key: {error}.") from error
