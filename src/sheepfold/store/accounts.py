"""Rows of accounts, their machines, and the machines' keys."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, insert, select, text, update

from sheepfold.model.accounts import Account, AccountId, Role, Scope
from sheepfold.model.errors import NameTaken, UnknownAccount, UnknownMachine
from sheepfold.model.machines import Machine, MachineId
from sheepfold.store import schema
from sheepfold.store.database import Question, Tx

_ACCOUNT = select(*schema.accounts.c["id", "name", "role", "weight"])
# by uq_machines_name
_MACHINE_NAMED = text("SELECT id, account_id, name, last_seen_at FROM machines WHERE name = :name")
_IS_SOMEBODYS = text("""
    SELECT password_hash <> '' OR EXISTS (SELECT 1 FROM machines m WHERE m.account_id = a.id) AS is_somebodys
    FROM accounts a WHERE a.id = :account_id
""")
_SUSPENDED_AT = text("SELECT suspended_at FROM machines WHERE id = :machine_id")


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """What a machine key opens: which machine's work, for which account, and whether orders too."""

    account: Account
    machine: Machine
    scope: Scope
    is_suspended: bool


def add_account(tx: Tx, name: str, role: Role, password_hash: str, now: int) -> Account:
    """Add an account; raises NameTaken."""
    if find_account(tx, name) is not None:
        raise NameTaken(f"There is an account {name!r} already.")
    values = {"name": name, "role": role, "password_hash": password_hash, "created_at": now}
    row = tx.execute(insert(schema.accounts).values(values).returning(*schema.accounts.c["id", "weight"])).one()
    return Account(AccountId(row.id), name, role, row.weight)


def find_account(tx: Tx, name: str) -> Account | None:
    """Return the account of a name, in whatever case it was typed, or None."""
    row = tx.execute(_ACCOUNT.where(schema.accounts.c.name == name.strip().lower())).one_or_none()
    return None if row is None else _account(row)


def account_of(tx: Tx, account_id: AccountId) -> Account:
    """Return the account of an id, which some row names."""
    return _account(tx.execute(_ACCOUNT.where(schema.accounts.c.id == account_id)).one())


def account_named(tx: Tx, name: str) -> Account:
    """Return the account of a name; raises UnknownAccount."""
    account = find_account(tx, name)
    if account is None:
        raise UnknownAccount(f"There is no account {name!r}.")
    return account


def list_accounts(tx: Tx) -> list[Account]:
    """Return all accounts, oldest first."""
    return [_account(row) for row in tx.execute(_ACCOUNT.order_by(schema.accounts.c.id))]


def password_hash_of(tx: Tx, account_id: AccountId) -> str:
    """Return an account's password hash, empty where it has no password."""
    query = select(schema.accounts.c.password_hash).where(schema.accounts.c.id == account_id)
    return str(tx.execute(query).scalar_one())


def is_somebodys(tx: Tx, account_id: AccountId) -> bool:
    """Say whether somebody can sign in to an account, or has a machine of it."""
    return bool(tx.execute(_IS_SOMEBODYS, {"account_id": account_id}).scalar_one())


def ensure_machine(tx: Tx, account_id: AccountId, name: str, now: int) -> Machine:
    """Return the machine of a name, added for this account where the farm did not know it yet."""
    known = find_machine(tx, name)
    if known is not None:
        return known
    values = {"account_id": account_id, "name": name, "created_at": now, "last_seen_at": now}
    machine_id = tx.execute(insert(schema.machines).values(values).returning(schema.machines.c.id)).scalar_one()
    return Machine(MachineId(machine_id), account_id, name, now)


def find_machine(tx: Tx, name: str) -> Machine | None:
    """Return the machine of a name, or None."""
    row = tx.execute(*machine_asked(name)).one_or_none()
    return None if row is None else _machine(row)


def machine_named(tx: Tx, name: str) -> Machine:
    """Return the machine of a name; raises UnknownMachine."""
    return machine_among(tx.execute(*machine_asked(name)).all(), name)


def machine_asked(name: str) -> Question:
    """Return the question that `machine_among` reads the answer of, to be asked along with others."""
    return _MACHINE_NAMED, {"name": name}


def machine_among(rows: Sequence[Any], name: str) -> Machine:
    """Return the machine that the only row tells of; raises UnknownMachine where there is no row."""
    if not rows:
        raise UnknownMachine(f"There is no machine {name!r}.")
    return _machine(rows[0])


def machine_of(tx: Tx, machine_id: MachineId) -> Machine:
    """Return a machine by its id."""
    return _machine(tx.execute(select(schema.machines).where(schema.machines.c.id == machine_id)).one())


def suspend_machine(tx: Tx, machine_id: MachineId, now: int | None) -> None:
    """Suspend a machine, or with None let it work again."""
    tx.execute(update(schema.machines).where(schema.machines.c.id == machine_id).values(suspended_at=now))


def pause_machine(tx: Tx, machine_id: MachineId, now: int) -> bool:
    """Suspend a machine that may work; False where it is suspended already, and stays so since when it was."""
    machines = schema.machines
    query = update(machines).where(machines.c.id == machine_id, machines.c.suspended_at.is_(None))
    return tx.execute(query.values(suspended_at=now)).rowcount > 0


def is_suspended(tx: Tx, machine_id: MachineId, since: int = 0) -> bool:
    """Say whether a machine was suspended, at a time or later, and may not work."""
    suspended_at = tx.execute(_SUSPENDED_AT, {"machine_id": machine_id}).scalar_one()
    return suspended_at is not None and suspended_at >= since


def add_key(tx: Tx, machine_id: MachineId, scope: Scope, verifiers: Iterable[tuple[str, str]], now: int) -> int:
    """Add a machine key, known only by what the wires verify it with (scheme and value); returns its id."""
    values = {"machine_id": machine_id, "scope": scope, "created_at": now}
    key_id = tx.execute(insert(schema.machine_keys).values(values).returning(schema.machine_keys.c.id)).scalar_one()
    rows = [{"key_id": key_id, "scheme": scheme, "value": value} for scheme, value in verifiers]
    tx.execute(insert(schema.key_verifiers), rows)
    return int(key_id)


def revoke_keys(tx: Tx, machine_id: MachineId, now: int) -> int:
    """Revoke every key of a machine; returns how many that were."""
    keys = schema.machine_keys
    query = update(keys).where(keys.c.machine_id == machine_id, keys.c.revoked_at.is_(None)).values(revoked_at=now)
    return tx.execute(query).rowcount


def revoke_all_keys(tx: Tx, account_id: AccountId, now: int) -> None:
    """Revoke every key of every machine of an account."""
    machines, keys = schema.machines, schema.machine_keys
    own = select(machines.c.id).where(machines.c.account_id == account_id)
    tx.execute(update(keys).where(keys.c.machine_id.in_(own), keys.c.revoked_at.is_(None)).values(revoked_at=now))


HOLDER_COLUMNS = """a.id AS account_id, a.name AS account, a.role, a.weight,
           m.id AS machine_id, m.name AS machine, m.last_seen_at, m.suspended_at, k.scope"""
# by uq_key_verifiers_scheme_value
_HOLDER = text(f"""
    SELECT {HOLDER_COLUMNS}
    FROM key_verifiers v
    JOIN machine_keys k ON k.id = v.key_id AND k.revoked_at IS NULL
    JOIN machines m ON m.id = k.machine_id
    JOIN accounts a ON a.id = m.account_id
    WHERE v.scheme = :scheme AND v.value = :value
""")  # noqa: S608 -- made of constants


def find_key_holder(tx: Tx, scheme: str, value: str) -> KeyHolder | None:
    """Return whom a living key belongs to, found by one of its verifiers, or None."""
    row = tx.execute(_HOLDER, {"scheme": scheme, "value": value}).one_or_none()
    return None if row is None else holder_in(row)


def holder_in(row: Row[Any]) -> KeyHolder:
    """Return the holder that a row tells of, in HOLDER_COLUMNS."""
    account = Account(AccountId(row.account_id), row.account, Role(row.role), row.weight)
    machine = Machine(MachineId(row.machine_id), account.id, row.machine, row.last_seen_at)
    return KeyHolder(account, machine, Scope(row.scope), row.suspended_at is not None)


def counts(tx: Tx) -> tuple[int, int]:
    """Return how many accounts and machines there are."""
    accounts = tx.execute(select(func.count()).select_from(schema.accounts)).scalar_one()
    return accounts, tx.execute(select(func.count()).select_from(schema.machines)).scalar_one()


def _account(row: Row[Any]) -> Account:
    return Account(AccountId(row.id), row.name, Role(row.role), row.weight)


def _machine(row: Any) -> Machine:  # noqa: ANN401 -- a row
    return Machine(MachineId(row.id), AccountId(row.account_id), row.name, row.last_seen_at)
