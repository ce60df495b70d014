"""A folder's hands on the farm itself: its flock, machines and browsers, its people and its queue."""

from sheepfold.cli.folder_hands import FolderHands
from sheepfold.farm import backups, browsers, flock, rules
from sheepfold.farm.owner import change_machine
from sheepfold.farm.sight import Viewer
from sheepfold.farm.storage import read_storage
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import BrowserId
from sheepfold.model.flock import SheepId
from sheepfold.protocols.rest import owner, wire
from sheepfold.protocols.rest.alive import alive_list
from sheepfold.protocols.rest.browser_wire import AliveList, BrowserAsked, BrowserOut, FactoryList, FactoryOut
from sheepfold.protocols.rest.browsers import factory_list
from sheepfold.protocols.rest.flock import flock_out, machine_list, sheep_page
from sheepfold.protocols.rest.flock_wire import SheepPage
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
from sheepfold.protocols.rest.storage import storage_out
from sheepfold.protocols.rest.storage_wire import StorageOut


class FolderFarm(FolderHands):
    """What people do with machines and sheep, and owners, or the console, with all the farm."""

    def now(self) -> NowOut:
        """See what the farm does now."""
        return owner.now_out(self._farm, Viewer(self._account))

    def leaders(self, limit: int = 100, after: str = "") -> LeaderList:
        """Return a page of who earned most."""
        return owner.leaders(self._farm, limit, after)

    def people(self, limit: int = 50, after: str = "", search: str = "") -> PeoplePage:
        """Return a page of people by their names, of those alone whose name or address has this in it."""
        return owner.people_page(self._farm, limit, after, search)

    def change_person(self, name: str, *, role: Role | None = None, closed: bool | None = None) -> PersonOut:
        """Give somebody another role, close their account, or open it again."""
        return owner.changed_person(self._farm, self._by, name, PersonChange(role=role, closed=closed))

    def audit(self, limit: int = 50, before: int | None = None) -> AuditPage:
        """Return a page of the audit log, the newest first."""
        return owner.audit_page(self._farm, limit, before)

    def queue(self, limit: int = 200, after: str = "") -> QueueList:
        """Return a page of the queue."""
        return owner.queue_list(self._farm, limit, after)

    def check(self) -> CheckOut:
        """Prove that all that the farm knows agrees."""
        return owner.check_out(self._farm)

    def back_up(self) -> BackupOut:
        """Make a backup into the folder of the farm's settings, unless a house is at it."""
        asked = backups.ask_backup(self._farm, self._by)
        backups.make_next_backup(self._farm)
        return self.backup(asked.id)

    def backups(self, limit: int = 50, before: int | None = None) -> BackupList:
        """Return a page of the backups that were asked for, the newest first."""
        return owner.backup_list(self._farm, limit, before)

    def backup(self, backup_id: int) -> BackupOut:
        """See how far a backup is."""
        return owner.backup_out(backups.view_backup(self._farm, backup_id))

    def storage(self) -> StorageOut:
        """See what lies on the farm's disk, for its owner."""
        return storage_out(read_storage(self._farm, self._account))

    def flock(self, limit: int = 200, after: int | None = None) -> wire.FlockOut:
        """Return a page of the living flock."""
        return flock_out(self._farm, limit, after)

    def sheep(self, generation: int, number: int) -> SheepPage:
        """Look at a sheep."""
        return sheep_page(self._farm, SheepId(generation, number))

    def retire(self, generation: int, number: int) -> SheepPage:
        """Take a sheep out of the flock, a loop with the edges that touch it."""
        flock.retire_sheep(self._farm, self._account, SheepId(generation, number))
        return self.sheep(generation, number)

    def vote(self, number: int, value: int, generation: int | None = None) -> None:
        """Vote for (1) or against (-1) a sheep."""
        flock.vote_as(self._farm, self._account, number, value, generation)

    def machines(self, limit: int = 50, after: str = "") -> wire.MachineList:
        """Return a page of all machines, those heard of last first."""
        return machine_list(self._farm, self._account, limit, after)

    def rules(self, machine: str) -> MachineRules:
        """Return when a machine may work."""
        return MachineRules.of(rules.rules_of(self._farm, self._by, machine))

    def set_rules(self, machine: str, wanted: MachineRules) -> MachineRules:
        """Write when a machine may work."""
        rules.set_rules(self._farm, self._by, machine, wanted.to_model())
        return wanted

    def command(self, machine: str, command: str) -> None:
        """Tell a machine to pause, resume or stop."""
        change_machine(self._farm, self._by, machine, command)

    def factories(self, limit: int = 50, after: str = "") -> FactoryList:
        """Return a page of the machines that have browsers, by name."""
        return factory_list(self._farm, limit, after)

    def alive_browsers(self) -> AliveList:
        """Return the browsers that machines have which are here now, by platform."""
        return alive_list(self._farm)

    def factory(self, machine: str) -> FactoryOut:
        """Return a machine with its browsers."""
        return FactoryOut.of(browsers.view_factory(self._farm, machine))

    def add_browser(self, machine: str, asked: BrowserAsked) -> BrowserOut:
        """Register a browser."""
        program, screen = asked.program(), asked.a_screen()
        return BrowserOut.of(browsers.add_browser(self._farm, self._by, machine, program, asked.platform, screen))

    def remove_browser(self, machine: str, browser_id: int) -> BrowserOut:
        """Remove a browser."""
        return BrowserOut.of(browsers.remove_browser(self._farm, self._by, machine, BrowserId(browser_id)))
