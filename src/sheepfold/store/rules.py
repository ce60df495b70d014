"""Rows of what owners wish of their machines."""

from dataclasses import dataclass

from sqlalchemy import text, update

from sheepfold.model.machines import MachineId
from sheepfold.store import schema
from sheepfold.store.database import Tx


@dataclass(frozen=True, slots=True)
class WishRow:
    """What is wished of a machine: rules as JSON text, since when it is paused, and when it was last told to stop."""

    rules: str
    suspended_at: int | None
    stopped_at: int | None


_WISHES = text("SELECT rules, suspended_at, stopped_at FROM machines WHERE id = :machine_id")


def wishes_of(tx: Tx, machine_id: MachineId) -> WishRow:
    """Return what is wished of a machine."""
    row = tx.execute(_WISHES, {"machine_id": machine_id}).one()
    return WishRow(row.rules, row.suspended_at, row.stopped_at)


def set_rules(tx: Tx, machine_id: MachineId, rules: str) -> None:
    """Write a machine's rules."""
    tx.execute(update(schema.machines).where(schema.machines.c.id == machine_id).values(rules=rules))


def stop_machine(tx: Tx, machine_id: MachineId, now: int) -> None:
    """Note that a machine's worker is to end."""
    tx.execute(update(schema.machines).where(schema.machines.c.id == machine_id).values(stopped_at=now))
