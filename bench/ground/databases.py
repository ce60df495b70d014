"""Databases to measure on: SQLite in a folder, and PostgreSQL at DATABASE_URL or on a throw-away server of our own."""

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

KINDS = ("sqlite", "postgresql")
DEBIAN = Path("/usr/lib/postgresql")
START_S = 60.0
SERVER_USER = "postgres"  # the server refuses to run as root
_BROOM = """
cat
while [ -e "$0/data/postmaster.pid" ] && [ "${n:=0}" -lt 300 ]; do sleep 0.1; n=$((n + 1)); done
rm -rf "$0"
"""


class NoPostgres(Exception):
    """There is neither a DATABASE_URL nor Debian's postgresql on this machine."""


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """Give the address of an empty database that lasts as long as the block; raises NoPostgres.

    Nothing of the server's durability is switched off. What DATABASE_URL names is left alone: the database is a new
    one on the same server.
    """
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'farm.sqlite'}"
        return
    with contextlib.ExitStack() as stack:
        server = os.environ.get("DATABASE_URL") or stack.enter_context(_server())
        yield stack.enter_context(_fresh(server))


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let one choose the database."""
    parser.add_argument("--database", choices=(*KINDS, "both"), default="both")


def on_each(asked: str, deed: Callable[[str, Path, str], None]) -> None:
    """Do something on each database that was asked for, told its kind, a folder that lasts as long, and its address."""
    for kind in KINDS if asked == "both" else (asked,):
        try:
            with tempfile.TemporaryDirectory(prefix="sheepfold-bench-") as name, database(kind, Path(name)) as url:
                deed(kind, Path(name), url)
        except NoPostgres as reason:
            print(f"{kind}: not tried. {reason}")


def size_mib(url: str, folder: Path) -> float:
    """Return how much disk a database takes in MiB."""
    if url.startswith("sqlite"):
        return sum(path.stat().st_size for path in folder.glob("farm.sqlite*")) / 2**20
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return float(row[0] if row else 0) / 2**20


@contextlib.contextmanager
def _fresh(server: str) -> Iterator[str]:
    """Make a database on a server and drop it in the end."""
    name = f"sheepfold_bench_{os.getpid()}_{time.time_ns()}"
    own = make_url(server).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(own, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield make_url(own).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextlib.contextmanager
def _server() -> Iterator[str]:
    """Run a server of our own, with Debian's defaults, in a folder of its own where its socket lies, for the block."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="sheepfold-postgres-"))
    # sweeps when this process has ended, however it did
    broom = subprocess.Popen(["sh", "-c", _BROOM, folder], stdin=subprocess.PIPE, start_new_session=True)
    user = SERVER_USER if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    try:
        subprocess.run([programs / "initdb", "--pgdata", folder / "data", "--username", "bench", "--auth", "trust",
                        "--encoding", "UTF8", "--locale", "C"], user=user, cwd=folder, check=True, capture_output=True)
        port = _free_port()
        argv = ["setpriv", "--pdeathsig", "INT", str(programs / "postgres"), "-D", str(folder / "data"),
                "-p", str(port), "-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
        process = subprocess.Popen(argv, user=user, cwd=folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            url = f"postgresql://bench@/postgres?host={folder}&port={port}"
            _wait_until_up(url)
            yield url
        finally:
            process.send_signal(signal.SIGINT)  # ends what is connected, and shuts down in order
            process.wait(START_S)
    finally:
        broom.communicate()


def _programs() -> Path:
    found = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name.split(".")[0]))
    if not found:
        raise NoPostgres("Set DATABASE_URL, or install Debian's postgresql: there is no initdb here.")
    return found[-1].parent


def _wait_until_up(url: str) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=1).close()
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
