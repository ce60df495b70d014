"""Every setting of a farm, with its unit and its default; environment variables override what `serve` was told."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Settings:
    """A farm's settings. Times are in seconds and sizes in bytes, as the names say."""

    data: Path
    """The folder of everything that is not elsewhere: database, blobs, spool."""
    database_url: str = ""
    """Empty: SQLite in the data folder; else `postgresql://…`. From DATABASE_URL."""
    blobs_url: str = ""
    """Empty: a folder in the data folder; else `s3://bucket/prefix?…`. From BLOBS_URL."""
    public_url: str = ""
    """The address that people and clients know, where it is not the one that they came by."""
    flock_size: tuple[int, int] = (800, 592)
    """Width and height in pixels that an empty flock is listed with, and that the farm breeds."""
    flock_loops: int = 0
    """How many loops the flock strives for, breeding and retiring by votes; 0 and the farm breeds nothing by itself."""
    flock_edges: int = 2
    """How many edges shall leave each loop of a flock that breeds."""
    flock_frames: int = 160
    """How many frames a bred loop or edge has."""
    flock_quality: float = 50.0
    """Samples a pixel of what is bred."""
    result_limit_bytes: int = 256 * 2**20
    input_limit_bytes: int = 4 * 2**30
    log_limit_bytes: int = 2**20
    """A longer log of a renderer is cut at its head."""
    lease_term_s: int = 600
    """How long a lease lasts on a wire with heartbeats, after the last sign of life."""
    silent_lease_term_s: int = 3600
    """How long a lease lasts on a wire without heartbeats."""
    claim_wait_limit_s: int = 30
    """How long a request for work may be held in the hope of some."""
    retry_s: int = 60
    """What idle clients are told to wait, where their wire can tell them."""
    orphan_blob_age_s: int = 86_400
    """How long a blob may lie unnamed, or something in the spool untouched, before upkeep drops it."""
    keep_days: int = 0
    """How many days after its end a job's pictures and inputs are kept, unless somebody keeps it; 0 for ever."""
    keep_events_days: int = 90
    """How many days after a job's end the events of its tasks are kept; 0 for ever. Its own events stay anyway."""
    storage_limit_bytes: int = 0
    """Above how many bytes of files the oldest jobs' pictures are cleared, then their films; 0 for never."""
    threads: int = 64
    """How many operations may be under way at once; most of them wait for the writer or for an inspection."""
    inspection_processes: int = 2
    inspection_deadline_s: float = 30.0
    inspection_memory_mib: int = 2048
    chore_processes: int = 1
    chore_term_s: int = 60
    """How long a chore is its house's own without a sign of life; then another house, or the next one, does it."""
    chore_attempts: int = 3
    sheepit_lease_term_s: int = 1020
    """How long a lease lasts on SheepIt's wire after the last sign of life: clients are silent for up to 17 minutes."""
    sheepit_max_period_s: int = 800
    """How often SheepIt's clients are told to show a sign of life; those since 2019-09 ignore it."""
    sheepit_min_version: str = ""
    """The oldest version of a SheepIt client that may log in, such as 5.0; empty for all."""
    sheepit_seed_statuses: bool = False
    """Whether the oldest SheepIt clients get the seed's statuses 300, 301 and 304, which end their work for good."""
    sheepit_awaiting_uploads: int = 3
    """How many rendered frames of a session may await their upload when it asks for the next task."""
    browsershots_lock_s: int = 300
    """How long a screenshot factory holds a request before another one may have it."""
    browsershots_throttle_s: int = 0
    """How long a screenshot factory must wait between two uploads; 0 for not at all."""
    browsershots_load_limit: float = 8.0
    """Above how many waiting processes for each core factories are told to come later; 0 for never."""
    browsershots_addresses: str = "loose"
    """Whether a factory's address may change between challenge and call: strict, loose (one network) or any."""
    browsershots_hash: str = "sha1"
    """Which hash factories are told to prove their key with: sha1, or md5 as in the oldest days."""
    screenshot_expiry_s: int = 1800
    """How long an order that came by XML-RPC is worth making, and by how much it is extended."""
    screenshot_allowed_ranges: tuple[str, ...] = ()
    """Private networks that may be photographed all the same, such as 127.0.0.0/8,::1."""
    screenshot_blocked_domains: tuple[str, ...] = ()
    """Domains that may not be photographed, with all below them."""
    screenshot_obey_robots: bool = True
    """Whether a site's robots.txt may keep us away."""
    screenshot_site_limit: int = 100
    """How many orders of one page are taken in 24 hours, from all but the owner; 0 for any number."""
    screenshot_domain_limit: int = 200
    screenshot_account_limit: int = 300
    webhook_allowed_ranges: tuple[str, ...] = ()
    """Private networks that webhooks may lead to all the same, such as 127.0.0.0/8,10.1.0.0/16."""

    ready_needs_house: bool = True
    """Whether /readyz wants a house in this data folder; not where `sheepfold house` runs on another machine."""
    visitors: bool = True
    """Whether people who did not sign in see the farm's pictures; orders, machines and people they never do."""
    sign_up: str = "invitation"
    """Who may make an account on the pages: open, invitation or closed."""
    web_session_s: int = 30 * 86_400
    """How long a browser stays signed in after its last visit."""
    backup_folder: str = ""
    """Where the owner's page has a backup made; empty leaves backups to the command line."""


class BadSetting(ValueError):
    """A setting cannot be what the environment says."""


PLACES = ("database_url", "blobs_url", "public_url")
"""Settings that go by their usual names in the environment, such as DATABASE_URL."""


def settings_for(data: Path, environment: Mapping[str, str]) -> Settings:
    """Return the settings of the farm in a data folder, as the environment overrides them.

    Each setting may be given by its name in capitals behind SHEEPFOLD_, those of PLACES without that. Sizes are
    written 800x592, lists with commas, yes and no as 1 and 0. Raises BadSetting.
    """
    given: dict[str, Any] = {}
    for field in fields(Settings):
        name = field.name.upper() if field.name in PLACES else f"SHEEPFOLD_{field.name.upper()}"
        if field.name != "data" and name in environment:
            given[field.name] = _read(name, environment[name], field.default)
    return Settings(data=data.absolute(), **given)


def _read(name: str, text: str, default: object) -> object:
    """Read a setting as a value of its default's type."""
    try:
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
    except (KeyError, ValueError) as error:
        raise BadSetting(f"{name} cannot be {text!r}; by default it is {written(default)!r}.") from error


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
