"""`sheepfold storage`: what lies on the farm's disk, and what is cleared next."""

import typer
from rich.table import Table

from sheepfold.cli.office import AccountOption, FolderOption, JsonOption, KeyOption, ServerOption, open_office
from sheepfold.cli.plain import clock, plain, plain_console
from sheepfold.protocols.rest.storage_wire import StorageOut

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command()
def storage(
    server: ServerOption = "", key: KeyOption = "", data: FolderOption = None, account: AccountOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what lies on the farm's disk by what it is there for, and which jobs are cleared next; for the owner."""
    with open_office(server, key, data, account) as office:
        found = office.storage()
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        _print(found)


def _print(found: StorageOut) -> None:
    console = plain_console()
    piles = Table("what", "files", "bytes", box=None, padding=(0, 2, 0, 0))
    for pile in found.piles:
        piles.add_row(pile.sort, f"{pile.files:,}", f"{pile.size_bytes:,}")
    console.print(piles)
    limit = f" of at most {found.limit_bytes:,}" if found.limit_bytes else ""
    console.print(f"{found.size_bytes:,} bytes{limit}, counted {clock(found.counted_at)}.")
    if not found.keep_days and not found.limit_bytes:
        console.print("Everything is kept for ever: SHEEPFOLD_KEEP_DAYS and SHEEPFOLD_STORAGE_LIMIT_BYTES are off.")
        return
    console.print(f"{found.clearing} jobs are being cleared; {found.kept_jobs} are kept for ever.")
    if not found.next:
        console.print("Nothing can be cleared.")
        return
    waiting = Table("next", "kind", "title", "of", "when", box=None, padding=(0, 2, 0, 0))
    for due in found.next:
        when = "when there is no room" if due.clears_at is None else clock(due.clears_at)
        waiting.add_row(str(due.job), due.kind, plain(due.title), plain(due.account), when)
    console.print(waiting)
