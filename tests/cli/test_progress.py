"""Progress is shown on standard error, as a bar where somebody looks and else in few lines."""

import contextlib
import os
import pty

from sheepfold.cli import progress


def test_a_pipe_gets_a_line_for_each_tenth(capsys):
    with progress.progress("Sent", in_bytes=True) as step:
        for done in range(2001):
            step(done, 2000)
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert (len(lines), lines[0], lines[-1]) == (11, "Sent: 0 of 2,000 bytes", "Sent: 2,000 of 2,000 bytes")


def test_what_takes_no_step_says_nothing(capsys):
    with progress.progress("Sent"):
        pass
    assert capsys.readouterr().err == ""


def read_all(terminal):
    """Read what a terminal was told, which may come in parts, until nobody has it open."""
    with contextlib.suppress(OSError):
        while part := os.read(terminal, 65536):
            yield part


def test_a_terminal_gets_a_bar(monkeypatch):
    near, far = pty.openpty()
    with os.fdopen(far, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        with progress.progress("Job 1000") as step:
            step(3, 4)
    shown = b"".join(read_all(near)).decode()
    os.close(near)
    assert "Job 1000" in shown
    assert "3/4" in shown
    assert "\x1b[" in shown
