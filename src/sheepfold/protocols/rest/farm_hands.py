"""The REST client's hands on the farm itself: its flock, machines and browsers, and for its owner people and queue."""

from sheepfold.model.accounts import Role
from sheepfold.protocols.rest import wire
from sheepfold.protocols.rest.browser_wire import AliveList, BrowserAsked, BrowserOut, FactoryList, FactoryOut
from sheepfold.protocols.rest.calls import PATIENT, Sent, query_of
from sheepfold.protocols.rest.flock_wire import SheepPage
from sheepfold.protocols.rest.hands import Hands, part
from sheepfold.protocols.rest.machine_wire import MachineRules
from sheepfold.protocols.rest.owner_wire import (
    AuditPage,
    BackupList,
    BackupOut,
    CheckOut,
    LeaderList,
    NowOut,
    PeoplePage,
    PersonChange,
    PersonOut,
    QueueList,
)
from sheepfold.protocols.rest.storage_wire import StorageOut


class FarmHands(Hands):
    """What people do with machines and sheep, and owners with all the farm."""

    def now(self) -> NowOut:
        """See what the farm does now."""
        return self._read("/now", NowOut)

    def leaders(self, limit: int = 100, after: str = "") -> LeaderList:
        """Return a page of who earned most."""
        return self._read("/leaders", LeaderList, query_of({"limit": limit, "after": after or None}))

    def people(self, limit: int = 50, after: str = "", search: str = "") -> PeoplePage:
        """Return a page of people by their names, of those whose name or address has this in it; for the owner."""
        asked = {"limit": limit, "after": after or None, "search": search or None}
        return self._read("/people", PeoplePage, query_of(asked))

    def change_person(self, name: str, *, role: Role | None = None, closed: bool | None = None) -> PersonOut:
        """Give somebody another role, close their account, or open it again, for the owner."""
        body = PersonChange(role=role, closed=closed).model_dump(mode="json", exclude_none=True)
        return self._calls.ask("PATCH", f"/people/{part(name)}", PersonOut, Sent(json=body))

    def audit(self, limit: int = 50, before: int | None = None) -> AuditPage:
        """Return a page of the audit log, the newest first, for the owner."""
        return self._read("/audit", AuditPage, query_of({"limit": limit, "before": before}))

    def queue(self, limit: int = 200, after: str = "") -> QueueList:
        """Return a page of the queue, for the owner."""
        return self._read("/queue", QueueList, query_of({"limit": limit, "after": after or None}))

    def check(self) -> CheckOut:
        """Prove that all that the farm knows agrees, for the owner."""
        return self._calls.ask("POST", "/check", CheckOut, Sent(timeout=PATIENT))

    def back_up(self) -> BackupOut:
        """Have the farm back itself up into the folder of its settings, for the owner; it is made meanwhile."""
        return self._calls.again(lambda: self._calls.ask("POST", "/backups", BackupOut))

    def backups(self, limit: int = 50, before: int | None = None) -> BackupList:
        """Return a page of the backups that were asked for, the newest first, for the owner."""
        return self._read("/backups", BackupList, query_of({"limit": limit, "before": before}))

    def backup(self, backup_id: int) -> BackupOut:
        """See how far a backup is, for the owner."""
        return self._read(f"/backups/{backup_id}", BackupOut)

    def storage(self) -> StorageOut:
        """See what lies on the farm's disk, for its owner."""
        return self._calls.ask("GET", "/storage", StorageOut)

    def flock(self, limit: int = 200, after: int | None = None) -> wire.FlockOut:
        """Return a page of the living flock."""
        return self._read("/flock", wire.FlockOut, query_of({"limit": limit, "after": after}))

    def sheep(self, generation: int, number: int) -> SheepPage:
        """Look at a sheep."""
        return self._read(f"/flock/{generation}/{number}", SheepPage)

    def retire(self, generation: int, number: int) -> SheepPage:
        """Take a sheep of this account out of the flock, for the owner any; a loop with the edges that touch it."""
        return self._calls.ask("DELETE", f"/flock/{generation}/{number}", SheepPage)

    def vote(self, number: int, value: int, generation: int | None = None) -> None:
        """Vote for (1) or against (-1) a sheep."""
        body = {"value": value} | ({} if generation is None else {"generation": generation})
        self._calls.tell("POST", f"/flock/{number}/votes", Sent(json=body))

    def machines(self, limit: int = 50, after: str = "") -> wire.MachineList:
        """Return a page of all machines, those heard of last first."""
        return self._read("/machines", wire.MachineList, query_of({"limit": limit, "after": after or None}))

    def rules(self, machine: str) -> MachineRules:
        """Return when a machine of this account may work."""
        return self._calls.again(lambda: self._calls.ask("GET", f"/machines/{part(machine)}/rules", MachineRules))

    def set_rules(self, machine: str, rules: MachineRules) -> MachineRules:
        """Write when a machine of this account may work."""
        return self._calls.ask("PUT", f"/machines/{part(machine)}/rules", MachineRules, Sent(json=rules.model_dump()))

    def command(self, machine: str, command: str) -> None:
        """Tell a machine of this account to pause, resume or stop."""
        self._calls.tell("POST", f"/machines/{part(machine)}/commands", Sent(json={"command": command}))

    def factories(self, limit: int = 50, after: str = "") -> FactoryList:
        """Return a page of the machines that have browsers, by name."""
        return self._read("/browsers", FactoryList, query_of({"limit": limit, "after": after or None}))

    def alive_browsers(self) -> AliveList:
        """Return the browsers that machines have which are here now, by platform."""
        return self._read("/browsers/alive", AliveList)

    def factory(self, machine: str) -> FactoryOut:
        """Return a machine with its browsers; `self` is the key's own."""
        return self._read(f"/machines/{part(machine)}/browsers", FactoryOut)

    def add_browser(self, machine: str, asked: BrowserAsked) -> BrowserOut:
        """Register a browser."""
        sent = Sent(json=asked.model_dump(mode="json", exclude_none=True))
        return self._calls.ask("POST", f"/machines/{part(machine)}/browsers", BrowserOut, sent)

    def remove_browser(self, machine: str, browser_id: int) -> BrowserOut:
        """Remove a browser."""
        return self._calls.ask("DELETE", f"/machines/{part(machine)}/browsers/{browser_id}", BrowserOut)
