"""A zip that is written in one go: other programs read it, however large it is, and its writer stays small."""

import io
import tracemalloc
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from sheepfold.farm.zipping import Zip

FAR = 5 * 2**30


def written(made, members):
    """Yield a zip of members, each a name and its bytes in chunks."""
    for name, chunks in members:
        yield made.begin(name, sum(map(len, chunks)))
        for chunk in chunks:
            yield made.add(chunk)
        yield made.end()
    yield from made.finish()


@given(st.dictionaries(st.from_regex(r"[a-z0-9]{1,12}\.png", fullmatch=True), st.lists(st.binary()), max_size=5))
def test_what_is_written_is_read_again(members):
    body = b"".join(written(Zip(io.BytesIO()), members.items()))
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            name: b"".join(chunks) for name, chunks in members.items()}


def test_seventy_thousand_members_take_no_memory(tmp_path):
    members = ((f"{number:06d}.png", [b"x"]) for number in range(70_000))
    path = tmp_path / "frames.zip"
    with (tmp_path / "contents").open("w+b") as contents, path.open("wb") as file:
        tracemalloc.start()
        for piece in written(Zip(contents), members):
            file.write(piece)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * 2**20
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == 70_000
        assert archive.read("069999.png") == b"x"


def test_members_behind_four_gigabytes_are_found(tmp_path):
    made, path = Zip(io.BytesIO()), tmp_path / "frames.zip"
    made._at = FAR  # as if so much had been written; the file has a hole there
    with path.open("wb") as file:
        file.seek(FAR)
        file.writelines(written(made, [("a.png", [b"one"]), ("b.png", [b"two"])]))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert [archive.read(name) for name in archive.namelist()] == [b"one", b"two"]


def test_a_member_of_four_gigabytes_says_its_size(tmp_path):
    made, path = Zip(io.BytesIO()), tmp_path / "frames.zip"
    with path.open("wb") as file:
        file.write(made.begin("a.exr", FAR))
        at = file.tell()
        made._at, made._size_bytes = at + FAR, FAR  # zeros, whose checksum nobody reads here
        file.seek(at + FAR)
        file.write(made.end())
        file.writelines(made.finish())
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("a.exr").file_size == FAR
