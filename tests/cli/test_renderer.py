"""Renderers by the command line."""

import io
import tarfile


def test_a_local_renderer_is_added_listed_and_removed(fold):
    assert fold.done("renderer", "add", "local").startswith("Blender 4.5 for linux, 64 bits (local): ")
    assert "local" in fold.done("renderer", "list")
    fold.done("renderer", "remove", "4.5")
    assert "local" not in fold.done("renderer", "list")


def test_a_download_is_repacked(fold):
    download = fold.folder / "blender.tar.xz"
    with tarfile.open(download, "w:xz") as archive:
        program = tarfile.TarInfo("blender-4.5.3-linux-x64/blender")
        program.size = 4
        archive.addfile(program, io.BytesIO(b"\x7fELF"))
    told = fold.done("renderer", "add", "official", download, "--version", "4.5.3")
    assert told.startswith("Blender 4.5.3 for linux, 64 bits (official): ")


def test_what_cannot_be_added_is_refused_in_one_line(fold):
    ended = fold.do("renderer", "add", "local", "--os", "windows")
    assert ended.status != 0
    assert "shell script" in ended.err
