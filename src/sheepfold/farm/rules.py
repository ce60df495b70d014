"""Rules: when a machine may work, as its owner wishes; our worker asks for them and for what it is told to do."""

import json
from dataclasses import asdict

from sheepfold.farm.farm import Farm
from sheepfold.farm.rights import own_machine
from sheepfold.model.accounts import Account
from sheepfold.model.machines import Command, Session, Wish, WorkRules
from sheepfold.store import people as people_rows
from sheepfold.store import rules as rule_rows
from sheepfold.store.database import Tx


def set_rules(farm: Farm, by: Account | None, name: str, rules: WorkRules) -> None:
    """Write when a machine may work; `by` is its account, the owner, or None for the console.

    Raises UnknownMachine, Forbidden, and BadInput where the rules make no sense.
    """
    rules.check()

    def write(tx: Tx) -> None:
        machine = own_machine(tx, by, name)
        rule_rows.set_rules(tx, machine.id, json.dumps(asdict(rules)))
        people_rows.note(tx, "console" if by is None else by.name, "set rules of machine", name, farm.now())

    farm.db.write(write)


def rules_of(farm: Farm, by: Account | None, name: str) -> WorkRules:
    """Return when a machine may work; raises UnknownMachine, Forbidden."""

    def read(tx: Tx) -> WorkRules:
        machine = own_machine(tx, by, name)
        return read_rules(rule_rows.wishes_of(tx, machine.id).rules)

    return farm.db.read(read)


def wish_for(farm: Farm, session: Session) -> Wish:
    """Return what a machine's worker is told to do. A stop is for those that had begun before it was asked for."""
    row = farm.db.look(lambda tx: rule_rows.wishes_of(tx, session.machine_id))
    rules = read_rules(row.rules)
    if row.stopped_at is not None and row.stopped_at >= session.opened_at:
        return Wish(Command.STOP, rules)
    return Wish(Command.WORK if row.suspended_at is None else Command.PAUSE, rules)


def read_rules(text: str) -> WorkRules:
    """Return rules from their text in the database."""
    return WorkRules(**json.loads(text))
