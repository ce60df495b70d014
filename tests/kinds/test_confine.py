import socket
import sys
from pathlib import Path

import pytest

from sheepfold.kinds import confine, walls

PYTHON = str(Path(sys.executable).resolve())
FEW = confine.Limits(time_s=20, memory_mib=2000)


def _run(folder: Path, code: str, limits: confine.Limits = FEW, **env: str) -> confine.Outcome:
    readable = [Path(sys.base_prefix)] if not sys.base_prefix.startswith("/usr") else []
    return confine.run([PYTHON, "-I", "-c", code], env, folder.resolve(), readable, limits)


def test_a_program_answers_with_its_status_output_and_errors(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getcwd(), os.environ['A']); print('e', file=sys.stderr); sys.exit(3)"
    assert _run(tmp_path, code, A="b") == confine.Outcome(3, f"{tmp_path.resolve()} b\n".encode(), b"e\n")


def test_a_program_sees_no_home_and_writes_in_its_folder_alone(tmp_path: Path) -> None:
    if walls.why_none():
        pytest.skip("bubblewrap does not work here")
    (tmp_path / "room").mkdir()
    secret = tmp_path / "secret"
    secret.write_text("x")
    code = (
        "import os, pathlib\npathlib.Path('mine').write_text('x')\n"
        f"print(os.path.exists({str(secret)!r}), os.path.exists('/etc/passwd'))\n"
        # Python itself may live below the home; then nothing but the way to it is there
        f"home, base = {str(Path.home())!r}, {sys.base_prefix!r}\n"
        "seen = os.listdir(home) if os.path.exists(home) else []\n"
        "print([name for name in seen if not base.startswith(os.path.join(home, name))])\n"
        "try:\n    pathlib.Path('/usr/evil').write_text('x')\nexcept OSError:\n    print('held')"
    )
    assert _run(tmp_path / "room", code).output == b"False False\n[]\nheld\n"
    assert (tmp_path / "room" / "mine").read_text() == "x"


def test_a_program_has_no_network(tmp_path: Path) -> None:
    if walls.why_none():
        pytest.skip("bubblewrap does not work here")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        code = f"import socket; socket.create_connection(('127.0.0.1', {listener.getsockname()[1]}), 2)"
        outcome = _run(tmp_path, code)
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert outcome.status == 1
    assert b"OSError" in outcome.errors or b"refused" in outcome.errors


def test_a_program_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    outcome = _run(tmp_path, "import time; time.sleep(60)", confine.Limits(time_s=1))
    assert outcome.status is None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Only Linux is told who goes first.")
def test_where_memory_runs_out_a_program_goes_before_all_others(tmp_path: Path) -> None:
    assert confine.run(["cat", "/proc/self/oom_score_adj"], {}, tmp_path.resolve(), []).output == b"1000\n"


def test_limits_hold(tmp_path: Path) -> None:
    assert b"MemoryError" in _run(tmp_path, "bytes(10**9)", confine.Limits(memory_mib=500)).errors
    assert b"MemoryError" in _run(tmp_path, "bytes(10**9)", confine.Limits(own_mib=500)).errors
    assert _run(tmp_path, "bytes(10**8)", confine.Limits(own_mib=500)).status == 0
    outcome = _run(tmp_path, "open('f', 'wb').write(bytes(2**21))", confine.Limits(file_mib=1))
    assert b"File too large" in outcome.errors
    assert (tmp_path / "f").stat().st_size <= 2**20
