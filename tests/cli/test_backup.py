"""The commands `backup` and `restore`: what they say, and how they end."""

from sheepfold.farm.backup import read_backup


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
