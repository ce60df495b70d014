"""Hindrances: why a machine should not render just now, by its owner's rules; and what is asked of it."""

import ctypes
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from sheepfold.model.machines import Command, Wish
from sheepfold.worker import hardware


@dataclass(frozen=True, slots=True)
class Here:
    """The machine at this moment: its hour by its own clock, its load average, whether it runs on a battery.

    `idle_s` is for how long nobody touched its keyboard or mouse, None where that is not known: then nobody sits there.
    """

    hour: int
    load: float
    is_on_battery: bool
    idle_s: float | None


def hindrance(wish: Wish, here: Here) -> str:
    """Return why a machine should not render now, empty where nothing speaks against it."""
    rules = wish.rules
    if wish.command is not Command.WORK:
        return f"told to {wish.command}"
    if not rules.allows_hour(here.hour):
        return f"outside of the hours {rules.hours}"
    if rules.mains_only and here.is_on_battery:
        return "on battery"
    if rules.idle_min and here.idle_s is not None and here.idle_s < rules.idle_min * 60:
        return "somebody is at the machine"
    if rules.load_limit and here.load > rules.load_limit:
        return f"load {here.load:.2f}"
    return ""


def look() -> Here:
    """Look at this machine."""
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    is_on_battery = battery is not None and battery.power_plugged is False
    return Here(time.localtime().tm_hour, hardware.load_average(), is_on_battery, idle_s())


def idle_s() -> float | None:
    """Return for how many seconds nobody touched this machine's keyboard or mouse; None where nothing tells."""
    if sys.platform == "win32":
        return _idle_on_windows()
    if sys.platform == "darwin":
        return _idle_on_mac()
    return min(_idle_of_terminals(), default=None)


def _idle_of_terminals() -> Iterator[float]:
    """Say since when each terminal, and each input device, has had nothing typed; as `w` does it."""
    now = time.time()
    for pattern in ("pts/[0-9]*", "tty[0-9]*", "input/event*"):
        for terminal in Path("/dev").glob(pattern):
            with suppress(OSError):
                used_at = terminal.stat().st_atime
                if used_at > psutil.boot_time() + 60:  # made with the system, and not used since
                    yield max(0.0, now - used_at)


def _idle_on_mac() -> float | None:
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(["/usr/sbin/ioreg", "-c", "IOHIDSystem", "-d", "4"], capture_output=True, timeout=10,
                              check=True, text=True).stdout
        if found := re.search(r'"HIDIdleTime" = (\d+)', told):
            return int(found[1]) / 1e9
    return None


class _LastInput(ctypes.Structure):
    _fields_ = (("size", ctypes.c_uint), ("ticks", ctypes.c_uint))


def _idle_on_windows() -> float | None:
    last = _LastInput(ctypes.sizeof(_LastInput), 0)
    windll = getattr(ctypes, "windll", None)
    if windll is None or not windll.user32.GetLastInputInfo(ctypes.byref(last)):
        return None
    return float((windll.kernel32.GetTickCount() - last.ticks) & 0xFFFFFFFF) / 1000
