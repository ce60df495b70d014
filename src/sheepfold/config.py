"""Every setting of a farm: its unit, what it may be, its default, and how it is read from the environment."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, fields
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any


class BadSetting(ValueError):
    """A setting is something that makes no sense."""


@dataclass(frozen=True, slots=True)
class May:
    """What a setting may be, in words, and whether a value is that."""

    be: str
    allows: Callable[[Any], bool]


def within(least: float, most: float, zero: str = "") -> May:
    """Allow numbers from the least to the most; `zero` is what 0 means where that is no number like the others."""
    sort = "a whole number" if isinstance(most, int) else "a number"
    meant = f", and 0 means {zero}" if zero else ""
    return May(f"{sort} from {least} to {most}{meant}", lambda value: least <= value <= most)


def one_of(*words: object) -> May:
    """Allow some words."""
    return May(f"{', '.join(map(str, words[:-1]))} or {words[-1]}", lambda value: value in words)


def like(pattern: str, be: str) -> May:
    """Allow texts that match a pattern as a whole."""
    return May(be, lambda text: re.fullmatch(pattern, text) is not None)


def _are_networks(words: tuple[str, ...]) -> bool:
    try:
        return all(ip_network(word, strict=False) for word in words)
    except ValueError:
        return False


_HOST = r"[\w.-]+|[\da-fA-F.]*(:[\da-fA-F.]*){2,}"

Seconds = Annotated[int, within(1, 10**9)]
Bytes = Annotated[int, within(1, 10**15)]
Days = Annotated[int, within(0, 100_000, "for ever")]
Few = Annotated[int, within(1, 1000)]
Orders = Annotated[int, within(0, 10**9, "any number")]
Switch = Annotated[bool, one_of(1, 0)]
Pixels = Annotated[tuple[int, int], May("from 16x16 to 8192x8192", lambda size: all(16 <= one <= 8192 for one in size))]
Version = Annotated[str, like(r"|\d{1,9}(\.\d{1,9}){0,3}", "empty, or numbers with points between them, such as 5.0")]
Database = Annotated[str, like(r"|postgres(ql)?(\+\w+)?://.+|sqlite:////.+",
                               "empty, or like postgresql://NAME:PASSWORD@HOST/DATABASE")]  # fmt: skip
Store = Annotated[str, like(r"|s3://.+|(file://)?/.+", "empty, like s3://BUCKET/PREFIX, or a folder's path from / on")]
Address = Annotated[str, like(r"|https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?(/[^\s?#]*)?",
                              "empty, or like https://farm.example.org:8443")]  # fmt: skip
Networks = Annotated[tuple[str, ...], May("networks with commas between them, such as 127.0.0.0/8,::1", _are_networks)]
Hosts = Annotated[tuple[str, ...], May("names of hosts with commas between them, without ports, stars and paths",
                                       lambda hosts: all(re.fullmatch(_HOST, host) for host in hosts))]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """A farm's settings. Times are in seconds and sizes in bytes, as the names say.

    Raises BadSetting for a value that its setting may not have.
    """

    data: Path
    """The folder of everything that is not elsewhere: database, blobs, spool."""
    database_url: Database = ""
    """Empty: SQLite in the data folder; else `postgresql://…`. From DATABASE_URL."""
    blobs_url: Store = ""
    """Empty: a folder in the data folder; else `s3://bucket/prefix?…`, or another folder. From BLOBS_URL."""
    public_url: Address = ""
    """The address that people and clients know, where it is not the one that they came by."""
    flock_size: Pixels = (800, 592)
    """Width and height in pixels that an empty flock is listed with, and that the farm breeds."""
    flock_loops: Annotated[int, within(0, 10_000, "that the farm breeds nothing")] = 0
    """How many loops the flock strives for, breeding and retiring by votes; 0 and the farm breeds nothing by itself."""
    flock_edges: Annotated[int, within(0, 100)] = 2
    """How many edges shall leave each loop of a flock that breeds."""
    flock_frames: Annotated[int, within(1, 2000)] = 160
    """How many frames a bred loop or edge has."""
    flock_quality: Annotated[float, within(0.1, 10_000.0)] = 50.0
    """Samples a pixel of what is bred."""
    result_limit_bytes: Bytes = 256 * 2**20
    input_limit_bytes: Bytes = 4 * 2**30
    log_limit_bytes: Bytes = 2**20
    """A longer log of a renderer is cut at its head."""
    lease_term_s: Seconds = 600
    """How long a lease lasts on a wire with heartbeats, after the last sign of life."""
    silent_lease_term_s: Seconds = 3600
    """How long a lease lasts on a wire without heartbeats."""
    claim_wait_limit_s: Annotated[int, within(0, 10**9, "not at all")] = 30
    """How long a request for work may be held in the hope of some."""
    retry_s: Seconds = 60
    """What idle clients are told to wait, where their wire can tell them."""
    orphan_blob_age_s: Seconds = 86_400
    """How long a blob may lie unnamed, or something in the spool untouched, before upkeep drops it."""
    keep_days: Days = 0
    """How many days after its end a job's pictures and inputs are kept, unless somebody keeps it; 0 for ever."""
    keep_events_days: Days = 90
    """How many days after a job's end the events of its tasks are kept; 0 for ever. Its own events stay anyway."""
    storage_limit_bytes: Annotated[int, within(0, 10**18, "no limit")] = 0
    """Above how many bytes of files the oldest jobs' pictures are cleared, then their films; 0 for never."""
    threads: Annotated[int, within(1, 10_000)] = 64
    """How many operations may be under way at once; most of them wait for the writer or for an inspection."""
    inspection_processes: Few = 2
    inspection_deadline_s: Annotated[float, within(1.0, 3600.0)] = 30.0
    inspection_memory_mib: Annotated[int, within(256, 2**20)] = 2048
    chore_processes: Few = 1
    chore_term_s: Seconds = 60
    """How long a chore is its house's own without a sign of life; then another house, or the next one, does it."""
    chore_attempts: Few = 3
    sheepit_lease_term_s: Seconds = 1020
    """How long a lease lasts on SheepIt's wire after the last sign of life: clients are silent for up to 17 minutes."""
    sheepit_max_period_s: Seconds = 800
    """How often SheepIt's clients are told to show a sign of life; those since 2019-09 ignore it."""
    sheepit_min_version: Version = ""
    """The oldest version of a SheepIt client that may log in, such as 5.0; empty for all."""
    sheepit_seed_statuses: Switch = False
    """Whether the oldest SheepIt clients get the seed's statuses 300, 301 and 304, which end their work for good."""
    sheepit_awaiting_uploads: Annotated[int, within(0, 1000)] = 3
    """How many rendered frames of a session may await their upload when it asks for the next task."""
    browsershots_lock_s: Seconds = 300
    """How long a screenshot factory holds a request before another one may have it."""
    browsershots_throttle_s: Annotated[int, within(0, 10**9, "not at all")] = 0
    """How long a screenshot factory must wait between two uploads; 0 for not at all."""
    browsershots_load_limit: Annotated[float, within(0.0, 1e6, "no limit")] = 8.0
    """Above how many waiting processes for each core factories are told to come later; 0 for never."""
    browsershots_addresses: Annotated[str, one_of("strict", "loose", "any")] = "loose"
    """Whether a factory's address may change between challenge and call: strict, loose (one network) or any."""
    browsershots_hash: Annotated[str, one_of("sha1", "md5")] = "sha1"
    """Which hash factories are told to prove their key with: sha1, or md5 as in the oldest days."""
    screenshot_expiry_s: Seconds = 1800
    """How long an order that came by XML-RPC is worth making, and by how much it is extended."""
    screenshot_allowed_ranges: Networks = ()
    """Private networks that may be photographed all the same, such as 127.0.0.0/8,::1."""
    screenshot_blocked_domains: Hosts = ()
    """Domains that may not be photographed, with all below them."""
    screenshot_obey_robots: Switch = True
    """Whether a site's robots.txt may keep us away."""
    screenshot_site_limit: Orders = 100
    """How many orders of one page are taken in 24 hours, from all but the owner; 0 for any number."""
    screenshot_domain_limit: Orders = 200
    screenshot_account_limit: Orders = 300
    webhook_allowed_ranges: Networks = ()
    """Private networks that webhooks may lead to all the same, such as 127.0.0.0/8,10.1.0.0/16."""

    ready_needs_house: Switch = True
    """Whether /readyz wants a house in this data folder; not where `sheepfold house` runs on another machine."""
    visitors: Switch = True
    """Whether people who did not sign in see the farm's pictures; orders, machines and people they never do."""
    sign_up: Annotated[str, one_of("open", "invitation", "closed")] = "invitation"
    """Who may make an account on the pages: open, invitation or closed."""
    web_session_s: Seconds = 30 * 86_400
    """How long a browser stays signed in after its last visit."""
    backup_folder: str = ""
    """Where the owner's page has a backup made; empty leaves backups to the command line."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _MAY and not _MAY[field.name].allows(value):
                raise _refusal(field, written(value))


_MAY: dict[str, May] = {field.name: field.type.__metadata__[0]
                        for field in fields(Settings) if hasattr(field.type, "__metadata__")}
PREFIX = "SHEEPFOLD_"
PLACES = ("database_url", "blobs_url", "public_url")
"""Settings that go by their usual names in the environment, such as DATABASE_URL."""
SECRET = ("database_url", "blobs_url")
"""Settings in which passwords may stand, so that they are never shown."""
OTHERS = frozenset({"SHEEPFOLD_SERVER", "SHEEPFOLD_KEY", "SHEEPFOLD_MATRIX_TOKEN", "SHEEPFOLD_BPY_PYTHON"})
"""What else the program reads from the environment by names of its own, and is no setting of a farm."""


def settings_for(data: Path, environment: Mapping[str, str]) -> Settings:
    """Return the settings of the farm in a data folder, as the environment overrides them.

    Sizes are written 800x592, lists with commas, yes and no as 1 and 0. Raises BadSetting with a line that names the
    variable, what it is, and what it may be.
    """
    given: dict[str, Any] = {}
    for field in fields(Settings):
        name = variable_of(field.name)
        if field.name != "data" and name in environment:
            try:
                given[field.name] = _read(environment[name], field.default)
            except (KeyError, ValueError) as error:
                raise _refusal(field, environment[name]) from error
    return Settings(data=data.absolute(), **given)


def variable_of(setting: str) -> str:
    """Return the environment variable of a setting: its name in capitals, but for PLACES behind PREFIX."""
    return setting.upper() if setting in PLACES else PREFIX + setting.upper()


def unknown_variables(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each variable behind PREFIX that nobody reads, and the one that is most likely meant, if any."""
    settings = [field.name for field in fields(Settings)]
    known = {*map(variable_of, settings), *OTHERS}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            near = get_close_matches(name.removeprefix(PREFIX).lower(), settings, 1)
            yield name, "".join(map(variable_of, near))


def _refusal(field: Field[Any], text: str) -> BadSetting:
    found = "what it is" if field.name in SECRET else repr(text[:80])
    return BadSetting(f"{variable_of(field.name)} cannot be {found}: it may be {_MAY[field.name].be}; "
                      f"by default it is {written(field.default) or 'empty'}.")


def _read(text: str, default: object) -> object:
    """Read a setting as a value of its default's type; raises KeyError or ValueError where it is none."""
    match default:
        case bool():
            return {"1": True, "0": False}[text]
        case int() | float():
            return type(default)(text)
        case (int(), int()):
            width, height = text.split("x")
            return int(width), int(height)
        case tuple():
            return tuple(word.strip() for word in text.split(",") if word.strip())
        case _:
            return text


def written(value: object) -> str:
    """Return a setting's value as one would write it into the environment."""
    match value:
        case bool():
            return str(int(value))
        case (int(), int()):
            return "x".join(map(str, value))
        case tuple():
            return ",".join(value)
        case _:
            return str(value)
