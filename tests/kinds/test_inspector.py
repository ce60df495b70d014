import gc
import io
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from PIL import Image

from sheepfold.kinds import inspector as inspector_module
from sheepfold.kinds.inspector import Inspector
from sheepfold.kinds.seam import Facts, Inspection, Soundness
from sheepfold.model.errors import InvalidSpec, Unavailable, UndecodablePicture

Noise = Callable[..., Image.Image]
FACTS = Facts({"width": 40, "height": 30}, 0)
LARGE = Facts({"width": 8192, "height": 8192}, 0)


@pytest.fixture
def picture(tmp_path: Path, noise: Noise) -> Path:
    path = tmp_path / "a.png"
    noise(40, 30).save(path)
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a sound file of some hundred KB that takes 200 MB and a while to decode."""
    path = tmp_path_factory.mktemp("large") / "large.png"
    Image.new("RGB", (8192, 8192)).save(path, compress_level=1)
    return path


def test_a_sound_picture_is_sound(inspector: Inspector, picture: Path) -> None:
    found = inspector.inspect("flame", picture, FACTS)
    assert (found.soundness, found.media_type, found.width, found.height) == (Soundness.SOUND, "image/png", 40, 30)


def test_two_files_are_compared(inspector: Inspector, picture: Path, tmp_path: Path, noise: Noise) -> None:
    noise(40, 30, 1).save(tmp_path / "b.png")
    assert inspector.same("flame", picture, picture, FACTS)
    assert not inspector.same("flame", picture, tmp_path / "b.png", FACTS)


def test_a_smaller_copy_is_made_and_none_of_what_cannot_be_read_or_is_too_much(
    picture: Path, large: Path, tmp_path: Path, noise: Noise
) -> None:
    with Inspector(1, memory_mib=300) as inspector:
        inspector.start()
        before = inspector.pids
        with Image.open(io.BytesIO(inspector.shrink(picture, 20))) as small:
            assert (small.format, small.size) == ("PNG", (20, 15))
        broken = tmp_path / "broken.png"
        broken.write_bytes(picture.read_bytes()[:-100])
        for path in (large, broken):
            with pytest.raises(UndecodablePicture, match="There is no smaller copy of the picture"):
                inspector.shrink(path, 20)
        assert inspector.pids == before
    noise(2400, 2400).save(tmp_path / "noise.png")
    with Inspector(1) as inspector, pytest.raises(UndecodablePicture, match="more than 16777216 bytes"):
        inspector.shrink(tmp_path / "noise.png", 2400)


def test_a_file_that_needs_too_much_memory_is_undecodable_and_the_next_is_judged(large: Path, picture: Path) -> None:
    with Inspector(1, memory_mib=300) as inspector:
        inspector.start()
        before = inspector.pids
        assert inspector.inspect("flame", large, LARGE).soundness is Soundness.UNDECODABLE
        assert inspector.inspect("flame", picture, FACTS).soundness is Soundness.SOUND
        assert inspector.pids == before


def test_a_file_that_takes_too_long_is_undecodable_and_a_new_child_judges_the_next(large: Path, picture: Path) -> None:
    with Inspector(1, deadline_s=0.05) as inspector:
        inspector.start()
        before = inspector.pids
        found = inspector.inspect("flame", large, LARGE)
        assert found.soundness is Soundness.UNDECODABLE
        assert "0.05 seconds" in found.reason
        assert not inspector.same("flame", large, large, LARGE)
        assert inspector.pids != before
    with Inspector(1) as inspector:
        assert inspector.inspect("flame", picture, FACTS).soundness is Soundness.SOUND


def test_a_child_that_dies_makes_its_file_undecodable(picture: Path) -> None:
    with Inspector(1) as inspector, ThreadPoolExecutor(1) as pool:
        asked = _asked(inspector, pool, picture)
        (child,) = inspector.pids
        for sign in (signal.SIGSEGV, signal.SIGCONT):
            os.kill(child, sign)
        assert asked.result().soundness is Soundness.UNDECODABLE


def test_a_child_that_is_killed_from_without_says_nothing_about_its_file(picture: Path) -> None:
    with Inspector(1) as inspector, ThreadPoolExecutor(1) as pool:
        asked = _asked(inspector, pool, picture)
        before = inspector.pids
        os.kill(before[0], signal.SIGKILL)
        assert asked.result().soundness is Soundness.SOUND
        assert inspector.pids != before


def test_a_child_that_gets_no_processor_time_says_nothing_about_its_file(picture: Path) -> None:
    with Inspector(1, deadline_s=5) as inspector:
        inspector.start()
        before = inspector.pids
        os.kill(before[0], signal.SIGSTOP)
        assert inspector.inspect("flame", picture, FACTS).soundness is Soundness.SOUND
        assert inspector.pids != before


def test_a_child_that_died_between_two_files_is_replaced_unseen(picture: Path) -> None:
    with Inspector(1) as inspector:
        inspector.start()
        os.kill(inspector.pids[0], signal.SIGKILL)
        _wait_until_gone(inspector)
        assert inspector.inspect("flame", picture, FACTS).soundness is Soundness.SOUND


def test_a_child_is_renewed_when_worn_out(picture: Path) -> None:
    with Inspector(1, renew_after=2) as inspector:
        pids = []
        for _ in range(4):
            inspector.inspect("flame", picture, FACTS)
            pids += inspector.pids
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_child_whose_answer_has_no_bottom_is_ended(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nests = "import os, sys\nfd = int(sys.argv[1])\nos.write(fd, b'{}\\n')\nos.read(fd, 999)\n" \
            "os.write(fd, b'[' * 20_000 + b'\\n')\nos.read(fd, 999)"

    def spawn(far: socket.socket, *_: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", nests, str(far.fileno())], pass_fds=[far.fileno()])

    with Inspector(1) as inspector:
        with monkeypatch.context() as patch:
            patch.setattr(inspector_module, "_spawn", spawn)
            inspector.start()
            before = inspector.pids
            found = inspector.inspect("flame", picture, FACTS)
        assert (found.soundness, "nonsense" in found.reason) == (Soundness.UNDECODABLE, True)
        assert inspector.inspect("flame", picture, FACTS).soundness is Soundness.SOUND
        assert inspector.pids != before


def test_a_child_that_goes_on_answering_is_ended_in_time(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drips = "import os, sys, time\nfd = int(sys.argv[1])\nos.write(fd, b'{}\\n')\nos.read(fd, 999)\n" \
            "while os.write(fd, b' '): time.sleep(0.05)"

    def spawn(far: socket.socket, *_: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen([sys.executable, "-c", drips, str(far.fileno())], pass_fds=[far.fileno()])

    with Inspector(1, deadline_s=1) as inspector:
        inspector.start()
        with monkeypatch.context() as patch:
            patch.setattr(inspector_module, "_spawn", spawn)
            inspector._all[0].child.end()
            found = inspector.inspect("flame", picture, FACTS)
        assert (found.soundness, "1 seconds" in found.reason) == (Soundness.UNDECODABLE, True)
        assert inspector.inspect("flame", picture, FACTS).soundness is Soundness.SOUND


def test_a_child_has_processor_time_for_one_file_at_a_time_and_dies_when_it_is_over(picture: Path) -> None:
    with Inspector(1, deadline_s=5) as inspector:
        for _ in range(2):
            inspector.inspect("flame", picture, FACTS)
            (child,) = map(psutil.Process, inspector.pids)
            used_s = sum(child.cpu_times()[:2])
            assert used_s < child.rlimit(psutil.RLIMIT_CPU)[0] < used_s + 10
    assert _limited("inspecting._grant(1)\nwhile True: pass").returncode == -signal.SIGXCPU


def test_processor_time_is_given_as_far_as_the_servers_own_limit_goes() -> None:
    granted = _limited("resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\ninspecting._grant(100)\n"
                       "print(*resource.getrlimit(resource.RLIMIT_CPU))")
    assert (granted.stdout, granted.returncode) == ("60 60\n", 0)


def _limited(code: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that limits itself as a child does."""
    argv = [sys.executable, "-c", f"import resource\nfrom sheepfold.kinds import inspecting\n{code}"]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_where_no_child_can_be_started_nothing_is_said_of_the_file_and_no_file_stays_open(picture: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = _open_files()
    free = sorted(set(range(soft)) - before)
    found = []
    for room in range(12):  # for so many files more, until it is enough
        with Inspector(1) as inspector:
            resource.setrlimit(resource.RLIMIT_NOFILE, (free[room], hard))
            try:
                found.append(inspector.inspect("flame", picture, FACTS).soundness)
            except Unavailable:
                found.append(None)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        inspector._all[0].child = None
        gc.collect()
        assert _open_files() == before
    assert (found[0], found[-1]) == (None, Soundness.SOUND)
    assert set(found) == {None, Soundness.SOUND}


def test_many_threads_share_few_children(picture: Path) -> None:
    with Inspector(2) as inspector, ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: inspector.inspect("flame", picture, FACTS).soundness, range(200)))
        assert found == [Soundness.SOUND] * 200
        assert len(inspector.pids) <= 2


def test_close_ends_all_children_and_whoever_asks_then_is_told(picture: Path) -> None:
    inspector = Inspector(2)
    inspector.start()
    pids = inspector.pids
    inspector.close()
    inspector.close()
    assert len(pids) == 2
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(Unavailable):
        inspector.inspect("flame", picture, FACTS)


def test_close_frees_whoever_waits_for_an_answer_and_gives_no_verdict(picture: Path) -> None:
    inspector = Inspector(1)
    with ThreadPoolExecutor(1) as pool:
        asked = _asked(inspector, pool, picture)
        inspector.close()
        with pytest.raises(Unavailable):
            asked.result(timeout=60)


def test_a_missing_file_and_an_unknown_kind_are_the_callers_mistakes(inspector: Inspector, picture: Path) -> None:
    with pytest.raises(FileNotFoundError):
        inspector.inspect("flame", picture.with_name("none.png"), FACTS)
    with pytest.raises(InvalidSpec):
        inspector.inspect("sculpture", picture, FACTS)


def test_facts_that_the_kind_cannot_read_do_not_end_the_child(inspector: Inspector, picture: Path) -> None:
    inspector.start()
    before = inspector.pids
    assert inspector.inspect("flame", picture, Facts({}, 0)).soundness is Soundness.UNDECODABLE
    assert inspector.pids == before


def test_a_child_sees_none_of_the_servers_secrets_and_keeps_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    with Inspector(1, memory_mib=512) as inspector:
        inspector.start()
        child = Path("/proc") / str(inspector.pids[0])
        assert b"secret" not in (child / "environ").read_bytes()
        limits = (child / "limits").read_text()
        assert f"Max address space         {512 * 2**20}" in limits
        assert "Max core file size        0" in limits
        assert "Max file size             0" in limits
        assert len(list((child / "fd").iterdir())) == 4  # the three standard ones and its line


def test_children_end_where_their_server_was_killed_also_while_they_read_a_file(large: Path) -> None:
    code = (
        "import threading\nfrom pathlib import Path\nfrom sheepfold.kinds.inspector import Inspector\n"
        "from sheepfold.kinds.seam import Facts\n"
        "inspector = Inspector(2, deadline_s=10)\ninspector.start()\n"
        "facts = Facts({'width': 8192, 'height': 8192}, 0)\n"
        f"asked = 'flame', Path({str(large)!r}), facts\n"
        "threading.Thread(target=inspector.inspect, args=asked, daemon=True).start()\n"
        "print(*inspector.pids, flush=True)\ninput()"
    )
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        children = [psutil.Process(int(pid)) for pid in server.stdout.readline().split()]
        server.kill()
    assert len(children) == 2
    gone, alive = psutil.wait_procs(children, timeout=60)
    assert (len(gone), alive) == (2, [])


def test_an_import_and_a_construction_start_nothing() -> None:
    code = (
        "import subprocess; subprocess.Popen = None; import threading;"
        "from sheepfold.kinds.inspector import Inspector; Inspector(); assert threading.active_count() == 1"
    )
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)


def test_it_works_from_a_program_that_came_by_standard_input(picture: Path) -> None:
    code = (
        "from pathlib import Path\nfrom sheepfold.kinds.inspector import Inspector\n"
        "from sheepfold.kinds.seam import Facts\n"
        f"facts = Facts({{'width': 40, 'height': 30}}, 0)\n"
        f"with Inspector(1) as i: print(i.inspect('flame', Path({str(picture)!r}), facts))"
    )
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-"], input=code, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert "SOUND" in done.stdout


def _open_files() -> set[int]:
    return {number for number in range(1024) if Path(f"/proc/self/fd/{number}").is_symlink()}


def _asked(inspector: Inspector, pool: ThreadPoolExecutor, picture: Path) -> "Future[Inspection]":
    """Ask about a file in a thread; returns when the child has its question, at which it stands still."""
    inspector.start()
    child = inspector._all[0].child
    assert child is not None
    os.kill(child.pid, signal.SIGSTOP)
    asked = pool.submit(inspector.inspect, "flame", picture, FACTS)
    pause = threading.Event()
    until = time.monotonic() + 60
    while not child.asked:
        assert time.monotonic() < until
        pause.wait(0.001)
    return asked


def _wait_until_gone(inspector: Inspector) -> None:
    pause = threading.Event()
    until = time.monotonic() + 60
    while inspector.pids and time.monotonic() < until:
        pause.wait(0.01)
