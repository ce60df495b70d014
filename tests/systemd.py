"""A machine of its own whose first process is the real systemd, in namespaces: services really run, and end with it.

It has this machine's programs, read-only, a copy of its /etc without units, folders in memory, and no network.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SYSTEMD = "/lib/systemd/systemd"
_OWN = ["--mount", "--uts", "--ipc", "--net", "--cgroup", "--pid"]
_NAMESPACES = [*_OWN, "--propagation", "private", "--fork", "--kill-child"]
_ASIDE = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
_KEPT_FROM = [
    "proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service", "systemd-modules-load.service",
    "systemd-remount-fs.service", "systemd-sysctl.service", "systemd-tmpfiles-setup-dev.service",
    "systemd-udev-trigger.service", "systemd-udevd.service",
]
"""What would set up the kernel, which is this machine's too."""
_PROGRAMS = ["unshare", "nsenter", "pivot_root", "mount", "useradd", "runuser", "systemctl"]

# a group of its own in systemd's own hierarchy, which each kernel lets any number mount, with whatever others there are
_FENCE = """
set -e
mount -t cgroup -o none,name=systemd systemd "$PLACE/groups"
mkdir "$PLACE/groups/$GROUP"
echo $$ > "$PLACE/groups/$GROUP/cgroup.procs"
exec unshare {namespaces} sh -c "$BOOT"
"""
_BOOT = """
set -e
umount "$PLACE/groups"
root="$PLACE/root"
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir -p usr etc var/lib var/log opt run proc sys dev root home old
mkdir -m 1777 tmp
mount --rbind -o ro /usr usr
for name in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$name" ]; then ln -s "usr/$name" "$name"; fi
done
cp -a /etc/. etc/
rm -rf etc/systemd/system/* etc/machine-id
: > etc/machine-id
for unit in $KEPT_FROM; do ln -s /dev/null "etc/systemd/system/$unit"; done
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup
mkdir sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd systemd sys/fs/cgroup/systemd
mount --rbind /dev dev
mount -t tmpfs tmpfs run
for share in $SHARES; do
    mkdir -p ".${share#*=}"
    mount --bind -o ro "${share%%=*}" ".${share#*=}"
done
pivot_root . old
umount --lazy /old
rmdir /old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin """ + SYSTEMD + """ --system --unit=timers.target
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that systemd runs."""

    init: int
    """The process that is its first, by its number outside."""

    def run(self, *argv: str, told: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a command on the machine as its root, with `told` as its standard input."""
        entered = ["nsenter", "--target", str(self.init), *_OWN, "--wdns=/", *argv]
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        return subprocess.run(entered, env=env, input=told, capture_output=True, text=True, timeout=120, check=False)

    def must(self, *argv: str, told: str | None = None) -> str:
        """Run a command that succeeds, and return what it printed."""
        done = self.run(*argv, told=told)
        assert done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout

    def state(self, unit: str, what: str) -> str:
        """Return what systemd says of a unit, such as its Result or MainPID."""
        return self.must("systemctl", "show", "--value", "--property", what, unit).strip()


@contextmanager
def booted(place: Path, shares: Mapping[Path, str]) -> Iterator[Machine]:
    """Boot a machine that sees folders of this one, read-only, where it is told; skips the test where nobody may."""
    _skip_without_rights()
    for name in ("root", "groups"):
        (place / name).mkdir()
    group = f"sheepfold-{uuid.uuid4().hex}"
    env = {**os.environ, "PLACE": str(place), "GROUP": group, "BOOT": _BOOT, "KEPT_FROM": " ".join(_KEPT_FROM),
           "SHARES": " ".join(f"{own}={theirs}" for own, theirs in shares.items())}
    fence = [*_ASIDE, _FENCE.format(namespaces=" ".join(_NAMESPACES))]
    log = place / "boot.log"
    with log.open("wb") as errors:
        outer = subprocess.Popen(fence, env=env, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
    try:
        yield Machine(_first_of(outer, log))
    finally:
        outer.send_signal(signal.SIGKILL)  # its child is told to die with it, and all others with that
        outer.wait()
        _remove_group(place, group)


def _skip_without_rights() -> None:
    if sys.platform != "linux" or os.geteuid() or not Path(SYSTEMD).exists() or None in map(shutil.which, _PROGRAMS):
        pytest.skip("Only Linux's root may boot a machine, where there is systemd.")
    with_all = ["unshare", *_NAMESPACES, "sh", "-c", "mount -t cgroup -o none,name=systemd systemd /mnt"]
    if subprocess.run(with_all, capture_output=True, check=False).returncode:
        pytest.skip("This kernel lets its root have no namespaces, or no groups of systemd's.")


def _first_of(outer: "subprocess.Popen[bytes]", log: Path) -> int:
    """Wait until the machine is up, and return its first process."""
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        assert outer.poll() is None, log.read_text()
        for child in map(int, children.read_text().split()):
            is_systemd = Path(f"/proc/{child}/comm").read_text() == "systemd\n"
            if is_systemd and Machine(child).run("systemctl", "is-system-running").stdout == "running\n":
                return child
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def _remove_group(place: Path, group: str) -> None:
    """Remove the groups that the machine's services had, which go when the last process of each has ended."""
    script = """
        mount -t cgroup -o none,name=systemd systemd "$0/groups"
        for tries in $(seq 100); do
            find "$0/groups/$1" -depth -type d -exec rmdir {} \\; 2> /dev/null
            [ -d "$0/groups/$1" ] || exit 0
            sleep 0.1
        done
        exit 1
    """
    subprocess.run([*_ASIDE, script, str(place), group], check=True)
