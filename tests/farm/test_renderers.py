"""Renderers: the local script really run, downloads repacked for each system, and hostile ones refused."""

import io
import lzma
import os
import subprocess
import tarfile
import tracemalloc
import zipfile

import pytest
from tests.disks import small_disk

from sheepfold.farm import repacking
from sheepfold.farm.renderers import (
    Target,
    add_local,
    add_official,
    list_renderers,
    open_renderer,
    pick,
    remove_renderer,
    renderers_for,
)
from sheepfold.model.errors import InvalidSpec, NoRenderer, StoreUnavailable

WORDS = ["-t", "1", "--factory-startup", "--disable-autoexec", "-b", "scene.blend", "-P", "a b.py", "-o", "1_",
         "-f", "0340", "-x", "1"]


@pytest.fixture
def dialect():
    return "sqlite"


def entries(world, row):
    content = b"".join(open_renderer(world.farm, row).chunks)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {info.filename: (archive.read(info), info.external_attr >> 16 & 0o777) for info in archive.infolist()}


# the local form ------------------------------------------------------------------------------------------------------


def installed(folder, program, words='printf "%s\\n" "$0" "$@"'):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / program
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def unpacked(tmp_path):
    """Unpack the local renderer as old clients do, all of it executable."""
    repacking.write_local(tmp_path / "local.zip", "linux")
    folder = tmp_path / "cache folder"
    with zipfile.ZipFile(tmp_path / "local.zip") as archive:
        archive.extractall(folder)
    (folder / "rend.exe").chmod(0o755)
    return folder


def run(unpacked, tmp_path, **env):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home"), "PYTHONPATH": "", "PYTHONHOME": ""} | env
    command = [unpacked / "rend.exe", *WORDS]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_the_script_hands_each_word_on_to_blender(unpacked, tmp_path):
    blender = installed(tmp_path / "bin", "blender")
    seen = run(unpacked, tmp_path, PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert seen.stdout.splitlines() == [str(blender), *WORDS]


def test_a_python_with_bpy_that_is_named_comes_first(unpacked, tmp_path):
    installed(tmp_path / "bin", "blender")
    python = installed(tmp_path / "env", "python")
    seen = run(unpacked, tmp_path, PATH=f"{tmp_path / 'bin'}:/usr/bin:/bin", SHEEPFOLD_BPY_PYTHON=str(python))
    assert seen.stdout.splitlines() == [str(python), "-I", "-B", str(unpacked / "runner.py"), *WORDS]


def test_a_file_may_name_the_python_with_bpy(unpacked, tmp_path):
    python = installed(tmp_path / "env", "python")
    config = tmp_path / "home" / ".config" / "sheepfold"
    config.mkdir(parents=True)
    (config / "bpy-python").write_text(f"{python}\n")
    assert run(unpacked, tmp_path).stdout.startswith(str(python))


def test_the_environment_that_setup_made_is_found(unpacked, tmp_path):
    cache = tmp_path / "home" / ".cache" / "sheepfold" / "bpy-123"
    python = installed(cache / "bin", "python")
    (cache / ".ready").touch()
    assert run(unpacked, tmp_path).stdout.startswith(str(python))


def test_without_any_blender_the_script_ends_with_127_and_a_sentence(unpacked, tmp_path):
    seen = run(unpacked, tmp_path)
    assert seen.returncode == 127
    assert "no Blender here" in seen.stderr


def test_whoever_ends_the_script_ends_the_renderer(unpacked, tmp_path):
    installed(tmp_path / "bin", "blender", "echo $$; exec sleep 60")
    process = subprocess.Popen([unpacked / "rend.exe", *WORDS], stdout=subprocess.PIPE, text=True,
                               env={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)})
    assert int(process.stdout.readline()) == process.pid
    process.kill()
    assert process.stdout.read() == ""
    process.wait(10)


def test_the_local_renderer_is_laid_out_for_each_system(world):
    assert set(entries(world, add_local(world.farm, Target("4.5")))) == {"rend.exe", "runner.py"}
    on_mac = entries(world, add_local(world.farm, Target("4.5", "mac")))
    assert on_mac["Blender/blender.app/Contents/MacOS/blender"][1] == 0o755
    with pytest.raises(InvalidSpec, match="shell script"):
        add_local(world.farm, Target("4.5", "windows"))


@pytest.mark.parametrize("target", [Target("4"), Target("4.5; rm"), Target("4.5", "beos"), Target("4.5", "linux", 16)])
def test_a_target_that_makes_no_sense_is_refused(world, target):
    with pytest.raises(InvalidSpec):
        add_local(world.farm, target)


def test_renderers_are_listed_chosen_and_removed(world):
    add_local(world.farm, Target("4.2.1"))
    world.clock.advance(1)
    add_local(world.farm, Target("4.5"))
    found = renderers_for(world.farm, "linux", 64)
    assert [pick(found, version).version for version in ("", "4.2", "4.5")] == ["4.5", "4.2.1", "4.5"]
    with pytest.raises(NoRenderer):
        pick(found, "5.0")
    remove_renderer(world.farm, Target("4.2.1"))
    assert [row.version for row in list_renderers(world.farm)] == ["4.5"]
    with pytest.raises(NoRenderer):
        remove_renderer(world.farm, Target("4.2.1"))
    with pytest.raises(NoRenderer):
        renderers_for(world.farm, "mac", 64)


# official downloads --------------------------------------------------------------------------------------------------


def tarred(path, files, links=(), kind=tarfile.SYMTYPE, mode="w:xz"):
    with tarfile.open(path, mode) as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(body), 0o755 if name.endswith("blender") else 0o644
            archive.addfile(info, io.BytesIO(body))
        for name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return path


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return path


TOP = "blender-4.5.3-linux-x64"
PROGRAM = {f"{TOP}/blender": b"\x7fELF program", f"{TOP}/4.5/datafiles/a.txt": b"data", f"{TOP}/lib/liba.so.1": b"lib"}


def test_a_linux_download_is_repacked_with_its_program_as_rend_exe(world):
    source = tarred(world.folder / "b.tar.xz", PROGRAM, [(f"{TOP}/lib/liba.so", "liba.so.1")])
    made = entries(world, add_official(world.farm, Target("4.5.3"), source))
    assert made == {"rend.exe": (b"\x7fELF program", 0o755), "4.5/datafiles/a.txt": (b"data", 0o644),
                    "lib/liba.so.1": (b"lib", 0o644), "lib/liba.so": (b"lib", 0o644)}


def test_a_windows_download_is_repacked(world):
    top = "blender-4.5.3-windows-x64"
    source = zipped(world.folder / "b.zip", {f"{top}/blender.exe": b"MZ", f"{top}/a.dll": b"d"})
    made = entries(world, add_official(world.farm, Target("4.5.3", "windows"), source))
    assert {name: body for name, (body, _) in made.items()} == {"rend.exe": b"MZ", "a.dll": b"d"}


def test_a_mac_download_keeps_its_application_folder(world):
    top = "Blender.app/Contents"
    source = zipped(world.folder / "b.zip", {f"{top}/MacOS/Blender": b"M", f"{top}/Info.plist": b"p"})
    made = entries(world, add_official(world.farm, Target("4.5.3", "mac"), source))
    assert set(made) == {"Blender/blender.app/Contents/MacOS/blender", "Blender/blender.app/Contents/Info.plist"}


def test_the_same_download_makes_the_same_archive(world):
    source = tarred(world.folder / "b.tar.xz", PROGRAM)
    rows = [add_official(world.farm, Target(version), source) for version in ("4.5.3", "4.5.4")]
    assert rows[0].digest == rows[1].digest


def test_links_to_links_and_hard_links_are_followed(world):
    links = [(f"{TOP}/lib/c", "b"), (f"{TOP}/lib/b", "liba.so.1")]
    assert entries(world, add_official(world.farm, Target("4.5"), tarred(world.folder / "b.tar", PROGRAM, links)))[
        "lib/c"][0] == b"lib"
    hard = tarred(world.folder / "c.tar", PROGRAM, [(f"{TOP}/lib/h", f"{TOP}/lib/liba.so.1")], tarfile.LNKTYPE)
    assert entries(world, add_official(world.farm, Target("4.5"), hard))["lib/h"][0] == b"lib"


@pytest.mark.parametrize("links", [
    [(f"{TOP}/lib/x", "/etc/passwd")], [(f"{TOP}/lib/x", "../../../etc/passwd")], [(f"{TOP}/lib/x", "nowhere")],
    [(f"{TOP}/lib/x", "x")], [(f"{TOP}/lib/x", "y"), (f"{TOP}/lib/y", "x")]])
def test_links_that_lead_outside_nowhere_or_in_circles_are_refused(world, links):
    with pytest.raises(InvalidSpec):
        add_official(world.farm, Target("4.5"), tarred(world.folder / "b.tar", PROGRAM, links))
    assert list_renderers(world.farm) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_count_as_what_they_lead_to(world, monkeypatch, kind):
    monkeypatch.setattr(repacking, "MAX_UNPACKED_BYTES", 350_000)
    body = PROGRAM | {f"{TOP}/zeros": bytes(100_000)}
    origin = "zeros" if kind == tarfile.SYMTYPE else f"{TOP}/zeros"
    few, many = ([(f"{TOP}/link{number}", origin) for number in range(count)] for count in (2, 3))
    made = entries(world, add_official(world.farm, Target("4.5"), tarred(world.folder / "b.tar", body, few, kind)))
    assert made["link1"][0] == bytes(100_000)
    with pytest.raises(InvalidSpec, match="unpacks to more"):
        add_official(world.farm, Target("4.5.1"), tarred(world.folder / "c.tar", body, many, kind))


@pytest.mark.parametrize(("count", "is_taken"), [(40, True), (41, False)])
def test_links_lead_to_few_others(world, count, is_taken):
    links = [(f"{TOP}/lib/{number}", f"{number + 1}") for number in range(count - 1)]
    source = tarred(world.folder / "b.tar", PROGRAM, [*links, (f"{TOP}/lib/{count - 1}", "liba.so.1")])
    if is_taken:
        assert entries(world, add_official(world.farm, Target("4.5"), source))["lib/0"][0] == b"lib"
    else:
        with pytest.raises(InvalidSpec, match="links in a row"):
            add_official(world.farm, Target("4.5"), source)


@pytest.mark.parametrize("name", ["/etc/passwd", f"{TOP}/../../x", "../x", f"{TOP}\\..\\x", "C:/x", f"{TOP}/a\nb"])
def test_names_that_point_outside_are_refused(world, name):
    source = tarred(world.folder / "b.tar", PROGRAM | {name: b"x"})
    with pytest.raises(InvalidSpec, match="points out of it"):
        add_official(world.farm, Target("4.5"), source)


def test_devices_are_refused(world):
    source = tarred(world.folder / "b.tar", PROGRAM, [(f"{TOP}/null", "")], tarfile.CHRTYPE)
    with pytest.raises(InvalidSpec, match="no plain file"):
        add_official(world.farm, Target("4.5"), source)


def test_a_bomb_is_refused_before_it_is_unpacked(world, monkeypatch):
    monkeypatch.setattr(repacking, "MAX_UNPACKED_BYTES", 1000)
    source = tarred(world.folder / "b.tar.xz", PROGRAM | {f"{TOP}/zeros": bytes(100_000)})
    with pytest.raises(InvalidSpec, match="unpacks to more"):
        add_official(world.farm, Target("4.5"), source)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 no zip", b"\xfd7zXZ\0 no xz"])
def test_what_is_no_archive_is_refused_with_a_sentence(world, content):
    source = world.folder / "b.tar.xz"
    source.write_bytes(content)
    with pytest.raises(InvalidSpec):
        add_official(world.farm, Target("4.5"), source)


def told(kind, size_bytes, content):
    """Return a header of a tar that tells something of the next file, with its content."""
    info = tarfile.TarInfo("told")
    info.type, info.size = kind, size_bytes
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def pax(**records):
    """Return a pax header, whose records begin with their own length of three digits."""
    content = b"".join(b"%03d %s=%s\n" % (len(name) + len(value) + 6, name.encode(), value.encode())
                       for name, value in ((name.replace("_", "."), value) for name, value in records.items()))
    return told(tarfile.XHDTYPE, len(content), content)


def a_file(name):
    return tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT)


SPARSE = {"GNU_sparse_major": "1", "GNU_sparse_minor": "0"}
ODD = {
    "a zip's name that is no UTF-8": lambda: zip_named(b"\xff"),
    "a map that is none": lambda: pax(GNU_sparse_map="x") + a_file("a/b"),
    "a map that is not there": lambda: pax(**SPARSE) + a_file("a/b") + bytes(1024),
    "a header of less than nothing": lambda: told(tarfile.XHDTYPE, -2**30, b"") + bytes(2**16),
    "headers without end": lambda: pax() * 2000,
    "a file with holes": lambda: told(tarfile.GNUTYPE_SPARSE, 0, b""),
    "a file with holes in a map of its own": lambda: pax(**SPARSE) + a_file("a/b") + b"1\n0\n0\n" + bytes(1018),
}


def zip_named(name):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("\u00e9", b"")
    return body.getvalue().replace("\u00e9".encode(), name * 2)


@pytest.mark.parametrize("name", ODD)
def test_an_archive_that_upsets_pythons_readers_is_refused_with_a_sentence(world, name):
    source = world.folder / "b.tar"
    source.write_bytes(ODD[name]())
    with pytest.raises(InvalidSpec, match=r"b\.tar.* cannot be read"):
        add_official(world.farm, Target("4.5"), source)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME,
                                  tarfile.GNUTYPE_LONGLINK])
@pytest.mark.parametrize(("times", "size_bytes"), [(1, 2**26), (40, 2**15)])
def test_a_tar_that_tells_monstrously_much_of_a_file_is_refused_in_little_memory(world, kind, times, size_bytes):
    source = world.folder / "b.tar.xz"
    with lzma.open(source, "wb", preset=0) as packed:
        for _ in range(times):
            packed.write(told(kind, size_bytes, b""))
            packed.write(bytes(size_bytes))
    tracemalloc.start()
    with pytest.raises(InvalidSpec, match="tells too much"):
        add_official(world.farm, Target("4.5"), source)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * 2**20


def test_what_is_told_for_all_files_is_counted_through_the_whole_download(world):
    source = world.folder / "b.tar"
    for_all = told(tarfile.XGLTYPE, 2**19, b"9 a=0123\n".ljust(2**19, b"\0"))
    source.write_bytes(b"".join(for_all + a_file(f"{TOP}/{number}") for number in range(3)))
    with pytest.raises(InvalidSpec, match="tells too much"):
        add_official(world.farm, Target("4.5"), source)


def test_long_names_are_no_harm(world):
    names = [f"{TOP}/{'n' * 90}/{'m' * 90}/{number}" for number in range(50)]
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        source = world.folder / "b.tar"
        with tarfile.open(source, "w", format=form, pax_headers={"comment": "of all"}) as archive:
            for name in [*names, f"{TOP}/blender"]:
                archive.addfile(tarfile.TarInfo(name))
        made = entries(world, add_official(world.farm, Target("4.5"), source))
        assert len(made) == 51


def test_folders_without_end_are_refused(world, monkeypatch):
    monkeypatch.setattr(repacking, "MAX_FILES", 10)
    source = tarred(world.folder / "b.tar", PROGRAM, [(f"{TOP}/{number}", "") for number in range(10)], tarfile.DIRTYPE)
    with pytest.raises(InvalidSpec, match="more than any Blender"):
        add_official(world.farm, Target("4.5"), source)


def test_a_zip_of_too_many_files_is_refused_before_it_is_taken_apart(world, monkeypatch):
    monkeypatch.setattr(repacking, "MAX_FILES", 10)
    with pytest.raises(InvalidSpec, match="holds 11 files"):
        add_official(world.farm, Target("4.5"), zipped(world.folder / "b.zip", {f"a/{n}": b"" for n in range(11)}))


def test_a_download_that_was_cut_is_refused(world):
    source = tarred(world.folder / "b.tar.xz", PROGRAM | {f"{TOP}/noise": os.urandom(50_000)})
    source.write_bytes(source.read_bytes()[:30_000])
    with pytest.raises(InvalidSpec):
        add_official(world.farm, Target("4.5"), source)


def test_a_full_disk_is_no_word_against_a_download(world):
    source = tarred(world.folder / "b.tar", PROGRAM | {f"{TOP}/noise": os.urandom(2**21)})
    with small_disk(world.farm.spool_folder, "1m") as disk:
        with pytest.raises(StoreUnavailable, match="No space left"):
            add_official(world.farm, Target("4.5"), source)
        assert list(disk.iterdir()) == []


def test_an_archive_without_blender_is_refused_and_leaves_nothing(world):
    with pytest.raises(InvalidSpec, match="no Blender"):
        add_official(world.farm, Target("4.5"), tarred(world.folder / "b.tar", {"a/b": b"x"}))
    assert list(world.farm.spool_folder.iterdir()) == []
