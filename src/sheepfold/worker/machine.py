"""A volunteer's machine put together: its line, its folder, its threads, and its signals."""

import hashlib
import logging
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from sheepfold.model.errors import BadInput, NoRenderer
from sheepfold.model.matching import Abilities
from sheepfold.protocols import registry
from sheepfold.protocols.link import Link
from sheepfold.worker import hardware
from sheepfold.worker.cache import Cache
from sheepfold.worker.chains import Chains
from sheepfold.worker.deliveries import Deliveries
from sheepfold.worker.folder import WorkFolder
from sheepfold.worker.line import Line
from sheepfold.worker.loop import Loop
from sheepfold.worker.oversight import Oversight
from sheepfold.worker.pulse import Pulse
from sheepfold.worker.sandbox import Limits, sandbox_warning
from sheepfold.worker.steps import End, Rules
from sheepfold.worker.stopping import Stop, run_until_done
from sheepfold.worker.workshop import Workshop

MIB = 1024 * 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """What a volunteer says: which farm, by which key and protocol, and how to work.

    An empty `kind` is every kind that is installed; `account` is the nick on wires whose key names none; `name` tells
    workers of one machine apart. No `folder` means one of the system's own for this farm and name.
    """

    server_url: str
    key: str = field(repr=False)
    protocol: str = "rest"
    kind: str = ""
    account: str = ""
    name: str = ""
    folder: Path | None = None
    rules: Rules = field(default_factory=Rules)
    cache_mib: int = 4096
    time_limit_s: float = 6 * 3600


def run_worker(options: Options) -> int:
    """Work for a farm until told to stop, or until the farm refuses; returns 0 where all is well, else 1.

    To be called in the main thread, whose signals it takes. Raises BadInput for a protocol that no worker speaks,
    NoRenderer where nothing is installed to render with, Conflict where the folder is in use.
    """
    open_link = link_opener(options.protocol)
    abilities = _abilities(options)
    ends: list[End] = []
    stop = Stop()
    with WorkFolder(options.folder or default_folder(options), _farm(options)) as folder:
        link = open_link(options.server_url, options.key, folder.link, user_agent(), options.account)
        _log.info("working server=%s protocol=%s kinds=%s name=%s cores=%d memory_mib=%d", options.server_url,
                  options.protocol, ",".join(sorted(abilities.kinds)), options.name or "-", hardware.cores(),
                  abilities.memory_mib)
        run_until_done(lambda: ends.append(work(link, abilities, folder, stop, options)), stop)
    return 1 if ends and ends[0].problem else 0


def work(link: Link, abilities: Abilities, folder: WorkFolder, stop: Stop, options: Options) -> End:
    """Work over a link in a folder until the end, and return why it is the end; the link is closed then."""
    if warning := sandbox_warning():
        _log.warning("no_sandbox %s", warning)
    line, pulse = Line(link, abilities), Pulse(link)
    deliveries = Deliveries(line, pulse, stop)
    cache = Cache(folder.cache, options.cache_mib * MIB)
    limits = Limits(time_s=options.time_limit_s, memory_mib=abilities.memory_mib)
    chains = Chains(folder.chain, folder.kept, limits)
    chains.close()  # what a crash left
    oversight = Oversight(link, stop)
    shop = Workshop(line, folder, cache, pulse, deliveries, stop, oversight, limits, chains)
    _deliver_what_was_left(folder, pulse, deliveries)
    end = Loop(shop, options.rules, hardware.load_average).run()
    left = deliveries.finish()
    pulse.end()
    oversight.end()
    if left:
        _log.warning("undelivered results=%d folder=%s", left, options.folder)
    else:
        link.close()  # which gives back what the session holds: so not while a picture waits
    _log.info("ended problem=%s", end.problem or deliveries.refusal or "-")
    return end if end.problem else End(deliveries.refusal)


def link_opener(protocol: str) -> Callable[..., Link]:
    """Return what opens a protocol's links; raises BadInput where there is none."""
    row = registry.row_of(protocol)
    if not row.link:
        able = ", ".join(name for name, one in registry.PROTOCOLS.items() if one.link)
        raise BadInput(f"The worker does not speak {protocol} yet; it speaks {able}.")
    return registry.load(row.link)


def user_agent() -> str:
    """Return how the worker introduces itself."""
    return f"sheepfold/{version('sheepfold')} ({hardware.platform_name()})"


def default_folder(options: Options) -> Path:
    """Return the work folder of a farm and a name, where the system keeps what programs need to remember."""
    farm = re.sub(r"[^a-z0-9]+", "-", options.server_url.partition("://")[2].lower()).strip("-")[:40]
    mark = hashlib.sha256(f"{_farm(options)} {options.name}".encode()).hexdigest()[:8]
    return _home() / "work" / f"{farm}-{mark}"


def _home() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "Sheepfold"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Sheepfold"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "sheepfold"


def _farm(options: Options) -> str:
    return f"{options.protocol} {options.server_url.rstrip('/')} {options.account}"


def _abilities(options: Options) -> Abilities:
    found = hardware.abilities(options.protocol, options.kind)
    if found.kinds:
        return found
    known = ", ".join(f"{one.name} for {one.kind}" for one in hardware.RENDERERS)
    raise NoRenderer(f"Nothing is installed to render {options.kind or 'anything'} with; this worker uses {known}.")


def _deliver_what_was_left(folder: WorkFolder, pulse: Pulse, deliveries: Deliveries) -> None:
    """Take up what an earlier worker left: pictures are sent, leases without one given back."""
    for desk in folder.left_desks():
        has_picture = desk.outcome().has_picture
        _log.info("left_behind lease=%s has_picture=%s", desk.work.handle, has_picture)
        if has_picture:
            pulse.watch(desk.name, desk.work)
        deliveries.put(desk)
