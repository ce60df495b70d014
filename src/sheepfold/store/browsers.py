"""Rows of screenshot factories: their browsers and screens, and the nonces that they prove themselves with."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from sheepfold.model.accounts import AccountId, Scope
from sheepfold.model.browsers import BrowserId, BrowserProgram, Factory, Registered, Screen
from sheepfold.model.errors import NotFound, UnknownMachine
from sheepfold.model.machines import Machine, MachineId
from sheepfold.store.accounts import machine_among, machine_asked
from sheepfold.store.database import Question, Tx

_ENSURE = text("""
    INSERT INTO factories (machine_id, platform) VALUES (:machine_id, :platform)
    ON CONFLICT (machine_id) DO UPDATE SET platform = excluded.platform
""")
# by pk_factories
_FACTORY = text("""
    SELECT platform, polled_at, uploaded_at, queue_estimate_s FROM factories WHERE machine_id = :machine_id
""")
_NAME = text("SELECT name FROM machines WHERE id = :machine_id")
_BROWSER_COLUMNS = """
    SELECT id, machine_id, name, version, user_agent, command, javascript, java, flash, added_at, uploaded_at,
           failed_at, fault
    FROM browsers
"""
# by ix_browsers_machine_id
_BROWSERS = text(_BROWSER_COLUMNS + " WHERE machine_id = :machine_id ORDER BY id")
_SCREEN_COLUMNS = "SELECT machine_id, width, height, bpp FROM screens"
_SCREEN_ORDER = " ORDER BY width, height, bpp"
_SCREENS = text(_SCREEN_COLUMNS + " WHERE machine_id = :machine_id" + _SCREEN_ORDER)
# SQLite takes the tables of a CROSS JOIN as they stand: machines are many, and few of them factories
_FACTORIES = """
    SELECT m.id, m.account_id, m.name, m.last_seen_at, f.platform, f.polled_at, f.uploaded_at, f.queue_estimate_s
    FROM factories f CROSS JOIN machines m WHERE m.id = f.machine_id AND {which} ORDER BY m.name
"""
_PAGE = text(_FACTORIES.format(which="m.name > :after") + " LIMIT :limit")
# of those that asked for work since then: by ix_browsers_machine_id, pk_screens
_ACTIVE = text(_FACTORIES.format(which="f.polled_at > :since"))
_OF_ACTIVE = " WHERE machine_id IN (SELECT f.machine_id FROM factories f WHERE f.polled_at > :since)"
_BROWSERS_OF_ACTIVE = text(_BROWSER_COLUMNS + _OF_ACTIVE + " ORDER BY id")
_SCREENS_OF_ACTIVE = text(_SCREEN_COLUMNS + _OF_ACTIVE + _SCREEN_ORDER)
_ALL = text(_FACTORIES.format(which="1 = 1"))
_BROWSERS_OF_ALL = text(_BROWSER_COLUMNS + " ORDER BY id")
_SCREENS_OF_ALL = text(_SCREEN_COLUMNS + _SCREEN_ORDER)


def ensure_factory(tx: Tx, machine_id: MachineId, platform: str) -> None:
    """Make a machine a factory of a platform, or set the platform of one."""
    tx.execute(_ENSURE, {"machine_id": machine_id, "platform": platform})


def factory_of(tx: Tx, machine: Machine) -> Factory:
    """Return a machine as a factory; one that has no browser is a factory of none."""
    return factory_in(machine, *tx.read_together(*factory_asked(machine.id)))


def factory_asked(machine_id: MachineId) -> tuple[Question, ...]:
    """Return the three questions that `factory_in` reads the answers of, to be asked along with others."""
    asked = {"machine_id": machine_id}
    return (_FACTORY, asked), (_BROWSERS, asked), (_SCREENS, asked)


def factory_in(machine: Machine, rows: Sequence[Any], browsers: Sequence[Any], screens: Sequence[Any]) -> Factory:
    """Return the factory that rows tell of."""
    if not rows:
        return Factory(machine)
    row = rows[0]
    return Factory(
        machine,
        row.platform,
        tuple(_registered(one) for one in browsers),
        tuple(Screen(one.width, one.height, one.bpp) for one in screens),
        row.polled_at,
        row.uploaded_at,
        row.queue_estimate_s,
    )


def machine_name(tx: Tx, machine_id: MachineId) -> str:
    """Return the name of a machine that some row names."""
    return str(tx.execute(_NAME, {"machine_id": machine_id}).scalar_one())


def list_factories(tx: Tx, polled_since: int | None = None) -> list[Factory]:
    """Return all factories by name, or those that asked for work since then; many with as few statements as one."""
    since = {} if polled_since is None else {"since": polled_since}
    queries = (_ALL, _BROWSERS_OF_ALL, _SCREENS_OF_ALL) if polled_since is None else (
        _ACTIVE, _BROWSERS_OF_ACTIVE, _SCREENS_OF_ACTIVE)
    rows, browsers, screens = tx.read_together(*((query, since) for query in queries))
    browsers_of, screens_of = _by_machine(browsers), _by_machine(screens)
    return [factory_in(_machine(row), [row], browsers_of[row.id], screens_of[row.id]) for row in rows]


def page_of_factories(tx: Tx, limit: int, after: str) -> list[Factory]:
    """Return factories by name, those after a name."""
    return [factory_of(tx, _machine(row)) for row in tx.execute(_PAGE, {"limit": limit, "after": after})]


def _machine(row: Any) -> Machine:  # noqa: ANN401 -- a row
    return Machine(MachineId(row.id), AccountId(row.account_id), row.name, row.last_seen_at)


def _by_machine(rows: Iterable[Any]) -> Mapping[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[row.machine_id].append(row)
    return found


_ADD_BROWSER = text("""
    INSERT INTO browsers (machine_id, name, version, user_agent, command, javascript, java, flash, added_at)
    VALUES (:machine_id, :name, :version, :user_agent, :command, :javascript, :java, :flash, :now) RETURNING id
""")
_SET_BROWSER = text("""
    UPDATE browsers SET name = :name, version = :version, user_agent = :user_agent, command = :command,
                        javascript = :javascript, java = :java, flash = :flash
    WHERE id = :id
""")
_REMOVE_BROWSER = text("DELETE FROM browsers WHERE id = :id AND machine_id = :machine_id")
_ADD_SCREEN = text("""
    INSERT INTO screens (machine_id, width, height, bpp) VALUES (:machine_id, :width, :height, :bpp)
    ON CONFLICT DO NOTHING
""")
_FAILED = text("UPDATE browsers SET failed_at = :now, fault = :fault WHERE id = :id")
_POLLED = text("UPDATE factories SET polled_at = :now WHERE machine_id = :machine_id")
_SEEN = text("UPDATE machines SET last_seen_at = :now WHERE id = :machine_id")
_UPLOADED = text("""
    UPDATE factories SET uploaded_at = :now, queue_estimate_s = COALESCE(:estimate_s, queue_estimate_s)
    WHERE machine_id = :machine_id
""")
_BROWSER_UPLOADED = text("UPDATE browsers SET uploaded_at = :now, failed_at = NULL, fault = '' WHERE id = :id")


def add_browser(tx: Tx, machine_id: MachineId, program: BrowserProgram, now: int) -> BrowserId:
    """Add a browser to a factory; returns its id."""
    return BrowserId(tx.execute(_ADD_BROWSER, _values(program) | {"machine_id": machine_id, "now": now}).scalar_one())


def set_browser(tx: Tx, browser_id: BrowserId, program: BrowserProgram) -> None:
    """Change what a browser is."""
    tx.execute(_SET_BROWSER, _values(program) | {"id": browser_id})


def remove_browser(tx: Tx, machine_id: MachineId, browser_id: BrowserId) -> None:
    """Remove a browser of a factory; raises NotFound."""
    if not tx.execute(_REMOVE_BROWSER, {"id": browser_id, "machine_id": machine_id}).rowcount:
        raise NotFound(f"This machine has no browser {browser_id}.")


def add_screen(tx: Tx, machine_id: MachineId, screen: Screen) -> None:
    """Add a size and depth to a factory; the same again changes nothing."""
    tx.execute(_ADD_SCREEN, {"machine_id": machine_id, "width": screen.width, "height": screen.height,
                             "bpp": screen.bpp})


def block_browser(tx: Tx, browser_id: BrowserId, fault: str, now: int) -> None:
    """Note that a browser failed."""
    tx.later(_FAILED, {"id": browser_id, "fault": fault, "now": now})


def note_poll(tx: Tx, machine_id: MachineId, now: int) -> None:
    """Note that a factory asked for work."""
    tx.later(_POLLED, {"machine_id": machine_id, "now": now})
    tx.later(_SEEN, {"machine_id": machine_id, "now": now})


def note_upload(tx: Tx, machine_id: MachineId, browser_id: BrowserId, now: int, estimate_s: int | None) -> None:
    """Note that a factory's browser made a screenshot; `estimate_s` is how long that order had waited for it."""
    tx.later(_UPLOADED, {"machine_id": machine_id, "now": now, "estimate_s": estimate_s})
    tx.later(_BROWSER_UPLOADED, {"id": browser_id, "now": now})


def _values(program: BrowserProgram) -> dict[str, Any]:
    return {name: getattr(program, name) for name in BrowserProgram.__slots__}


def _registered(row: Any) -> Registered:  # noqa: ANN401 -- a row
    program = BrowserProgram(row.name, row.version, row.user_agent, row.command, row.javascript, row.java, row.flash)
    return Registered(BrowserId(row.id), MachineId(row.machine_id), program, row.added_at, row.uploaded_at,
                      row.failed_at, row.fault)


@dataclass(frozen=True, slots=True)
class NonceRow:
    """A nonce that was given out: to which address, when, and as one of which network."""

    nonce: str
    address: str
    issued_at: int
    network: str = ""


@dataclass(frozen=True, slots=True)
class Nearest:
    """Which nonces are looked through: the newest of a network, so many, and the newest of all, as many."""

    network: str
    limit: int


@dataclass(frozen=True, slots=True)
class ProofRow:
    """What a key can be proved by on a wire of nonces: the digest that client and farm share."""

    inner: str
    scope: Scope


_ADD_NONCE = text("""
    INSERT INTO nonces (nonce, owner, owner_id, address, network, issued_at)
    VALUES (:nonce, :owner, :owner_id, :address, :network, :now)
""")
# by uq_machines_name; whose the machine is stands in the answer
_ADD_NONCE_OF_NAMED = text("""
    INSERT INTO nonces (nonce, owner, owner_id, address, network, issued_at)
    SELECT :nonce, 'machine', m.id, :address, :network, :now FROM machines m WHERE m.name = :name
    RETURNING (SELECT a.name FROM machines o JOIN accounts a ON a.id = o.account_id WHERE o.id = owner_id) AS account
""")
# by ix_nonces_owner_owner_id_network_issued_at, ix_nonces_owner_owner_id_issued_at
_NONCES = text("""
    SELECT nonce, address, issued_at FROM (
        SELECT nonce, address, issued_at FROM nonces
        WHERE owner = :owner AND owner_id = :owner_id AND network = :network ORDER BY issued_at DESC LIMIT :limit
    ) AS own_1
    UNION SELECT nonce, address, issued_at FROM (
        SELECT nonce, address, issued_at FROM nonces
        WHERE owner = :owner AND owner_id = :owner_id ORDER BY issued_at DESC LIMIT :limit
    ) AS all_1
""")
_NAMED = "(SELECT id FROM machines WHERE name = :name)"
_NONCES_OF_NAMED = text(_NONCES.text.replace(":owner_id", _NAMED).replace(":owner", "'machine'"))
_DROP_NONCE = text("DELETE FROM nonces WHERE nonce = :nonce")
# by ix_nonces_issued_at
_SWEEP_NONCES = text("DELETE FROM nonces WHERE issued_at < :before")
# by ix_machine_keys_machine_id, ix_key_verifiers_key_id
_PROOFS_OF_MACHINE = text("""
    SELECT v.scheme, v.value, k.scope FROM machine_keys k JOIN key_verifiers v ON v.key_id = k.id
    WHERE k.machine_id = :owner_id AND k.revoked_at IS NULL ORDER BY k.id DESC
""")
_PROOFS_OF_NAMED = text(_PROOFS_OF_MACHINE.text.replace(":owner_id", _NAMED))
_PROOFS_OF_ACCOUNT = text("""
    SELECT v.scheme, v.value, k.scope FROM machines m
    JOIN machine_keys k ON k.machine_id = m.id AND k.revoked_at IS NULL JOIN key_verifiers v ON v.key_id = k.id
    WHERE m.account_id = :owner_id ORDER BY k.id DESC
""")


def add_nonce(tx: Tx, owner: str, owner_id: int, nonce: NonceRow) -> None:
    """Keep a nonce; `owner` says whose id the other one is: a machine's or an account's."""
    tx.execute(_ADD_NONCE, {"nonce": nonce.nonce, "owner": owner, "owner_id": owner_id, "address": nonce.address,
                            "network": nonce.network, "now": nonce.issued_at})


def add_nonce_of_machine(tx: Tx, machine: str, nonce: NonceRow) -> str:
    """Keep a nonce of the machine of a name, and return the name of whose that is; raises UnknownMachine."""
    values = {"nonce": nonce.nonce, "name": machine, "address": nonce.address, "network": nonce.network,
              "now": nonce.issued_at}
    account = tx.execute(_ADD_NONCE_OF_NAMED, values).scalar_one_or_none()
    if account is None:
        raise UnknownMachine(f"There is no machine {machine!r}.")
    return str(account)


@dataclass(frozen=True, slots=True)
class Door:
    """What an owner may come in by: the newest nonces that it was given, and what its living keys are proved by."""

    nonces: Sequence[NonceRow]
    proofs: Sequence[ProofRow]


def door_of_machine(tx: Tx, name: str, near: Nearest, schemes: Iterable[str]) -> tuple[Machine, Door]:
    """Return the machine of a name with its door; raises UnknownMachine."""
    wanted = {"name": name, "network": near.network, "limit": near.limit}
    machines, nonces, proofs = tx.read_together(
        machine_asked(name), (_NONCES_OF_NAMED, wanted), (_PROOFS_OF_NAMED, {"name": name}))
    return machine_among(machines, name), _door(nonces, proofs, schemes)


def door_of(tx: Tx, owner: str, owner_id: int, near: Nearest, schemes: Iterable[str]) -> Door:
    """Return the door of a machine or an account, by its id."""
    proofs = _PROOFS_OF_MACHINE if owner == "machine" else _PROOFS_OF_ACCOUNT
    wanted = {"owner": owner, "owner_id": owner_id, "network": near.network, "limit": near.limit}
    nonces, keys = tx.read_together((_NONCES, wanted), (proofs, {"owner_id": owner_id}))
    return _door(nonces, keys, schemes)


def _door(nonces: Sequence[Any], proofs: Sequence[Any], schemes: Iterable[str]) -> Door:
    wanted = set(schemes)
    return Door([NonceRow(row.nonce, row.address, row.issued_at) for row in nonces],
                [ProofRow(row.value, Scope(row.scope)) for row in proofs if row.scheme in wanted])


def drop_nonce(tx: Tx, nonce: str) -> bool:
    """Use a nonce up; False where somebody else just did."""
    return tx.execute(_DROP_NONCE, {"nonce": nonce}).rowcount > 0


def sweep_nonces(tx: Tx, before: int) -> int:
    """Forget nonces that were given out before a time; returns how many."""
    return tx.execute(_SWEEP_NONCES, {"before": before}).rowcount
