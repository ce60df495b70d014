import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sheepfold.kinds.flame import render, spec, split
from sheepfold.kinds.seam import RenderFailed, RenderOrder, RenderStopped
from sheepfold.worker import sandbox
from sheepfold.worker.bench import Bench
from sheepfold.worker.gauge import Usage
from sheepfold.worker.record import last_line
from sheepfold.worker.sandbox import Limits

GENOME = Path(__file__).parents[1] / "genomes" / "r2.flam3"
NO_ENV: dict[str, str] = {}
walls = pytest.mark.skipif(not sandbox.has_walls(), reason=f"no sandbox here: {sandbox.sandbox_warning()}")
both = pytest.mark.parametrize("has_walls", [pytest.param(True, marks=walls), False], ids=["walls", "limits"])

Waiting = Callable[[Callable[[], object]], None]
Running = Callable[[str], list[psutil.Process]]


def bench_in(folder: Path, limits: Limits | None = None, *, has_walls: bool | None = None) -> Bench:
    room = folder / "desk" / "room"
    room.mkdir(parents=True)
    return Bench(room, room.parent / "log.txt", limits or Limits(), has_walls=has_walls)


def shell(bench: Bench, script: str, *readable: Path, env: dict[str, str] | None = None) -> str:
    """Run a script and return what it printed."""
    bench.run(["/bin/bash", "-c", script], env or NO_ENV, readable=readable)
    return (bench.folder.parent / "log.txt").read_text()


@both
def test_a_real_flame_is_rendered(tmp_path: Path, has_walls: bool) -> None:
    bench = bench_in(tmp_path, has_walls=has_walls)
    parsed = spec.parse({"width": 64, "height": 48, "quality": 2, "frames": 1})
    (draft,) = split.split(parsed, {"genome": GENOME}, tmp_path)
    picture = render.render(RenderOrder(parsed, draft.frame, input=draft.input), bench)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert bench.usage.cpu_s > 0


@both
@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has a file that is always full.")
@pytest.mark.parametrize("is_there", [True, False])
def test_a_program_outlives_a_disk_that_takes_no_log(tmp_path: Path, has_walls: bool, is_there: bool) -> None:
    bench = bench_in(tmp_path, has_walls=has_walls)
    log = bench.folder.parent / "log.txt"
    log.symlink_to("/dev/full" if is_there else tmp_path / "none" / "log.txt")
    bench.run(["/bin/bash", "-c", "head -c 3000000 /dev/zero && touch done"], NO_ENV)
    assert (bench.folder / "done").exists()


@both
def test_the_memory_told_is_the_renderers_and_not_the_workers(tmp_path: Path, has_walls: bool) -> None:
    bench = bench_in(tmp_path, has_walls=has_walls)
    shell(bench, "sleep 0.3")
    assert 500 < bench.usage.memory_kib < 30_000 < psutil.Process().memory_info().rss // 1024


@both
def test_the_processors_time_is_the_renderers_also_behind_walls(
    tmp_path: Path, has_walls: bool, wait_for: Waiting
) -> None:
    bench = bench_in(tmp_path, has_walls=has_walls)
    script = "yes | head -c 300M > /dev/null; until test -e seen; do sleep 0.01; done"
    thread = threading.Thread(target=shell, args=(bench, script))
    thread.start()
    wait_for(lambda: bench.usage.cpu_s > 0.1)
    (bench.folder / "seen").touch()
    thread.join()
    assert bench.usage.cpu_s > 0.1


@both
def test_a_program_that_stays_is_counted_once(tmp_path: Path, has_walls: bool) -> None:
    bench = bench_in(tmp_path, has_walls=has_walls)
    # the work is the shell's own: of what it starts the time comes late
    script = "while read -r line; do for ((n = 0; n < 200000; n++)); do :; done; echo $n; done"
    staying = bench.start(["/bin/bash", "-c", script], NO_ENV)
    assert staying.ask(b"go\n") == b"200000\n"
    used_s = bench.usage.cpu_s
    assert used_s > 0
    staying.close()
    assert bench.usage.cpu_s < 1.5 * used_s


@walls
@pytest.mark.parametrize("path", ["/usr/x", "/etc/x", "/x", "/lib/x", "/proc/sys/kernel/hostname"])
def test_nothing_outside_the_folder_can_be_written(tmp_path: Path, path: str) -> None:
    with pytest.raises(RenderFailed):
        shell(bench_in(tmp_path), f"echo hello >{path}")


@walls
def test_what_is_written_to_the_place_for_temporary_files_is_gone(tmp_path: Path) -> None:
    """The folder of this test is in that place, so that its neighbours seem to be there."""
    shell(bench_in(tmp_path), f"echo hello >/tmp/sheepfold-test; echo >{tmp_path}/x; true")
    assert not (tmp_path / "x").exists()
    assert not Path("/tmp/sheepfold-test").exists()


@both
def test_the_folder_and_a_place_for_temporary_files_can_be_written(tmp_path: Path, has_walls: bool) -> None:
    bench = bench_in(tmp_path, has_walls=has_walls)
    shell(bench, "echo hello >here && mktemp")
    assert (bench.folder / "here").read_text() == "hello\n"


@walls
def test_a_program_has_no_capabilities_even_where_the_worker_is_root(tmp_path: Path) -> None:
    found = shell(bench_in(tmp_path), "grep -E 'CapEff|CapPrm|NoNewPrivs' /proc/self/status").split()
    assert found == ["CapPrm:", "0" * 16, "CapEff:", "0" * 16, "NoNewPrivs:", "1"]


@walls
def test_home_and_accounts_and_other_processes_are_hidden(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("diary")
    places = f"/etc/passwd /etc/shadow {tmp_path}/secret"
    found = shell(bench_in(tmp_path), f"cat {places}; ls -d /home /root || echo homeless; ls /proc")
    assert "root:" not in found
    assert "diary" not in found
    assert "homeless" in found
    assert str(os.getpid()) not in found.split()


@walls
def test_what_is_readable_is_read_but_not_written(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("scene")
    bench = bench_in(tmp_path)
    (bench.folder / "inner").write_text("inner")
    readable = (tmp_path / "shared", bench.folder / "inner")
    found = shell(bench, f"cat {tmp_path}/shared; echo x >{tmp_path}/shared; echo x >inner; true", *readable)
    assert "scene" in found
    assert (tmp_path / "shared").read_text() == "scene"
    assert (bench.folder / "inner").read_text() == "inner"


@walls
def test_the_folder_is_writable_within_what_is_readable(tmp_path: Path) -> None:
    bench = bench_in(tmp_path)
    shell(bench, "echo x >here", tmp_path)
    assert (bench.folder / "here").exists()


@pytest.fixture
def port() -> Iterator[int]:
    """Yield a port that listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@walls
def test_the_network_is_out_of_reach(tmp_path: Path, port: int) -> None:
    with pytest.raises(RenderFailed):
        shell(bench_in(tmp_path), f"exec 3<>/dev/tcp/127.0.0.1/{port}")


def test_without_walls_the_network_is_reached_which_is_what_the_warning_says(tmp_path: Path, port: int) -> None:
    reach = f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached"
    assert shell(bench_in(tmp_path, has_walls=False), reach).strip() == "reached"


@both
def test_a_program_gets_its_own_environment_alone(
    tmp_path: Path, has_walls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHEEPFOLD_KEY", "secret")
    bench = bench_in(tmp_path, has_walls=has_walls)
    bench.run(["env"], {"nthreads": "1"})
    found = set((bench.folder.parent / "log.txt").read_text().split()) - {f"PWD={bench.folder}"}
    assert found == {"nthreads=1"}


@both
def test_renderers_have_the_lowest_priority(tmp_path: Path, has_walls: bool) -> None:
    assert shell(bench_in(tmp_path, has_walls=has_walls), "nice").strip() == "19"


@both
def test_a_failure_says_the_status_and_the_last_line(tmp_path: Path, has_walls: bool) -> None:
    with pytest.raises(RenderFailed, match="bash ended with status 3: no such genome"):
        shell(bench_in(tmp_path, has_walls=has_walls), "echo first; echo no such genome >&2; exit 3")


@both
def test_a_program_that_is_not_there_fails(tmp_path: Path, has_walls: bool) -> None:
    with pytest.raises(RenderFailed):
        bench_in(tmp_path, has_walls=has_walls).run(["/no/such/renderer"], NO_ENV)


@both
def test_a_killed_renderer_is_a_failure(tmp_path: Path, has_walls: bool) -> None:
    with pytest.raises(RenderFailed, match="status"):
        shell(bench_in(tmp_path, has_walls=has_walls), "kill -SEGV $$")


@both
def test_a_hung_renderer_and_all_its_children_are_killed_in_time(
    tmp_path: Path, has_walls: bool, running: Running, wait_for: Waiting
) -> None:
    bench = bench_in(tmp_path, Limits(time_s=0.5), has_walls=has_walls)
    mark = f"hung-{tmp_path}"
    with pytest.raises(RenderFailed, match=r"more than 0\.5 seconds"):
        shell(bench, "trap '' TERM; sleep 300 & setsid sleep 300 & sleep 300", env={"MARK": mark})
    wait_for(lambda: not running(mark))  # behind walls the system ends it, a moment after bubblewrap


@both
def test_what_a_renderer_leaves_running_is_killed(
    tmp_path: Path, has_walls: bool, running: Running, wait_for: Waiting
) -> None:
    mark = f"left-{tmp_path}"
    shell(bench_in(tmp_path, has_walls=has_walls), "sleep 300 >&- 2>&- & exit 0", env={"MARK": mark})
    wait_for(lambda: not running(mark))


@both
def test_another_thread_stops_a_render(tmp_path: Path, has_walls: bool, running: Running, wait_for: Waiting) -> None:
    bench = bench_in(tmp_path, has_walls=has_walls)

    def stop() -> None:
        wait_for((bench.folder / "here").exists)
        bench.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    mark = f"stopped-{tmp_path}"
    with pytest.raises(RenderStopped):
        shell(bench, "echo >here; sleep 300 & wait", env={"MARK": mark})
    thread.join()
    wait_for(lambda: not running(mark))


def test_nothing_runs_at_a_stopped_bench(tmp_path: Path) -> None:
    bench = bench_in(tmp_path)
    bench.stop()
    with pytest.raises(RenderStopped):
        shell(bench, "echo >here")
    assert not (bench.folder / "here").exists()


@both
def test_a_log_keeps_its_beginning_and_its_end(tmp_path: Path, has_walls: bool) -> None:
    bench = bench_in(tmp_path, Limits(log_bytes=1000), has_walls=has_walls)
    log = shell(bench, "echo the first; seq 100000; echo the last")
    assert log.startswith("the first")
    assert log.endswith("the last\n")
    assert "bytes left out" in log
    assert len(log) < 1100
    assert last_line(bench.folder.parent / "log.txt") == "the last"


def test_two_programs_share_a_log(tmp_path: Path) -> None:
    bench = bench_in(tmp_path)
    shell(bench, "echo one")
    assert shell(bench, "echo two") == "one\ntwo\n"


@both
def test_files_and_memory_are_limited(tmp_path: Path, has_walls: bool) -> None:
    bench = bench_in(tmp_path, Limits(file_mib=1, memory_mib=512), has_walls=has_walls)
    with pytest.raises(RenderFailed):
        shell(bench, "head -c 2000000 /dev/zero >big")
    assert (bench.folder / "big").stat().st_size == 2**20
    assert shell(bench, "ulimit -d").splitlines()[-1] == str(512 * 1024)


def test_what_is_done_aside_has_a_folder_that_is_removed_and_counts_here(tmp_path: Path) -> None:
    bench = bench_in(tmp_path)
    (bench.folder / "ours").touch()
    with bench.aside(60) as other:
        is_hidden = "!" if sandbox.has_walls() else ""
        other.run(["sh", "-c", f"touch theirs; {is_hidden} ls {bench.folder}/ours"], NO_ENV)
        folder = other.folder
        assert (folder / "theirs").exists()
        other.note(Usage(3.0, 7))
    assert not folder.parent.exists()
    assert bench.usage.cpu_s >= 3.0
    assert other.kept == bench.kept


def test_a_bench_that_is_stopped_stops_what_is_done_aside(tmp_path: Path, wait_for: Waiting) -> None:
    bench = bench_in(tmp_path)

    def stop_it(folder: Path) -> None:
        wait_for((folder / "here").exists)
        bench.stop()

    with bench.aside(60) as other:
        threading.Thread(target=stop_it, args=(other.folder,)).start()
        with pytest.raises(RenderStopped):
            other.run(["sh", "-c", "touch here; sleep 300"], NO_ENV)
    with bench.aside(60) as other, pytest.raises(RenderStopped):
        other.run(["true"], NO_ENV)


@both
def test_a_renderer_dies_with_its_worker(tmp_path: Path, has_walls: bool, running: Running, wait_for: Waiting) -> None:
    """Behind walls its children do, too; without them, the renderer alone."""
    (tmp_path / "room").mkdir()
    mark = f"orphan-{tmp_path}"
    last = "sleep 300; true" if has_walls else "exec sleep 300"
    program = (
        "from pathlib import Path\n"
        "from sheepfold.worker.bench import Bench, Limits\n"
        f"bench = Bench(Path({str(tmp_path / 'room')!r}), Path('log'), Limits(), has_walls={has_walls})\n"
        f"bench.run(['/bin/bash', '-c', 'echo >here; {last}'], {{'MARK': {mark!r}}})"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path)
    wait_for((tmp_path / "room" / "here").exists)
    assert running(mark)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: not running(mark) or time.sleep(0.1))
