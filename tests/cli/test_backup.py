"""The commands `backup` and `restore`: what they say, and how they end."""

import json

import pytest

from sheepfold.farm.manifest import MANIFEST, read_backup


def test_a_farm_is_copied_and_made_again(fold, run, tmp_path):
    fold.done("account", "add", "ann", "--role", "artist", "--password-stdin", said="correct horse\n")
    fold.done("order", "flame", fold.genome(), "--frames", 2, "--size", "32x32", "--quality", 1, "--account", "ann")
    made = fold.do("backup", tmp_path / "safe")
    assert (made.status, made.err, made.lines[-1].split()[:2]) == (0, "", ["3", "files"]), made
    again = run("restore", tmp_path / "safe", "--data", tmp_path / "again")
    assert (again.status, again.out) == (0, "3 files and the database are back. All is well.\n"), again


def test_a_farm_that_lost_a_file_is_copied_all_the_same_and_both_commands_say_so(fold, run, tmp_path):
    fold.done("account", "add", "ann", "--role", "artist", "--password-stdin", said="correct horse\n")
    fold.done("order", "flame", fold.genome(), "--frames", 2, "--size", "32x32", "--quality", 1, "--account", "ann")
    lost = min((fold.data / "blobs").glob("[0-9a-f][0-9a-f]/*"))
    lost.unlink()
    sentence = (f"The backup lacks 1 file that the farm had lost: {lost.name}. Everything else can be restored from"
                " it.\n")
    made = fold.do("backup", tmp_path / "safe")
    assert (made.status, made.err, made.lines[-1].split()[:2]) == (1, sentence, ["2", "files"]), made
    again = run("restore", tmp_path / "safe", "--data", tmp_path / "again")
    assert (again.status, sentence in again.out, again.lines[-1]) == (
        1, True, "2 files and the database are back. Not all is well."), again
    assert f"Broken: every blob that is named is there: blob {lost.name} " in again.out
    told = run("farm", "backup", "--data", fold.data, SHEEPFOLD_BACKUP_FOLDER=str(tmp_path / "safe"))
    assert (told.status, told.out) == (1, f"The backup failed: {sentence}"), told
    assert read_backup(tmp_path / "safe").lost == (lost.name,)


@pytest.fixture
def safe(fold, tmp_path):
    """A folder with the backup of a farm that has three files."""
    fold.done("account", "add", "ann", "--role", "artist", "--password-stdin", said="correct horse\n")
    fold.done("order", "flame", fold.genome(), "--frames", 2, "--size", "32x32", "--quality", 1, "--account", "ann")
    fold.done("backup", tmp_path / "safe")
    return tmp_path / "safe"


def refusal(ended):
    """Return the one line by which a command ended."""
    assert (ended.status, ended.out) == (1, ""), ended
    (line,) = [line for line in ended.err.splitlines() if line.startswith("sheepfold: ")]
    assert ended.err.splitlines()[-1] == line
    return line


def test_a_backup_is_proven_without_a_farm_and_all_that_is_wrong_is_said(run, safe):
    proven = run("restore", safe, "--check")
    assert (proven.status, proven.out) == (0, "3 files and the database can be restored.\n"), proven
    spoilt, gone, _ = sorted(safe.glob("blobs/*/*"))
    body = spoilt.read_bytes()
    spoilt.unlink()
    spoilt.write_bytes(bytes(len(body)))
    gone.unlink()
    found = run("restore", safe, "--check")
    assert (found.status, found.lines[-1]) == (1, "2 findings."), found
    rule = "Broken: every file of the backup is what its name says:"
    assert found.lines[0].startswith(f"{rule} {spoilt} is spoilt: its SHA-256 is ")
    assert found.lines[1] == f"{rule} {gone} cannot be read: No such file or directory"
    assert found.lines[2].startswith("  What to do: Delete it where it is there, and make the next backup")
    assert not list(safe.parent.glob("again*"))


def test_a_backup_of_the_format_before_is_restored_with_a_warning(run, safe, tmp_path):
    told = json.loads((safe / MANIFEST).read_text())
    del told["sums"]
    (safe / MANIFEST).write_text(json.dumps(told | {"format": 2}))
    warning = ("Warning: An older version made this backup, without the sums of its database: nothing proves that it is"
               " whole.")
    assert run("restore", safe, "--check").lines == [warning, "3 files and the database can be restored."]
    again = run("restore", safe, "--data", tmp_path / "again")
    assert (again.status, again.lines) == (0, [warning, "3 files and the database are back. All is well."]), again


def test_as_many_files_as_came_back_are_counted(run, safe, tmp_path):
    min(safe.glob("blobs/*/*")).unlink()
    again = run("restore", safe, "--data", tmp_path / "again")
    assert (again.status, again.lines[-1]) == (1, "2 files and the database are back. Not all is well."), again


def test_what_keeps_a_restore_is_one_line(run, safe, tmp_path):
    def restored(data=tmp_path / "again"):
        return refusal(run("restore", safe, "--data", data))

    assert restored("/proc/again") == (
        "sheepfold: The farm in /proc/again cannot be made: /proc/again: No such file or directory.")
    assert restored(safe) == f"sheepfold: A farm does not lie inside of a backup: {safe} is in {safe}."
    (own,) = safe.glob("farm-*")
    database, blob = own / "database" / "farm.sqlite", min(safe.glob("blobs/*/*"))
    body = database.read_bytes()
    database.write_bytes(b"")
    assert restored().startswith(
        f"sheepfold: The backup is not as it was saved: {database} has 0 bytes, and not {len(body):,}. Restore another")
    database.write_bytes(body)
    for part in (own / "files.txt", database, own):
        part.rename(tmp_path / "away")
        missing = part / "files.txt" if part == own else part
        assert f"{missing} cannot be read: No such file or directory" in restored()
        (tmp_path / "away").rename(part)
    blob.rename(tmp_path / "away")
    blob.mkdir()
    assert restored() == f"sheepfold: The farm in {tmp_path / 'again'} cannot be made: {blob}: Is a directory."
    (safe / MANIFEST).write_text((safe / MANIFEST).read_text().replace('"lost": []', '"lost": null'))
    assert restored().endswith(f"{safe} holds no finished backup: there is no {MANIFEST} that can be read.")
    asked = run("restore", safe)
    assert (asked.status, "Say where the farm shall be: --data DIR" in asked.err) == (2, True), asked


def test_what_keeps_a_backup_is_one_line(fold, safe):
    made = read_backup(safe)
    for folder, found in (("/proc/safe", "No such file or directory"), (safe / MANIFEST / "x", "Not a directory")):
        assert refusal(fold.do("backup", folder)) == (
            f"sheepfold: The backup cannot be made: {folder}: {found}.")
    assert read_backup(safe) == made


def test_a_database_that_is_cut_is_one_line_in_every_command(fold):
    fold.done("account", "add", "ann", "--role", "owner", "--password-stdin", said="correct horse\n")
    database = fold.data / "farm.sqlite"
    body = database.read_bytes()
    for spoilt in (body[: len(body) // 2], b"no database " * 500):
        database.write_bytes(spoilt)
        for words in (("account", "list"), ("storage",), ("check",), ("backup", fold.folder / "safe")):
            assert refusal(fold.do(*words)).startswith("sheepfold: The database is damaged: "), words
