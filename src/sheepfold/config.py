"""Every setting of a farm, with its unit and its default; environment variables override what `serve` was told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """A farm's settings. Times are in seconds and sizes in bytes, as the names say."""

    data: Path
    """The folder of everything that is not elsewhere: database, blobs, spool, outbox."""
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


def settings_for(data: Path, environment: Mapping[str, str]) -> Settings:
    """Return the settings of the farm in a data folder, overridden by DATABASE_URL, BLOBS_URL and PUBLIC_URL."""
    return Settings(
        data=data.absolute(),
        database_url=environment.get("DATABASE_URL", ""),
        blobs_url=environment.get("BLOBS_URL", ""),
        public_url=environment.get("PUBLIC_URL", "").rstrip("/"),
    )
