"""The check-up by the command line."""

import json

import pytest

SMALL = ("--frames", "2", "--size", "32x32", "--quality", "1")


def test_a_farm_that_worked_is_well_until_a_file_is_spoilt(fold):
    key = fold.key("ann", "desk", "owner")
    fold.done("order", "flame", fold.genome(), *SMALL)
    fold.paint_all(fold.serve_here(), "ann", key)
    fold.end()
    for words in ((), ("--read-blobs",)):
        assert fold.done("check", *words).splitlines()[-1] == "All is well."
    blob = next(path for path in sorted((fold.data / "blobs").rglob("*")) if path.is_file())
    body = blob.read_bytes()
    blob.chmod(0o600)
    blob.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))
    assert fold.done("check").splitlines()[-1] == "All is well."
    ended = fold.do("check", "--read-blobs")
    assert ended.status == 1
    assert ended.lines[-1] == "1 findings."
    assert blob.name in ended.out
    blob.unlink()
    lines = fold.do("check").lines
    assert lines[-3].endswith("is missing")
    assert lines[-2].startswith("  What to do: Copy the file back from a backup")
    (broken,) = json.loads(fold.do("check", "--json").out)["broken"]
    assert broken["invariant"] == "every blob that is named is there"
    assert blob.name in broken["what"]
    assert broken["remedy"] in lines[-2]


def test_a_database_that_is_not_there_is_one_line(run, tmp_path):
    ended = run("check", "--data", tmp_path, DATABASE_URL="postgresql://nobody@127.0.0.1:1/x?connect_timeout=1")
    assert (ended.status, ended.out) == (1, "")
    assert "Traceback" not in ended.err
    assert ended.err.splitlines()[-1].startswith("sheepfold: ")


@pytest.mark.parametrize("words", [("check",), ("backup", "copy"), ("account", "list"), ("job", "list"), ("storage",)])
def test_where_no_farm_is_none_is_made(run, tmp_path, words):
    ended = run(*words, "--data", tmp_path / "frm")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"sheepfold: There is no farm in {tmp_path / 'frm'}")
    assert list(tmp_path.iterdir()) == []
