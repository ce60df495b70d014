import errno
import gzip
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.disks import small_disk

from sheepfold.kinds import zips
from sheepfold.kinds.blender import project, spec
from sheepfold.model.errors import InvalidSpec

BLEND = b"BLENDER-v405RENDH" + bytes(100)
Packer = Callable[..., Path]


@pytest.fixture
def packed(tmp_path: Path) -> Packer:
    """Return a function that packs files (path and bytes, or a ZipInfo and bytes) into a zip."""

    def pack(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
        path = tmp_path / "project.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in entries:
                archive.writestr(name, content)
        return path

    return pack


@pytest.fixture
def room(tmp_path: Path) -> Path:
    (tmp_path / "room").mkdir()
    return tmp_path / "room"


def raw_name(path: Path, old: bytes, new: bytes) -> Path:
    """Change a name in both of a zip's tables, to bytes that zipfile would not write."""
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


@pytest.mark.parametrize("content", [BLEND, gzip.compress(BLEND, mtime=0), b"\x28\xb5\x2f\xfd" + BLEND])
def test_a_blend_is_a_project_plain_or_compressed(tmp_path: Path, room: Path, content: bytes) -> None:
    path = tmp_path / "digest"
    path.write_bytes(content)
    assert project.look_into(path) == project.Contents()
    assert project.unpack(path, room).read_bytes() == content


def seekable(pieces: list[int], told: int = 0) -> bytes:
    """Write the end of a file that Zstandard packed in pieces, of which a table tells the lengths."""
    sums = b"sums" if told else b""
    table = b"".join(struct.pack("<II", 9, length) + sums for length in pieces)
    return table + struct.pack("<IBI", len(pieces), told, 0x8F92EAB1)


@pytest.mark.parametrize(("content", "opened_bytes"), [
    (b"BLENDER" + bytes(93), 100),
    (gzip.compress(BLEND + bytes(5000), mtime=0), len(BLEND) + 5000),
    (b"\x28\xb5\x2f\xfd" + seekable([7000, 500]), 7500),
    (b"\x28\xb5\x2f\xfd" + seekable([7000, 500], 0x80), 7500),
    (b"\x28\xb5\x2f\xfd" + bytes(96), 100),
    (b"\x28\xb5\x2f\xfd" + struct.pack("<IBI", 2**32 - 1, 0, 0x8F92EAB1), 13),
    (b"\x28\xb5\x2f\xfd", 4),
    (b"\x1f\x8b", 35_615),
])  # fmt: skip
def test_what_blender_opens_is_as_long_as_it_says_unpacked(tmp_path: Path, content: bytes, opened_bytes: int) -> None:
    (tmp_path / "film").mkdir()
    (tmp_path / "film" / "a.BLEND").write_bytes(content)
    (tmp_path / "wool.png").write_bytes(bytes(1000))
    assert project.opened_bytes(tmp_path) == opened_bytes


NO_PROJECTS = (b"", b"BLEN", b"\x89PNG", gzip.compress(b"a film", mtime=0), b"\x1f\x8bgarbage", b"PK")


@pytest.mark.parametrize("content", NO_PROJECTS)
def test_other_files_are_no_project(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InvalidSpec, match="neither"):
        project.look_into(tmp_path / "x")


def test_a_blend_has_no_scenes_within(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(BLEND)
    with pytest.raises(InvalidSpec, match="single"):
        project.look_into(tmp_path / "x", "a.blend")


def test_a_zip_is_unpacked_with_its_folders(packed: Packer, room: Path) -> None:
    path = packed(("film/", b""), ("film/a.blend", BLEND), ("film/tex/Größe.png", b"png"))
    assert project.unpack(path, room) == room / "film/a.blend"
    assert (room / "film/tex/Größe.png").read_bytes() == b"png"
    assert (room / "film/a.blend").stat().st_mode & 0o777 == 0o644


def test_the_only_scene_is_the_main_one_whatever_macos_adds(packed: Packer) -> None:
    path = packed(("a.blend", BLEND), ("__MACOSX/._a.blend", b"x"), ("b/._c.blend", b"x"), ("a.blend1", BLEND))
    assert project.look_into(path).main == "a.blend"


def test_of_several_scenes_one_is_chosen(packed: Packer) -> None:
    path = packed(("a.blend", BLEND), ("lib/b.blend", BLEND))
    assert project.look_into(path, "lib/b.blend").main == "lib/b.blend"
    with pytest.raises(InvalidSpec, match=r"2 scenes.*'a\.blend', 'lib/b\.blend'"):
        project.look_into(path)
    with pytest.raises(InvalidSpec, match=r"holds no 'c\.blend'"):
        project.look_into(path, "c.blend")


def test_a_zip_without_a_scene_is_refused(packed: Packer) -> None:
    with pytest.raises(InvalidSpec, match=r"no \.blend"):
        project.look_into(packed(("a.txt", b"x")))


def test_a_scene_that_is_none_is_refused(packed: Packer, room: Path) -> None:
    with pytest.raises(InvalidSpec, match="no Blender file"):
        project.unpack(packed(("a.blend", b"hello")), room)


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/etc/out.txt", "C:/out.txt", "c:out.txt", ".."])
def test_a_name_that_leads_out_is_refused(packed: Packer, room: Path, name: str) -> None:
    path = packed(("a.blend", BLEND), (zipfile.ZipInfo(name), b"x"))
    with pytest.raises(InvalidSpec, match="points out of the archive"):
        project.unpack(path, room)
    assert list(room.iterdir()) == []


@pytest.mark.parametrize(("name", "sign"), [
    ("a\\b.txt", "U+005C"), ("a\nb", "U+000A"), ("a\x1bb", "U+001B"), ("a\x9bb", "U+009B"), ("a\u202eb", "U+202E"),
    ("a\u2066b", "U+2066"), ("a\u206ab", "U+206A"), ("a\u2028b", "U+2028"), ("a\u2029b", "U+2029"),
    ("a\ue000b", "U+E000"), ("a\ufdd0b", "U+FDD0"), ("a\uffffb", "U+FFFF"), ("a\U0001fffeb", "U+1FFFE")])
def test_a_name_of_odd_signs_is_refused_by_their_number(packed: Packer, name: str, sign: str) -> None:
    with pytest.raises(InvalidSpec, match=re.escape(f"has the sign {sign},")):
        project.look_into(packed(("a.blend", BLEND), (zipfile.ZipInfo(name), b"x")))


@pytest.mark.parametrize("name", [
    "Screenshot at 3.14.15\u202fPM.png", "Capture \u00e0\u00a010.10.png", "\u65b0\u3057\u3044\u3000\u7f8a.png",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.png", "\u0915\u094d\u200d\u0937.png",
    "\U0001f469\u200d\U0001f3a8.png", "\u200f\u05e9\u05dc\u05d5\u05dd.png", "Donau\u00addampf.png", "\U0001fae8.png",
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f.png", "\U0001fbff.png"])
def test_what_real_files_are_called_is_taken(packed: Packer, room: Path, name: str) -> None:
    project.unpack(packed(("a.blend", BLEND), (name, b"x")), room)
    assert (room / name).read_bytes() == b"x"


def test_a_scene_is_chosen_by_whatever_name_it_has(packed: Packer) -> None:
    scene = "\u7f8a\u3000\U0001f469\u200d\U0001f3a8.blend"
    wanted = spec.parse({"main": scene})["main"]
    assert project.look_into(packed((scene, BLEND), ("b.blend", BLEND)), wanted).main == scene


def test_scenes_to_choose_from_are_told_in_their_own_script(packed: Packer) -> None:
    path = packed(("\u7f8a\u306e\u4e18/\u4e00.blend", BLEND), ("\u7f8a\u306e\u4e18/\u4e8c.blend", BLEND))
    with pytest.raises(InvalidSpec, match=r"'\u7f8a\u306e\u4e18/\u4e00\.blend', '\u7f8a\u306e\u4e18/\u4e8c\.blend'"):
        project.look_into(path)


def test_long_paths_of_scenes_stay_apart_where_one_must_be_chosen(packed: Packer) -> None:
    names = [f"{'film/' * 20}{name}.blend" for name in ("one", "two")]
    with pytest.raises(InvalidSpec, match=r"one\.blend', .*two\.blend'"):
        project.look_into(packed(*((name, BLEND) for name in names)))


def test_the_folder_itself_may_be_in_its_archive(packed: Packer, room: Path) -> None:
    path = packed((entry("./", 0o40755 << 16), b""), ("./a.blend", BLEND), ("./maps/a.png", b"x"))
    assert project.unpack(path, room) == room / "a.blend"


def test_a_name_that_is_not_the_utf8_it_says_is_told_in_words_of_the_farm(packed: Packer) -> None:
    path = raw_name(packed(("a.blend", BLEND), ("\u00f6bcd.png", b"x")), "\u00f6".encode(), b"\xff\xfe")
    with pytest.raises(InvalidSpec, match="written in UTF-8, and is not") as refused:
        project.look_into(path)
    assert "codec" not in str(refused.value)


def test_a_name_with_a_zero_byte_is_refused(packed: Packer) -> None:
    path = raw_name(packed(("a.blend", BLEND), ("evil.txt", b"x")), b"evil.txt", b"e.py\0txt")
    with pytest.raises(InvalidSpec, match="zero byte"):
        project.look_into(path)


def test_a_name_of_macos_is_read_as_utf8_and_of_an_old_packer_refused(packed: Packer) -> None:
    path = packed(("a.blend", BLEND), ("abcd.png", b"x"))
    path = raw_name(path, b"abcd.png", "ö".encode() + b"cd.png")
    assert project.look_into(path).files[1][0] == "öcd.png"
    path = raw_name(path, "ö".encode() + b"cd.png", b"a\x94cd.png")
    with pytest.raises(InvalidSpec, match="old encoding"):
        project.look_into(path)


@pytest.mark.parametrize("mode", [0o120777, 0o010644, 0o060644])
def test_links_and_devices_are_refused(packed: Packer, room: Path, mode: int) -> None:
    link = zipfile.ZipInfo("tex")
    link.external_attr = mode << 16
    with pytest.raises(InvalidSpec, match="link or a device"):
        project.unpack(packed(("a.blend", BLEND), (link, b"/etc/passwd")), room)


def test_one_name_twice_is_refused_also_in_other_capitals(packed: Packer) -> None:
    with pytest.raises(InvalidSpec, match="twice"):
        project.look_into(packed(("a.blend", BLEND), ("Wool.png", b"x"), ("wool.PNG", b"y")))


def test_a_file_that_is_a_folder_too_is_refused(packed: Packer) -> None:
    with pytest.raises(InvalidSpec, match="a file and a folder"):
        project.look_into(packed(("a.blend", BLEND), ("tex", b"x"), ("tex/a.png", b"y")))


def test_long_names_are_refused(packed: Packer) -> None:
    with pytest.raises(InvalidSpec, match="too long"):
        project.look_into(packed(("a.blend", BLEND), ("x" * 256, b"x")))


def test_a_bomb_is_refused_before_anything_is_unpacked(packed: Packer, room: Path) -> None:
    path = packed(("a.blend", BLEND), ("zeros", bytes(project.SMALL_BYTES)))
    with pytest.raises(InvalidSpec, match="zip bomb"):
        project.unpack(path, room)
    assert list(room.iterdir()) == []


def test_a_zip_that_lies_about_its_sizes_fills_no_disk(packed: Packer, room: Path) -> None:
    path = packed(("a.blend", BLEND), ("zeros", bytes(2_000_000)))
    path.write_bytes(path.read_bytes().replace(struct.pack("<L", 2_000_000), struct.pack("<L", 10)))
    with pytest.raises(InvalidSpec, match="damaged"):
        project.unpack(path, room)
    assert sum(file.stat().st_size for file in room.rglob("*") if file.is_file()) < 1000


def test_what_has_no_room_is_not_begun(packed: Packer, room: Path) -> None:
    path = packed(("a.blend", BLEND), ("zeros", bytes(2**21)))
    with small_disk(room, "1m"):
        with pytest.raises(OSError, match="No space left") as raised:
            project.unpack(path, room)
        assert raised.value.errno == errno.ENOSPC
        assert list(room.iterdir()) == []


def test_a_disk_that_is_full_before_its_time_is_no_damage_of_the_archive(packed: Packer, room: Path) -> None:
    path = packed(("a.blend", BLEND), *((f"{number}.txt", b"x") for number in range(500)))
    with small_disk(room, "1m"), pytest.raises(OSError, match="No space left"):
        project.unpack(path, room)


def test_too_many_files_are_refused(packed: Packer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "MAX_ENTRIES", 3)
    with pytest.raises(InvalidSpec, match="holds 4 files"):
        project.look_into(packed(("a.blend", BLEND), *((str(number), b"") for number in range(3))))


def test_folders_that_names_imply_are_counted_each_once(packed: Packer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "MAX_ENTRIES", 100)
    honest = packed(("a.blend", BLEND), ("maps/wood/", b""), *((f"maps/wood/{number}", b"") for number in range(90)))
    assert len(project.look_into(honest).files) == 91
    with pytest.raises(InvalidSpec, match="more than 100 folders"):
        project.look_into(packed(("a.blend", BLEND), *((f"{number}/" + "b/" * 59 + "c", b"") for number in range(5))))
    with pytest.raises(InvalidSpec, match="more than 100 folders"):
        project.look_into(packed(("a.blend", BLEND), *((f"{number}/" + "b/" * 59, b"") for number in range(5))))


def test_a_monstrous_table_of_contents_is_not_read(packed: Packer, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(("a.blend", BLEND), *((f"{number:0200}", b"") for number in range(30)))
    monkeypatch.setattr(zips, "_TABLE_BYTES", 5000)
    with pytest.raises(InvalidSpec, match="table of contents"):
        project.look_into(path)


def test_a_method_that_clients_do_not_know_is_refused(packed: Packer) -> None:
    with pytest.raises(InvalidSpec, match="Deflate"):
        project.look_into(packed(("a.blend", BLEND), method=zipfile.ZIP_LZMA))


def test_a_locked_archive_is_refused(packed: Packer) -> None:
    path = packed(("a.blend", BLEND))
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(InvalidSpec, match="password"):
        project.look_into(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 400), st.binary(min_size=1, max_size=6), st.booleans())
def test_a_damaged_zip_is_unpacked_or_refused(
    packed: Packer, tmp_path_factory: pytest.TempPathFactory, place: int, noise: bytes, cut: bool
) -> None:
    content = packed(("film/a.blend", BLEND), ("film/tex.png", b"x" * 40)).read_bytes()
    place = min(place, len(content) - 1)
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "zip").write_bytes(content[:place] + noise + (b"" if cut else content[place + len(noise):]))
    (folder / "room").mkdir()
    try:
        scene = project.unpack(folder / "zip", folder / "room")
    except InvalidSpec:
        return
    assert scene.is_relative_to(folder / "room")


def test_an_order_takes_exactly_one_file(tmp_path: Path) -> None:
    assert project.only({"any": tmp_path}) == tmp_path
    with pytest.raises(InvalidSpec, match=r"needs a \.blend"):
        project.only({})
    with pytest.raises(InvalidSpec, match="one file"):
        project.only({"a": tmp_path, "b": tmp_path})


def filled(name: str) -> tuple[str, bytes]:
    return name, b"" if name.endswith("/") else b"x"


def entry(name: str, attributes: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.external_attr = attributes
    return made


@pytest.mark.parametrize("names", [
    ("b.png", "b.png"), ("b.png", "b.png."), ("b.png", "B.PNG "), ("b.png", "./b.png"), ("b/c", "b./c"), ("b/", "b"),
    ("B/", "b"), ("b", "b/c/d"), ("b.c/d", "b.c", "b"), ("b", "b-c", "b/d"),
    ("b.png", "b\u200d.png"), ("\u00e9", "e\u200d\u0301")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_some_system_cannot_tell_apart_are_refused(packed: Packer, names: tuple[str, ...]) -> None:
    for order in (names, names[::-1]):
        with pytest.raises(InvalidSpec, match=r"twice|at once"):
            project.look_into(packed(("a.blend", BLEND), *map(filled, order)))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_only_begin_alike_are_apart(packed: Packer) -> None:
    names = ("b", "b-c", "b.c", "b c", "c/", "c/", "c/d", "c.d/e")
    assert len(project.look_into(packed(("a.blend", BLEND), *map(filled, names))).files) == 7


@pytest.mark.parametrize("name", ["nul", "maps/CON.png", "com1", "LPT\u00b9.txt", "aux .png", "conout$", "b.png:hidden",
                                  "a.blend::$DATA", "what?.png", "<b>", "a|b", 'say "b"', "*.png"])
def test_names_that_windows_takes_for_something_else_are_refused(packed: Packer, name: str) -> None:
    with pytest.raises(InvalidSpec, match="Windows"):
        project.look_into(packed(("a.blend", BLEND), (name, b"x")))


@pytest.mark.parametrize("name", ["console.png", "nulls", "com10", "auxiliary.blend1", "lpt", "prn_1.png"])
def test_names_that_only_begin_like_devices_are_taken(packed: Packer, name: str) -> None:
    assert len(project.look_into(packed(("a.blend", BLEND), (name, b"x"))).files) == 2


@pytest.mark.parametrize("attributes", [0o40755 << 16, 0x10])
def test_a_file_that_its_attributes_call_a_folder_is_refused(packed: Packer, attributes: int) -> None:
    with pytest.raises(InvalidSpec, match="at once"):
        project.look_into(packed(("a.blend", BLEND), (entry("b", attributes), b"x")))


def test_folders_within_folders_have_an_end(packed: Packer) -> None:
    assert project.look_into(packed(("a.blend", BLEND), ("b/" * project.MAX_DEPTH + "c", b""))).files
    with pytest.raises(InvalidSpec, match="deep"):
        project.look_into(packed(("a.blend", BLEND), ("b/" * project.MAX_DEPTH + "c/d", b"")))


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 2**20, gzip.compress(b"") * 20_000])
def test_what_packs_a_scene_is_looked_at_by_its_begin_alone(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "a.blend"
    path.write_bytes(start + b"\0" + gzip.compress(BLEND))
    assert not project.is_blend(path)
