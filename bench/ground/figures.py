"""Figures as the benchmarks print them."""

import os
import platform
from collections.abc import Sequence


def percentile_ms(times_s: Sequence[float], share: float) -> float:
    """Return the time in milliseconds that this share of the times, from 0 to 1, does not exceed."""
    ordered = sorted(times_s)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def latencies(times_s: Sequence[float]) -> str:
    """Write the median and the 99th percentile of some times."""
    return f"p50 {percentile_ms(times_s, 0.50):7.2f} ms   p99 {percentile_ms(times_s, 0.99):7.2f} ms"


def machine() -> str:
    """Say in a line what is being measured on, and how busy it was before."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load before {os.getloadavg()[0]:.2f}"
