"""A farm on which a request finds something: jobs of each kind, people, and machines of all wires at work.

What requests use up (a lease, a nonce, an account that wants to be forgotten) is made when it is asked for, so that
there is always some, whatever the requests before have done.
"""

import hashlib
import io
import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sheepfold.blobs.spool import Spool
from sheepfold.config import Settings
from sheepfold.farm import browse, flock, nonces, people, shots, sight, teams, webhooks
from sheepfold.farm.accounts import NewKey, add_key, hash_password, key_verifier
from sheepfold.farm.archives import ensure_archive
from sheepfold.farm.browsers import add_browser
from sheepfold.farm.chores import do_next_chore
from sheepfold.farm.dispatch import Assignment, Maker, claim_task, maker_named, open_session
from sheepfold.farm.farm import Farm
from sheepfold.farm.intake import submit_result
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.renderers import BLENDER, Target, add_local
from sheepfold.farm.upkeep import expire_leases
from sheepfold.kinds.blender.home import VARIABLE
from sheepfold.kinds.screenshot.spec import views
from sheepfold.model.accounts import Account, Role, Scope
from sheepfold.model.browsers import BrowserProgram
from sheepfold.model.errors import LeaseNotHeld, MachineSuspended
from sheepfold.model.flock import SheepId
from sheepfold.model.jobs import Job, JobId, JobState
from sheepfold.model.machines import Machine as MachineRow
from sheepfold.model.matching import Abilities, Program
from sheepfold.model.notices import Form
from sheepfold.model.tasks import TaskId
from sheepfold.protocols.browsershots.credentials import Algorithm, encrypt, inner_digest, salt_for
from sheepfold.protocols.electricsheep.endpoints import machine_name
from sheepfold.protocols.rest import wire
from sheepfold.protocols.sheepit.sessions import Told
from sheepfold.protocols.sheepit.wire import Era
from sheepfold.store import accounts as account_rows
from sheepfold.store import people as people_rows

ENVIRONMENT = {VARIABLE: "/nonexistent/python"}
"""What the environment must say: projects are looked into, and not opened."""
PASSWORD = "a password of somebody"
ADDRESS = "127.0.0.1"
PAGE = f"http://{ADDRESS}/"
USER_AGENT = "Mozilla/5.0 (X11; U; Linux i686; en-US; rv:1.9) Gecko/2008061015 Firefox/3.0"
GENOME = Path(__file__).parents[2] / "tests" / "genomes" / "r1.flam3"
BLEND = b"BLENDER-v402RENDH" + bytes(100)
FLAME = {"frames": 200, "width": 64, "height": 48, "quality": 1, "temporal_samples": 1}
VIEWS = {"url": PAGE, "browsers": ["Firefox"]}
_MANY: dict[str, dict[str, Any]] = {
    "flame": FLAME, "blender": {"width": 64, "height": 48, "frames": "1-500"},
    "screenshot": VIEWS | {"widths": list(range(320, 520))}}  # fmt: skip
_FEW: dict[str, dict[str, Any]] = {
    "blender": {"width": 64, "height": 48, "frames": "1-2"}, "screenshot": VIEWS | {"widths": [640]}}
ABLE = Abilities(
    kinds=frozenset({"blender", "flame", "screenshot"}), memory_mib=2**20, platform="linux",
    renderers=frozenset({Program("flam3", "3.1.1"), Program(BLENDER, "4.5")}),
    browsers=frozenset({Program("Firefox", "3.0")}))  # fmt: skip
ABLE_TEXT = wire.Abilities.of(ABLE).model_dump_json()
_TOLD = Told(Era.B, "linux", 64, ram_kib=24_903_680, cpu_cores=1).to_text()
_KINDS = {"sheepit": "blender", "electricsheep": "flame", "browsershots": "screenshot"}
_OFTEN = 40
"""How often a machine is used before another one comes in its place."""


class Clock:
    """A farm's clock, moved on by hand: tries and letters are counted by ten minutes."""

    def __init__(self) -> None:
        self._now = 2_100_000_000  # in 2036: the files that a farm writes are older

    def __call__(self) -> int:
        """Return what time it is."""
        return self._now

    def advance(self, seconds: int) -> None:
        """Let time pass."""
        self._now += seconds


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a key that opens all of their account, and with a browser that is signed in."""

    account: Account
    key: NewKey
    cookie: str

    @property
    def name(self) -> str:
        """The account's name."""
        return self.account.name


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine on a wire: its key, and the token of its session; one of Electric Sheep has a UID for both."""

    name: str
    maker: Maker
    key: str = ""
    token: str = ""


def furnished_settings(folder: Path, **changed: Any) -> Settings:  # noqa: ANN401 -- whatever a setting may be
    """Return settings under which nothing is asked of any network, and nobody waits."""
    usual: dict[str, Any] = {
        "claim_wait_limit_s": 0, "inspection_processes": 1, "backup_folder": str(folder / "backups"),
        "screenshot_allowed_ranges": ("127.0.0.0/8",), "screenshot_obey_robots": False, "screenshot_site_limit": 0,
        "screenshot_domain_limit": 0, "screenshot_account_limit": 0, "webhook_allowed_ranges": ("127.0.0.0/8",),
        "browsershots_load_limit": 0.0, "ready_needs_house": False, "sign_up": "invitation",
    }  # fmt: skip
    return Settings(folder, **usual | changed)


class Furnished:
    """A farm and what is on it. Its clock is `clock`; `turn` lets time pass, and everybody come anew."""

    def __init__(self, farm: Farm, clock: Clock) -> None:
        self.farm, self.clock = farm, clock
        self._numbers = itertools.count(1)
        self._password_hash = hash_password(PASSWORD)
        self._machines: dict[str, tuple[Machine, int]] = {}
        self._spare: dict[str, Job] = {}
        self.folder = farm.settings.data / "orders"
        self.folder.mkdir()
        (self.folder / "scene.blend").write_bytes(BLEND)
        add_local(farm, Target("4.5"))
        self.owner = self.person(Role.OWNER)
        self.passer = self.person()
        self.team = teams.make_team(farm, self.owner.account, "the-shepherds").name
        self.flame = self._made(FLAME | {"frames": 3}, "flame")
        self.again = self._made(FLAME | {"frames": 3}, "flame")
        self.sheep = self.sheep_of(self.flame.id)
        self.page = self._made(VIEWS | {"baseline": "home"}, "screenshot")
        self.product = browse.view_job(farm, self.flame.id).products[0].name
        self.tasks = [task.id for task in browse.view_job(farm, self.flame.id).tasks]
        self.tasks_again = [task.id for task in browse.view_job(farm, self.again.id).tasks]
        self.finisher = self._finisher()
        self.hashkey = self._shot()

    def turn(self) -> None:
        """Let ten minutes pass, and everybody come anew: new keys, browsers, machines and a new passer-by."""
        self.clock.advance(601)
        expire_leases(self.farm)
        for hook in webhooks.list_webhooks(self.farm, self.owner.account)[3:]:
            webhooks.remove_webhook(self.farm, self.owner.account, hook.id)
        self.owner = self._signed_in(self.owner.account)
        self.passer = self.person()
        self._machines.clear()

    # --- people

    def number(self) -> int:
        """Return a number that nothing has yet."""
        return next(self._numbers)

    def person(self, role: Role = Role.ARTIST) -> Person:
        """Add somebody; their password is PASSWORD."""
        name, farm = f"person{self.number()}", self.farm
        account = farm.db.write(lambda tx: account_rows.add_account(tx, name, role, self._password_hash, farm.now()))
        return self._signed_in(account)

    def member(self) -> tuple[Person, Person, str]:
        """Return the leader of a team, a member of it, and its name."""
        leader, member = self.person(), self.person()
        team = teams.make_team(self.farm, leader.account, f"team{self.number()}").name
        teams.join(self.farm, member.account, teams.invite(self.farm, leader.account, team))
        return leader, member, team

    def ticket(self, purpose: str, person: Person) -> str:
        """Return the code of a letter that went to somebody."""
        code, now = f"code{self.number()}", self.farm.now()
        self.farm.db.write(lambda tx: people_rows.add_ticket(tx, key_verifier(code), purpose, person.account.id, "",
                                                             (now, now + 600)))
        return code

    def share(self) -> str:
        """Return a link to a job; of old ones there are not many."""
        if sight.count_shares(self.farm, self.flame.id) > 10:
            sight.revoke_shares(self.farm, self.owner.account, self.flame.id)
        return sight.share_job(self.farm, self.owner.account, self.flame.id)

    def hook(self) -> int:
        """Return a webhook of the owner's."""
        hooks = webhooks.list_webhooks(self.farm, self.owner.account)
        if len(hooks) > 3:
            return hooks[-1].id
        return webhooks.add_webhook(self.farm, self.owner.account, webhooks.Wanted(PAGE, Form.JSON, ())).id

    def _signed_in(self, account: Account) -> Person:
        key = add_key(self.farm, account.name, f"desk{self.number()}", Scope.MANAGE)
        return Person(account, key, people.open_web_session(self.farm, account, "a browser"))

    # --- machines and their work

    def machine(self, protocol: str) -> Machine:
        """Return a machine of a wire, a new one from time to time."""
        known, left = self._machines.get(protocol, (None, 0))
        machine = known if known is not None and left else self.new_machine(protocol)
        self._machines[protocol] = machine, (left or _OFTEN) - 1
        return machine

    def new_machine(self, protocol: str) -> Machine:
        """Return a machine that has done nothing yet."""
        number = self.number()
        if protocol == "electricsheep":
            uid = f"{number:X}"
            known = maker_named(self.farm, self.farm.anonymous.id, machine_name(uid), protocol)
            return Machine(uid, replace(known, is_proven=False))
        made = add_key(self.farm, self.owner.name, f"box{number}", Scope.WORK)
        maker = Maker(made.machine.id, made.account.id, protocol)
        if protocol == "browsershots":
            add_browser(self.farm, None, made.machine.name,
                        BrowserProgram("Firefox", "3.0", USER_AGENT, "firefox"), "linux")
            return Machine(made.machine.name, maker, made.key)
        told = _TOLD if protocol == "sheepit" else ABLE_TEXT
        token = open_session(self.farm, maker, told, key_verifier(made.key))
        return Machine(made.machine.name, maker, made.key, token)

    def lease(self, protocol: str, kind: str = "") -> tuple[Machine, Assignment]:
        """Return a machine of a wire and what it shall make; raises AssertionError where it gets nothing at all."""
        for _ in range(20):
            machine = self.machine(protocol)
            with suppress(MachineSuspended):
                granted = self._claimed(machine, protocol, kind or _KINDS[protocol])
                if granted is not None:
                    return machine, granted
            del self._machines[protocol]
        raise AssertionError(f"There is no work for a machine of {protocol}.")

    def _claimed(self, machine: Machine, protocol: str, kind: str) -> Assignment | None:
        able = replace(ABLE, kinds=frozenset({kind}), protocol=protocol)
        granted = claim_task(self.farm, machine.maker, able, 3600)
        if granted is None:
            self._order(_MANY[kind], kind)
            granted = claim_task(self.farm, machine.maker, able, 3600)
        if granted is None or (protocol == "electricsheep" and flock.find_sheep(self.farm, granted.job.id) is None):
            return None
        return granted

    def sheep_of(self, job_id: JobId) -> SheepId:
        """Return the sheep that a job is."""
        found = flock.find_sheep(self.farm, job_id)
        if found is None:
            raise AssertionError(f"Job {job_id} is no sheep.")
        return found

    def lamb(self) -> SheepId:
        """Return a new sheep, without a film, that may be retired."""
        return self.sheep_of(self._order(FLAME | {"frames": 1}, "flame").id)

    def archive(self, job: Job) -> str:
        """Return the digest of a project's archive."""
        return ensure_archive(self.farm, job).digest

    def visited(self) -> tuple[Machine, TaskId, tuple[int, int]]:
        """Return a factory, the request that its browser has loaded the page of, and the size of its picture."""
        for _ in range(20):
            machine, task_id, size = self.polled()
            proof = self.proof(machine)
            with suppress(LeaseNotHeld):
                shots.visit(self.farm, machine.maker, self._row(machine), task_id, (USER_AGENT, proof))
                return machine, task_id, size
        raise AssertionError("No factory's browser is let in.")

    def polled(self) -> tuple[Machine, TaskId, tuple[int, int]]:
        """Return a factory, a request that it has, and the size of its picture."""
        machine, granted = self.lease("browsershots")
        return machine, granted.task_id, size_of(granted)

    def proof(self, machine: Machine) -> str:
        """Return a factory's encrypted password, which works once."""
        nonce, account = nonces.issue_nonce_to_machine(self.farm, machine.name, ADDRESS)
        return encrypt(inner_digest(Algorithm.SHA1, salt_for(Algorithm.SHA1, account), machine.key), nonce)

    def proof_of_owner(self) -> str:
        """Return the owner's encrypted password on Browsershots' wire, which works once."""
        nonce = nonces.issue_nonce(self.farm, self.owner.account.id, ADDRESS)
        salt = salt_for(Algorithm.SHA1, self.owner.name)
        return encrypt(inner_digest(Algorithm.SHA1, salt, self.owner.key.key), nonce)

    def _row(self, machine: Machine) -> MachineRow:
        return self.farm.db.read(lambda tx: account_rows.machine_named(tx, machine.name))

    # --- jobs

    def spare(self, kind: str = "screenshot") -> Job:
        """Return a running job of the owner's that may be changed and canceled."""
        known = self._spare.get(kind)
        if known is None or browse.view_job(self.farm, known.id).job.state is not JobState.RUNNING:
            self._spare[kind] = self._order(_FEW[kind], kind)
        return self._spare[kind]

    def _order(self, spec: dict[str, Any], kind: str) -> Job:
        inputs = {"flame": {"genome": GENOME}, "blender": {"project": self.folder / "scene.blend"}}.get(kind, {})
        return order_job(self.farm, self.owner.account, Order(kind, spec, inputs, "a job"))

    def _made(self, spec: dict[str, Any], kind: str) -> Job:
        """Return a job that is done, with all that the house makes of it."""
        job, machine = self._order(spec, kind), self.new_machine("rest")
        while browse.view_job(self.farm, job.id).job.state is JobState.RUNNING:
            granted = self._claimed(machine, "rest", kind)
            if granted is None:
                raise AssertionError(f"A new job of {kind} has no work.")
            self._deliver(machine, granted)
        with ThreadPoolExecutor(1) as executor:
            while do_next_chore(self.farm, executor):
                pass
        return browse.view_job(self.farm, job.id).job

    def _deliver(self, machine: Machine, granted: Assignment) -> None:
        body = picture(*size_of(granted), self.number())
        with Spool(self.farm.spool_folder, len(body)) as spool:
            spool.write(body)
            submit_result(self.farm, granted.held_by(machine.maker), spool.finish(), {"seconds": 1})

    def _finisher(self) -> Machine:
        """Return a SheepIt client that has made a frame."""
        machine, granted = self.lease("sheepit")
        self._deliver(machine, granted)
        del self._machines["sheepit"]
        return machine

    def _shot(self) -> str:
        """Return the name of a screenshot that a factory made."""
        machine, task_id, size = self.visited()
        body = picture(*size, self.number())
        with Spool(self.farm.spool_folder, len(body)) as spool:
            spool.write(body)
            return shots.deliver(self.farm, machine.maker, task_id, spool.finish()).hashkey


def size_of(granted: Assignment) -> tuple[int, int]:
    """Return the size in pixels of the picture that a task wants."""
    spec = granted.job.spec
    if granted.job.kind == "screenshot":
        width = views(spec)[granted.frame].width
        return width, spec["height"] or width * 3 // 4
    return spec["width"], spec["height"]


def picture(width: int, height: int, seed: int = 0) -> bytes:
    """Paint a small PNG of grey blocks, one of a few for each size."""
    return _painted(width, height, seed % 4)


@cache
def _painted(width: int, height: int, seed: int) -> bytes:
    blocks = np.random.default_rng(seed).integers(0, 256, (-(-height // 8), -(-width // 8)), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST).save(target, "PNG")
    return target.getvalue()


def sha256(body: bytes) -> str:
    """Return the digest of a file as uploads are announced by it."""
    return hashlib.sha256(body).hexdigest()


