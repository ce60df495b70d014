"""What a picture says of its own colours: viewers follow it, so it says sRGB, or its profile is followed here, too.

Without that, a picture of just the right pixels could be shown in any tint. What Blender 4.5, flam3, Chromium and
Firefox write says nothing of colours, which means sRGB; screenshots of a Mac bring its screen's profile.
"""

import io
import struct
from collections.abc import Sequence

from PIL import Image, ImageCms

from sheepfold.model.errors import UndecodablePicture

CHUNKS = {b"gAMA": 4, b"cHRM": 32, b"cICP": 4}
"""PNG's chunks that tint what viewers show, by their lengths; sRGB may stand there as well, and iCCP is a profile."""
PROFILE = b"iCCP"
_MOST_NAME_BYTES = 79
_GAMMA = 45455
_POINTS = 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000  # white, red, green and blue, of sRGB
_POINTS_SPREAD = 1000
_CODE_POINTS = bytes([1, 13, 0, 1])  # of ITU-T H.273: BT.709's primaries, sRGB's curve, RGB, full range
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def is_srgb(name: bytes, body: bytes) -> bool:
    """Say whether a chunk of CHUNKS means sRGB, as nearly as libpng asks; other chunks always do."""
    if name not in CHUNKS:
        return True
    if len(body) != CHUNKS[name]:
        return False
    if name == b"gAMA":
        return abs(int.from_bytes(body, "big") - _GAMMA) * 20 <= _GAMMA
    if name == b"cHRM":
        points = zip(struct.unpack(">8I", body), _POINTS, strict=True)
        return all(abs(found - expected) <= _POINTS_SPREAD for found, expected in points)
    return body == _CODE_POINTS


def check_chunks(said: Sequence[tuple[bytes, bytes]]) -> None:
    """Raise UndecodablePicture where a PNG's chunks ask for other colours than sRGB's; a profile goes before two.

    A profile may only be one that all readers follow: libpng passes over those of longer names.
    """
    has_profile = any(name == PROFILE for name, _ in said)
    for name, body in said:
        if name == PROFILE and not _is_named(body):
            raise UndecodablePicture("The PNG's colour profile has no name that there is, or is packed in another way.")
        is_overruled = has_profile and name != b"cICP"
        if not (is_overruled or is_srgb(name, body)):
            raise UndecodablePicture(f"The PNG asks to be shown in other colours than sRGB's, by {name.decode()}.")


def _is_named(profile: bytes) -> bool:
    name, _, packed = profile.partition(b"\0")
    return 0 < len(name) <= _MOST_NAME_BYTES and packed.startswith(b"\0")


def as_seen(rgb: Image.Image, source: Image.Image) -> Image.Image:
    """Return a picture in RGB as viewers show it, by the profile of the file's own picture where it has one.

    Raises UndecodablePicture where the profile is damaged, or is for another kind of pixels.
    """
    if "icc_profile" not in source.info:
        return rgb
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(source.info["icc_profile"]))
        space = profile.profile.xcolor_space.strip()
        inks = source if source.mode == "CMYK" else rgb.convert("L" if space == "GRAY" else "RGB")
        return ImageCms.profileToProfile(inks, profile, _SRGB, outputMode="RGB") or rgb
    except (OSError, ImageCms.PyCMSError) as error:
        raise UndecodablePicture("The picture's colour profile is damaged, or for another kind of pixels.") from error
