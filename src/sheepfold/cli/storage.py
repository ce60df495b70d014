"""`sheepfold storage`: what lies on the farm's disk, and what is cleared next."""

import typer
from rich.console import Group, RenderableType

from sheepfold.cli.command import Office, Said, office_command
from sheepfold.cli.plain import clock, columns, plain
from sheepfold.protocols.rest.storage_wire import StorageOut

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@office_command(app)
def storage(office: Office) -> Said:
    """Show what lies on the farm's disk by what it is there for, and which jobs are cleared next; for the owner."""
    found = office.storage()
    return Said(found, Group(*_shown(found)))


def _shown(found: StorageOut) -> list[RenderableType]:
    piles = columns("what", "files", "bytes")
    for pile in found.piles:
        piles.add_row(pile.sort, f"{pile.files:,}", f"{pile.size_bytes:,}")
    limit = f" of at most {found.limit_bytes:,}" if found.limit_bytes else ""
    shown: list[RenderableType] = [piles, f"{found.size_bytes:,} bytes{limit}, counted {clock(found.counted_at)}."]
    if not found.keep_days and not found.limit_bytes:
        return [*shown, "Everything is kept for ever: SHEEPFOLD_KEEP_DAYS and SHEEPFOLD_STORAGE_LIMIT_BYTES are off."]
    shown.append(f"{found.clearing} jobs are being cleared; {found.kept_jobs} are kept for ever.")
    if not found.next:
        return [*shown, "Nothing can be cleared."]
    waiting = columns("next", "kind", "title", "account", "when")
    for due in found.next:
        when = "when there is no room" if due.clears_at is None else clock(due.clears_at)
        waiting.add_row(str(due.job), due.kind, plain(due.title), plain(due.account), when)
    return [*shown, waiting]
