"""Strangers' files by the farm's own doors: archives and genomes that are ordered, pictures that are sent as results.

Each kind's own tests judge single files; here the whole house must refuse them as it refuses others: with a status of
its own and a sentence, nothing written beside the farm's folder, little memory, and nothing paid.
"""

import asyncio
import gzip
import io
import json
import logging
import stat
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from bench.ground.fuzzing import Asked, Tracebacks, answered
from PIL import Image
from tests.conftest import balances

from sheepfold.app import make_app
from sheepfold.config import Settings
from sheepfold.farm.accounts import add_account, add_key, key_verifier
from sheepfold.farm.checkup import check
from sheepfold.farm.dispatch import Maker, open_session
from sheepfold.farm.farm import open_farm
from sheepfold.farm.orders import Order, order_job
from sheepfold.farm.renderers import Target, add_local
from sheepfold.model.accounts import Role
from sheepfold.model.matching import Abilities, Program
from sheepfold.protocols.registry import verifiers
from sheepfold.protocols.rest import wire

SIDE = 32
SPEC = {"frames": 100, "width": SIDE, "height": SIDE, "quality": 1, "temporal_samples": 1}
GENOME = Path(__file__).parents[1] / "genomes" / "r1.flam3"
BLEND = b"BLENDER-v402RENDH" + bytes(100)
FLAMES = Abilities(kinds=frozenset({"flame"}), renderers=frozenset({Program("flam3", "3.1.1")}))
PEAK_BYTES = 48 * 2**20


class Site:
    """A farm with an artist who means harm, and a machine that does, too."""

    def __init__(self, farm, log):
        self.farm, self.log, self.app = farm, log, make_app(farm)
        artist = add_account(farm, "mallory", Role.ARTIST, "")
        self.key = add_key(farm, "mallory", "desk")
        self.machines = 0
        add_local(farm, Target("4.5"))
        order_job(farm, artist, Order("flame", SPEC, {"genome": GENOME}))

    def ask(self, method, path, secret, body=b"", media_type=b"application/json"):
        headers = ((b"authorization", b"Bearer " + secret.encode()), (b"content-type", media_type))
        tracemalloc.start()
        answer = asyncio.run(answered(self.app, Asked(method, path, b"", headers, body)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < PEAK_BYTES, peak
        assert not self.log.found, self.log.found
        return answer

    def order(self, kind, spec, name, content):
        told = json.dumps({"kind": kind, "spec": spec})
        body = (f'--b\r\nContent-Disposition: form-data; name="order"\r\n\r\n{told}\r\n--b\r\n'
                f'Content-Disposition: form-data; name="{name}"; filename="f"\r\n\r\n').encode()
        return self.ask("POST", "/api/v1/jobs", self.key.key, body + content + b"\r\n--b--\r\n",
                        b"multipart/form-data; boundary=b")

    def send(self, picture):
        """Send a picture by a machine that was never seen before: one that sends five bad ones gets no more work."""
        self.machines += 1
        key = add_key(self.farm, "mallory", f"box{self.machines}")
        maker = Maker(key.machine.id, key.account.id, "rest")
        session = open_session(self.farm, maker, wire.Abilities.of(FLAMES).model_dump_json(), key_verifier(key.key))
        lease = json.loads(self.ask("POST", "/api/v1/leases", session).body)["lease"]
        return self.ask("PUT", f"/api/v1/leases/{lease}/result", session, picture, b"image/png")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHEEPFOLD_BPY_PYTHON", "/nonexistent/python")
        log, root = Tracebacks(), logging.getLogger()
        root.addHandler(log)
        settings = Settings(data=tmp_path_factory.mktemp("house") / "farm", inspection_processes=1)
        with open_farm(settings, verifiers) as farm:
            yield Site(farm, log)
        root.removeHandler(log)


# --- archives


def packed(*entries):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return target.getvalue()


def special(name, mode):
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, mode << 16
    return entry


SCENE = ("a.blend", BLEND)
WHOLE = packed(SCENE, ("wood.png", b"wood"))
ARCHIVES = {
    **{f"slip {name!r}": packed(SCENE, (name, b"out")) for name in (
        "../out", "a/../../../out", "/tmp/sheepfold-out", "C:\\out", "..\\out", "a/./../..", "\x1b[2J", "a\u202eb",
        ".", "/", ".. /out", "a/.. /.. /out", "...", "\\\\host\\out", "a\r\nb", "n" * 256)},
    "a name in two ways of writing it": packed(SCENE, ("\u00e9", b"1"), ("e\u0301", b"2")),
    "a second archive behind it": WHOLE + packed(SCENE, ("../out", b"out")),
    "another checksum": WHOLE.replace(zlib.crc32(b"wood").to_bytes(4, "little"), bytes(4)),
    "a page before it": b"%PDF-1.4\n" + WHOLE,
    "a bomb of gzip": gzip.compress(bytes(2**24)),
    "a link out": packed(SCENE, (special("etc", stat.S_IFLNK | 0o777), b"/etc")),
    "a device": packed(SCENE, (special("null", stat.S_IFCHR | 0o666), b"")),
    "a pipe": packed(SCENE, (special("pipe", stat.S_IFIFO | 0o666), b"")),
    "a long name": packed(SCENE, ("n" * 4000, b"")),
    "one name twice": WHOLE.replace(b"wood.png", b"a.blend\0"),
    "a name in other capitals": packed(SCENE, ("A.BLEND", BLEND)),
    "a file that is a folder": packed(SCENE, ("a.blend/b", b"x")),
    "a locked one": WHOLE.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"),
    "cut in the middle": WHOLE[:len(WHOLE) // 2],
    "only its end": WHOLE[-22:],
    "no scene": packed(("readme.txt", b"hello")),
    "no archive": b"PK\x03\x04" + bytes(1000),
    "a tarball": b"a.blend" + bytes(1017),
    "nothing": b"",
    "a second stream of its scene": packed(SCENE, ("a.blend::$DATA", b"x")),
    "a scene that Windows takes for the same": packed(SCENE, ("a.blend.", BLEND)),
    "a file that is a folder of its own": packed(SCENE, ("b/", b""), ("B", b"x")),
    "a locked one for who reads from the begin": WHOLE.replace(b"PK\x03\x04\x14\0\0\0", b"PK\x03\x04\x14\0\x01\0"),
}


def of_a_table_alone(entries):
    """Return a zip that consists of its table of contents, as short as that can be."""
    start, entry = b"PK\3\4" + bytes(26), b"PK\1\2" + bytes(24) + b"\1\0" + bytes(16) + b"a"
    return start + entry * entries + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, len(entry) * entries, len(start), 0)


LARGE_ARCHIVES = {  # made when they are wanted, since that takes seconds
    "a bomb": lambda: packed(SCENE, ("zeros", bytes(257 * 2**20))),
    "very many names": lambda: packed(SCENE, *((f"n{number}", b"") for number in range(51_000))),
    "a table of contents alone": lambda: of_a_table_alone(400_000),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE_ARCHIVES)
def test_a_large_archive_that_means_harm_is_refused_and_writes_nothing(site, name):
    assert_refused(site, LARGE_ARCHIVES[name]())


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_means_harm_is_refused_and_writes_nothing(site, name):
    assert_refused(site, ARCHIVES[name])


def assert_refused(site, archive):
    house = site.farm.settings.data.parent
    around = {path.name for path in house.iterdir()} | {path.name for path in Path("/tmp").glob("sheepfold-out*")}
    answer = site.order("blender", {"frames": "1-2", "width": 64, "height": 48}, "project", archive)
    assert 400 <= answer.status < 500, (answer.status, bytes(answer.body))
    assert not [path for path in site.farm.spool_folder.iterdir() if path.is_file()]
    assert around == {path.name for path in house.iterdir()} | {p.name for p in Path("/tmp").glob("sheepfold-out*")}


def test_an_honest_archive_is_taken_by_the_same_door(site):
    assert site.order("blender", {"frames": "1-2", "width": 64, "height": 48}, "project", WHOLE).status == 201


# --- genomes

FLAME = GENOME.read_bytes()
XFORM = b'<xform weight="1" color="0" linear="1" coefs="1 0 0 1 0 0"/>'


def flame(inside=XFORM, words=b""):
    return b'<flame name="x" size="64 64" center="0 0" scale="16" ' + words + b">" + inside + b"</flame>"


GENOMES = {
    "no number": flame(words=b'brightness="nan"'),
    "endless": flame(words=b'gamma="1e999"'),
    "coefficients that are none": flame(b'<xform weight="1" linear="1" coefs="nan 0 0 inf 0 0"/>'),
    "ten thousand transforms": flame(XFORM * 10_000),
    "a deep edit tree": flame(XFORM + b"<edit>" * 5000 + b"</edit>" * 5000),
    "deep tags": b"<a>" * 100_000,
    "entities": b'<!DOCTYPE a [<!ENTITY a "' + b"a" * 1000 + b'">]>' + flame(words=b'nick="' + b"&a;" * 1000 + b'"'),
    "an outer entity": b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><flame name="&a;"/>',
    "zero bytes": flame().replace(b"weight", b"wei\0ght"),
    "a monstrous symmetry": flame(XFORM + b'<symmetry kind="-100000"/>'),
    "no transform": flame(b""),
    "a palette that lies": flame(XFORM + b'<palette count="256" format="RGB">00</palette>'),
    "too large": b"<!-- " + b"x" * (2 * 2**20) + b" -->" + flame(),
    "half": FLAME[:len(FLAME) // 2],
    "60,000 words that nobody knows": b"<flame " + b" ".join(b'a%d="1"' % number for number in range(60_000)) + b"/>",
    **{f"{text} where a number is wanted": flame(words=b'gamma="' + text.encode() + b'"')
       for text in ("1e308", "-1e308", "0x10", "1_0", "\u0663", "1e5000", "--1", "1,5", "", "9" * 100_000)},
    "no weight at all": flame(XFORM.replace(b'weight="1"', b'weight="0"') * 3),
    "a palette of 100,000": flame(XFORM + b'<palette count="100000" format="RGB">' + b"0" * 600_000 + b"</palette>"),
    "a colour that is not there": flame(XFORM + b'<color index="1000000000" rgb="0 0 0"/>'),
    "a thousand motions": flame(XFORM.replace(b"/>", b">") + b"<motion/>" * 1000 + b"</xform>"),
    "a flame within a flame": b"<flame>" + flame() + b"</flame>",
    "an encoding that is none": b'<?xml version="1.0" encoding="../../x"?>' + flame(),
    "parameter entities": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>' + flame(),
    "laughs": b'<!DOCTYPE a [<!ENTITY a "' + b"a" * 50_000 + b'">]><flame>' + b"&a;" * 10_000 + b"</flame>",
    "an inclusion": b'<flame xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></flame>',
    "a sign that XML has not": flame(words=b'nick="&#x1b;[2J"'),
    "a picture": b"\x89PNG\r\n\x1a\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", GENOMES)
def test_a_genome_that_means_harm_is_refused(site, name):
    answer = site.order("flame", SPEC, "genome", GENOMES[name])
    assert 400 <= answer.status < 500, (answer.status, bytes(answer.body))
    assert b"passwd" not in answer.body
    assert b"root:" not in answer.body


def test_an_honest_genome_is_taken_by_the_same_door(site):
    assert site.order("flame", SPEC | {"frames": 2}, "genome", FLAME).status == 201


# --- pictures


def painted(form="PNG", size=(SIDE, SIDE), seed=1, **more):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, form, **more)
    return target.getvalue()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def claiming(width, height, depth=8, colour=2):
    """Return a PNG whose header claims a size, with two megabytes of zeros packed in it."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(2**21), 9))
            + chunk(b"IEND", b""))


def with_chunk(name, data):
    whole = painted()
    return whole[:33] + chunk(name, data) + whole[33:]


def moving(form):
    frames = [Image.open(io.BytesIO(painted(seed=seed))) for seed in (1, 2, 3)]
    target = io.BytesIO()
    frames[0].save(target, form, save_all=True, append_images=frames[1:])
    return target.getvalue()


def jpeg(width, height):
    """Return a JPEG whose header claims a size."""
    whole = painted("JPEG")
    at = whole.index(b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4:]


def to_be_turned(way):
    """Return Exif, without its head, of a picture that is upright (1) or not."""
    return b"II*\0\x08\0\0\0\x01\0\x12\1\3\0\1\0\0\0%c\0\0\0\0\0\0\0" % way


def with_exif(*bodies):
    whole = painted("JPEG")
    return whole[:2] + b"".join(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body for body in bodies) + whole[2:]


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n(%pipe%touch /tmp/sheepfold-out) (w) file\n%%EOF\n"
PICTURES = {
    **{f"claims {size}": claiming(*size) for size in ((50_000, 50_000), (2**31 - 1, 1), (1, 2**31 - 1), (0, 0))},
    "claims more than it has": claiming(SIDE, 4 * SIDE),
    "sixteen bits of everything": claiming(20_000, 20_000, 16, 6),
    "a bomb in its text": with_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**27), 9)),
    "a bomb in its profile": with_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**27), 9)),
    "of another size": painted(size=(SIDE, SIDE - 1)),
    **{f"moves as {form}": moving(form) for form in ("PNG", "GIF", "WEBP", "TIFF")},
    **{f"is {form}": painted(form) for form in ("BMP", "TIFF", "ICO", "PPM", "TGA", "PCX", "SGI", "JPEG2000")},
    "is PostScript": EPS,
    "is a PDF": painted("PDF"),
    "is a drawing": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "is OpenEXR, or says so": b"\x76\x2f\x31\x01" + bytes(500),
    "is a page": b"<html><script>alert(1)</script>",
    **{f"ends at {share:.0%}": painted()[:int(len(painted()) * share)] for share in (0, 0.01, 0.3, 0.99)},
    **{f"is a JPEG that claims {size}": jpeg(*size) for size in ((65_500, 65_500), (1, 65_535), (0, 0), (65_500, 32))},
    "says that it moves": with_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)),
    "has two heads": with_chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)),
    "has a chunk of two gigabytes": painted()[:33] + struct.pack(">I", 2**31 - 1) + b"tEXt" + painted()[33:],
    "has a thousand bombs in its text": with_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**22), 9))[:-12] + b"".join(
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**20), 9)) for _ in range(1000)) + painted()[-12:],
    "has no end": painted()[:-12],
    "has another head before its own": painted()[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    + painted()[8:],
    "has a chunk that must be known": with_chunk(b"ABCD", b"x"),
    "has half of its rows": painted()[:33] + chunk(
        b"IDAT", zlib.compress(bytes(range(97)) * (SIDE // 2))) + painted()[-12:],
    "is to be turned": painted("JPEG", exif=b"Exif\0\0" + to_be_turned(6)),
    "is to be turned by its first word": with_chunk(b"eXIf", to_be_turned(6))[:-12] + chunk(b"eXIf", to_be_turned(1))
    + painted()[-12:],
    "is to be turned, and says otherwise at once": painted()[:33] + chunk(b"eXIf", to_be_turned(6)) + chunk(
        b"eXIf", to_be_turned(1)) + painted()[33:],
    "is to be turned, and has another text": painted()[:33] + chunk(b"eXIf", to_be_turned(6)) + chunk(
        b"tEXt", b"exif\0" + to_be_turned(1)) + painted()[33:],
    "is to be turned by another sixth byte": with_exif(b"Exif\0\1" + to_be_turned(6)),
    "is to be turned by its second word": with_exif(
        b"Exif\0\0II*\0\x08\0\0\0" + bytes(6), b"Exif\0\0" + to_be_turned(6)),
    "is in crumbs behind its scan": painted("JPEG")[:-2] + b"\xff\xfe\0\2" * 20_000 + painted("JPEG")[-2:],
    "is coded arithmetically": painted("JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1),
    "has a filter that is none": painted()[:33] + chunk(b"IDAT", zlib.compress(b"\x09" * 4000)) + painted()[-12:],
    "is two JPEGs": moving("MPO"),
    "is a small WebP": painted("WEBP"),
    "is a large GIF": b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0xF7, 0, 0) + bytes(768) + b"\x2c" + bytes(10),
    "is a TIFF that bites its tail": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "is a Radiance picture": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 99999 +X 99999\n",
    "with a flipped bit": painted()[:400] + bytes([painted()[400] ^ 1]) + painted()[401:],
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_means_harm_is_refused_and_not_paid(site, name):
    answer = site.send(PICTURES[name])
    assert answer.status == 422, (answer.status, bytes(answer.body))
    assert balances(site.farm)["mallory"] == 0
    assert not Path("/tmp/sheepfold-out").exists()


def test_after_all_that_the_farm_is_whole_and_its_children_live(site):
    assert site.send(painted(seed=99)).status == 200
    assert list(check(site.farm, read_blobs=True)) == []
