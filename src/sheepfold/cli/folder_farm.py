"""A folder's hands on the farm itself: its flock, machines and browsers, its people and its queue."""

from sheepfold.cli.folder_hands import FolderHands
from sheepfold.farm import browsers, flock, rules
from sheepfold.farm.owner import change_machine
from sheepfold.farm.sight import Viewer
from sheepfold.farm.storage import read_storage
from sheepfold.model.accounts import Role
from sheepfold.model.browsers import BrowserId
from sheepfold.model.flock import SheepId
from sheepfold.protocols.rest import owner, wire
from sheepfold.protocols.rest.browser_wire import BrowserAsked, BrowserOut, FactoryOut
from sheepfold.protocols.rest.flock import flock_out, machine_list, sheep_page
from sheepfold.protocols.rest.flock_wire import SheepPage
from sheepfold.protocols.rest.machine_wire import MachineRules
from sheepfold.protocols.rest.owner_wire import (
    AuditPage,
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

    def leaders(self, limit: int = 100) -> LeaderList:
        """See who earned most."""
        return owner.leaders(self._farm, limit)

    def people(self, limit: int = 50, after: str = "") -> PeoplePage:
        """Return a page of people by their names."""
        return owner.people_page(self._farm, limit, after)

    def change_person(self, name: str, *, role: Role | None = None, closed: bool | None = None) -> PersonOut:
        """Give somebody another role, close their account, or open it again."""
        return owner.changed_person(self._farm, self._by, name, PersonChange(role=role, closed=closed))

    def audit(self, limit: int = 50, before: int | None = None) -> AuditPage:
        """Return a page of the audit log, the newest first."""
        return owner.audit_page(self._farm, limit, before)

    def queue(self) -> QueueList:
        """See the queue."""
        return owner.queue_list(self._farm)

    def check(self) -> CheckOut:
        """Prove that all that the farm knows agrees."""
        return owner.check_out(self._farm)

    def back_up(self) -> BackupOut:
        """Write a backup into the folder of the farm's settings."""
        return owner.backed_up(self._farm, self._by)

    def storage(self) -> StorageOut:
        """See what lies on the farm's disk, for its owner."""
        return storage_out(read_storage(self._farm, self._account))

    def flock(self) -> wire.FlockOut:
        """Return the living flock."""
        return flock_out(self._farm)

    def sheep(self, generation: int, number: int) -> SheepPage:
        """Look at a sheep."""
        return sheep_page(self._farm, SheepId(generation, number))

    def vote(self, number: int, value: int, generation: int | None = None) -> None:
        """Vote for (1) or against (-1) a sheep."""
        flock.vote(self._farm, number, self._account.name, value, generation)

    def machines(self) -> list[wire.MachineOut]:
        """Return all machines, those heard of last first."""
        return machine_list(self._farm, self._account).machines

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

    def factories(self) -> list[FactoryOut]:
        """Return all machines that have browsers."""
        return [FactoryOut.of(one) for one in browsers.list_factories(self._farm)]

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
