"""Every setting of a farm, with its unit and its default; environment variables override what `serve` was told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


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
    """Width and height in pixels that an empty flock is listed with."""
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
    """How long a blob may lie unnamed before upkeep drops it."""
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


def settings_for(data: Path, environment: Mapping[str, str]) -> Settings:
    """Return the settings of the farm in a data folder, as the environment overrides them.

    DATABASE_URL, BLOBS_URL and PUBLIC_URL name places; SHEEPIT_MIN_VERSION and SHEEPIT_SEED_STATUSES=1 are
    `sheepit_min_version` and `sheepit_seed_statuses`.
    """
    return Settings(
        data=data.absolute(),
        database_url=environment.get("DATABASE_URL", ""),
        blobs_url=environment.get("BLOBS_URL", ""),
        public_url=environment.get("PUBLIC_URL", "").rstrip("/"),
        sheepit_min_version=environment.get("SHEEPIT_MIN_VERSION", ""),
        sheepit_seed_statuses=environment.get("SHEEPIT_SEED_STATUSES", "") == "1",
    )
