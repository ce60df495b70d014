"""Jobs by the command line: followed, fetched and canceled."""

import json
import sqlite3
import subprocess
import zipfile
from contextlib import closing

import pytest
from PIL import Image

SMALL = ("--frames", "3", "--size", "32x32", "--quality", "1")


@pytest.fixture
def studio(fold):
    fold.done("account", "add", "ann", "--role", "owner", "--password-stdin", said="correct horse\n")
    return fold


@pytest.fixture
def number(studio):
    return int(studio.done("order", "flame", studio.genome(), *SMALL, "--title", "Coral [bold] 羊"))


def frames_in(film):
    words = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", film]
    shown = subprocess.run(words, capture_output=True, check=True, timeout=60).stdout
    (stream,) = json.loads(shown)["streams"]
    return int(stream["nb_read_frames"]), (stream["width"], stream["height"])


def test_jobs_are_listed_with_their_titles_as_they_are(studio, number):
    line = studio.done("job", "list").splitlines()[1]
    assert line.split() == [str(number), "flame", "Coral", "[bold]", "羊", "running", "0", "0", "3"]


def test_a_title_cannot_command_the_terminal(studio):
    studio.done("order", "flame", studio.genome(), *SMALL, "--title", "\x1b[2J[/red] gone")
    for words in (("job", "list"), ("job", "show", 1000)):
        told = studio.done(*words)
        assert "\x1b" not in told
        assert "[2J[/red] gone" in told


def test_waiting_for_what_is_not_done_ends_with_3(studio, number):
    ended = studio.do("job", "wait", number, "--timeout", "0.1")
    assert (ended.status, ended.out) == (3, "")


def test_a_canceled_job_is_canceled_once_and_waited_for_in_vain(studio, number):
    assert studio.done("job", "cancel", number) == f"Job {number} is canceled.\n"
    again = studio.do("job", "cancel", number)
    assert (again.status, again.err.splitlines()[-1]) == (1, f"sheepfold: Job {number} is canceled already.")
    ended = studio.do("job", "wait", number)
    assert (ended.status, ended.out) == (1, f"Job {number} is canceled.\n")


@pytest.mark.parametrize("words", [("show", 7), ("wait", 7), ("cancel", 7), ("download", 7, "there"),
                                   ("show", "-1"), ("show", 0), ("show", 2**63), ("show", "9" * 5000)])
def test_a_job_that_there_is_not_is_said_without_a_traceback(studio, words):
    ended = studio.do("job", *words)
    assert ended.status in {1, 2}
    assert ended.out == ""
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("way", ["folder", "network"])
def test_a_job_that_is_done_is_downloaded_whole(studio, run, number, way):
    key = studio.done("key", "add", "ann", "desk", "--bare").strip()
    url = studio.serve().url
    words = ("--data", studio.data) if way == "folder" else ("--server", url, "--key", key)
    assert studio.paint_all(url, "ann", key) == 3
    waited = run("job", "wait", number, "--timeout", "60", *words)
    assert (waited.status, waited.out) == (0, f"Job {number} is done.\n")
    fetched = run("job", "download", number, studio.folder / "fetched", *words)
    assert fetched.status == 0, fetched.err
    paths = {path.relative_to(studio.folder / "fetched").as_posix(): path
             for path in (studio.folder / "fetched").rglob("*") if path.is_file()}
    assert set(paths) == {"film.avi", "film.mp4", "sheet.jpg", *(f"frames/000{frame}.png" for frame in range(3))}
    assert fetched.lines == sorted(fetched.lines, key=lambda line: ("frames" in line, line))
    assert {line.rpartition("fetched/")[2] for line in fetched.lines} == set(paths)
    for film in ("film.avi", "film.mp4"):
        assert frames_in(paths[film]) == (3, (32, 32))
    with Image.open(paths["frames/0001.png"]) as picture:
        assert picture.size == (32, 32)
    assert run("job", "frames", number, studio.folder / "frames.zip", *words).status == 0
    with zipfile.ZipFile(studio.folder / "frames.zip") as archive:
        assert archive.read("0001.png") == paths["frames/0001.png"].read_bytes()
    shown = run("job", "show", number, *words).out
    assert "done, 3 of 3 done" in shown
    assert "film.mp4" in shown
    again = run("job", "download", number, studio.folder / "fetched", *words)
    assert (again.status, again.lines) == (0, fetched.lines)


def test_a_job_is_changed_hidden_and_shared(studio):
    number = int(studio.done("order", "flame", studio.genome(), "--still", "--size", "32x32", "--quality", "1"))
    assert studio.done("job", "priority", number, "7") == f"The priority of job {number} is 7 now.\n"
    assert studio.done("job", "hide", number) == f"Job {number} is private.\n"
    assert "/shared/" in studio.done("job", "share", number)
    assert studio.done("job", "unshare", number) == f"Revoked 1 links to job {number}.\n"
    assert studio.done("job", "unhide", number) == f"Everybody sees job {number}.\n"


def test_what_cannot_be_rendered_again_or_extended_is_said_in_a_sentence(studio, number):
    again = studio.do("job", "again", number, 0)
    assert (again.status, again.err.splitlines()[-1]) == (
        1, f"sheepfold: Frame 0 of job {number} is being made already.")
    longer = studio.do("job", "extend", number, "4-9")
    assert (longer.status, "all that it can have" in longer.err) == (1, True)


def test_screenshots_that_expire_are_prolonged(fold, run):
    key = fold.key("ann", "desk")
    fold.done("order", "screenshot", "http://127.0.0.1/", "--expire", "600", "--account", "ann")
    fold.done("order", "screenshot", "http://127.0.0.1/", "--account", "ann")
    said = fold.done("job", "prolong", 1000, "--account", "ann")
    assert said.startswith("Job 1000 is worth making until 2")
    url = fold.serve_here()
    assert run("job", "prolong", 1001, "--server", url, "--key", key).out == "Job 1001 is worth making for ever.\n"
    assert "no order of screenshots" in run("job", "prolong", 1002, "--server", url, "--key", key).err


def test_what_was_given_up_of_a_job_is_queued_again(fold, run):
    key = fold.key("ann", "desk")
    number = fold.done("order", "flame", fold.genome(), *SMALL, "--account", "ann").strip()
    with closing(sqlite3.connect(fold.data / "farm.sqlite", isolation_level=None)) as rows:
        rows.execute("INSERT INTO chores (what, job_id, state, queued_at, due_at)"
                     " VALUES ('assemble', ?, 'failed', 1, 1)", (number,))
        said = fold.done("job", "remake", number, "--account", "ann")
        assert said == f"Queued 1 chore of job {number} again.\n"
        rows.execute("UPDATE chores SET state = 'failed'")
        afar = ("--server", fold.serve_here(), "--key", key)
        assert json.loads(run("job", "remake", number, *afar, "--json").out) == {"chores": 1}
        assert run("job", "remake", number, *afar).out == f"Queued 0 chores of job {number} again.\n"
        assert rows.execute("SELECT count(*) FROM chores WHERE state = 'queued'").fetchone() == (1,)


def test_jobs_are_told_as_json(studio, number):
    (listed,) = json.loads(studio.done("job", "list", "--json"))["jobs"]
    shown = json.loads(studio.done("job", "show", number, "--json"))
    assert (listed["id"], listed["title"], shown["tasks_total"]) == (number, "Coral [bold] 羊", 3)
    assert [task["frame"] for task in shown["tasks"]] == [0, 1, 2]


def test_frames_of_a_single_colour_may_be_meant(studio):
    for words, meant in ((("--allow-blank",), True), ((), False)):
        number = studio.done("order", "flame", studio.genome(), *SMALL, *words).strip()
        assert json.loads(studio.done("job", "show", number, "--json"))["spec"]["allow_blank"] is meant


def test_what_is_wrong_with_a_picture_is_reported(fold, run):
    key = fold.key("ann", "desk")
    fold.done("order", "flame", fold.genome(), *SMALL, "--account", "ann")
    url = fold.serve_here()
    refused = run("job", "report", 1, "Too dark.", "--server", url, "--key", key)
    assert (refused.status, "has no picture yet" in refused.err) == (1, True)
    fold.paint_all(url, "ann", key)
    assert run("job", "report", 1, "Too dark.", "--server", url, "--key", key).out == "Reported of task 1.\n"
    assert "text Too dark." in fold.done("story", "task", 1)
