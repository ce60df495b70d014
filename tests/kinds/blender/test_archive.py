"""Zips are handed on so that clients which go by their headers alone unpack what the farm has seen in them."""

import stat
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from sheepfold.kinds.blender.archive import pack
from sheepfold.kinds.blender.project import look_into

FILES = {"scene.blend": b"BLENDER-v402" + bytes(50), "textures/": b"", "textures/新しい羊.png": b"wool" * 9}
UTF8 = 0x800
FOLDER, FILE = stat.S_IFDIR << 16, stat.S_IFREG << 16


@dataclass(frozen=True)
class Unpacked:
    """What a reader that believes headers makes of an entry; a mode of 0 is that of its own user."""

    name: str
    content: bytes
    mode: int
    dos: int


def zipped(path: Path, files: dict[str, bytes] = FILES, *, flags: int = UTF8, folder: int = 0, file: int = 0) -> Path:
    """Write a zip in which each name has these flags, each folder and the first file the attributes asked for."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.comment = b"of the sheep" if content else b""
            archive.writestr(info, content)
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        told_at = archive.start_dir
        for number, info in enumerate(archive.infolist()):
            for at in (info.header_offset + 6, told_at + 8):
                struct.pack_into("<H", whole, at, flags)
            struct.pack_into("<I", whole, told_at + 38, folder if info.is_dir() else file if not number else 0)
            told_at += 46 + len(info.filename.encode()) + len(info.extra) + len(info.comment)
    path.write_bytes(whole)
    return path


def unpacked(path: Path) -> list[Unpacked]:
    """Unpack as zip4j does: a name is UTF-8 where a flag says so and of code page 437 elsewhere, modes are as told."""
    found = []
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None  # which compares each name with that in the file's own header, too
        for info in archive.infolist():
            with path.open("rb") as file:
                file.seek(info.header_offset + 6)
                own_flags, = struct.unpack("<H", file.read(2))
            assert (own_flags ^ info.flag_bits) & UTF8 == 0
            found.append(Unpacked(info.filename, archive.read(info), info.external_attr >> 16, info.external_attr & 7))
    return found


def handed_on(archive: Path) -> Path:
    """Return what clients get of a zip, made twice and the same both times."""
    folders = [archive.parent / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
    one, other = (pack({"project": archive}, {}, folder).path for folder in folders)
    assert one.read_bytes() == other.read_bytes()
    return one


@pytest.mark.parametrize("flags", [0, 0x2])
def test_names_that_no_flag_calls_utf8_are_unpacked_as_the_farm_reads_them(tmp_path: Path, flags: int) -> None:
    project = zipped(tmp_path / "p.zip", flags=flags)
    assert unpacked(project)[2].name != "textures/新しい羊.png"
    made = handed_on(project)
    assert {one.name: one.content for one in unpacked(made)} == FILES
    assert [name for name, _ in look_into(made).files] == ["scene.blend", "textures/新しい羊.png"]
    assert made.stat().st_size == project.stat().st_size
    assert sum(a != b for a, b in zip(made.read_bytes(), project.read_bytes(), strict=True)) == 2


def test_a_scene_whose_name_no_flag_calls_utf8_is_found_by_its_path(tmp_path: Path) -> None:
    project = zipped(tmp_path / "p.zip", {"羊/羊.blend": b"BLENDER"}, flags=0)
    made = pack({"project": project}, {}, tmp_path)
    assert [one.name for one in unpacked(made.path)] == [made.main] == ["羊/羊.blend"]


@pytest.mark.parametrize("attributes", [
    FOLDER | 0o555 << 16 | 0x11, FOLDER, FOLDER | 0o644 << 16, FOLDER | 0o2755 << 16, FOLDER | 0o1777 << 16, 0x11,
    FILE | 0o644 << 16,
])
def test_a_folder_that_a_client_could_not_write_to_is_a_plain_one(tmp_path: Path, attributes: int) -> None:
    made = unpacked(handed_on(zipped(tmp_path / "p.zip", folder=attributes)))
    assert (made[1].name, made[1].mode, made[1].dos) == ("textures/", stat.S_IFDIR | 0o755, 0)
    assert made[0].mode == made[2].mode == 0
    assert {one.name: one.content for one in made} == FILES


@pytest.mark.parametrize("attributes", [
    FILE | 0o4755 << 16, FILE, FILE | 0o200 << 16, 0o444 << 16 | 0x1, FILE | 0o644 << 16 | 0x6, 0x21,
])
def test_a_file_of_an_odd_mode_is_a_plain_one(tmp_path: Path, attributes: int) -> None:
    made = unpacked(handed_on(zipped(tmp_path / "p.zip", file=attributes)))
    assert (made[0].name, made[0].mode, made[0].dos) == ("scene.blend", stat.S_IFREG | 0o644, 0)
    assert {one.name: one.content for one in made} == FILES


@pytest.mark.parametrize(("folder", "file"), [
    (0, 0), (0x10, 0x20), (FOLDER | 0o755 << 16 | 0x10, FILE | 0o644 << 16), (FOLDER | 0o700 << 16, 0o600 << 16),
    (FOLDER | 0o777 << 16, FILE | 0o777 << 16),
])
def test_a_zip_that_misleads_nobody_is_handed_on_as_it_came(tmp_path: Path, folder: int, file: int) -> None:
    project = zipped(tmp_path / "p.zip", folder=folder, file=file)
    assert pack({"project": project}, {}, tmp_path).path == project


def test_plain_letters_need_no_flag(tmp_path: Path) -> None:
    project = zipped(tmp_path / "p.zip", {"scene.blend": b"BLENDER"}, flags=0)
    assert pack({"project": project}, {}, tmp_path).path == project


def test_what_the_artist_sent_is_not_written_to(tmp_path: Path) -> None:
    project = zipped(tmp_path / "p.zip", flags=0)
    before = project.read_bytes()
    project.chmod(0o444)
    handed_on(project)
    assert project.read_bytes() == before
