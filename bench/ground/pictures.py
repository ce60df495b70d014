"""Pictures to upload: a PNG of 100 KB, painted once, of which every copy has other bytes."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 400, 296
SIZE_BYTES = 100_000
_TAIL_BYTES = 12  # the end of every PNG: the chunk IEND
_CHUNK_BYTES = 12  # a chunk's length, type and checksum
_MARK_BYTES = 80


def painted() -> bytes:
    """Paint a picture whose PNG has about as many bytes as wanted: soft colours, and noise that packs badly."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    soft = np.stack([down * 200 // HEIGHT, across * 200 // WIDTH, (down + across) * 200 // (WIDTH + HEIGHT)], axis=-1)
    chance = np.random.default_rng(1)
    for loudness in range(16, 1, -1):
        noisy = soft + chance.integers(0, loudness, soft.shape)
        target = io.BytesIO()
        Image.fromarray(noisy.astype(np.uint8)).save(target, "PNG")
        if len(target.getvalue()) <= SIZE_BYTES - _MARK_BYTES:
            return target.getvalue()
    raise AssertionError("Even a quiet picture has too many bytes.")


def marked(picture: bytes, mark: str) -> bytes:
    """Return the picture with a text chunk before its end, that makes it one of its own and SIZE_BYTES long."""
    room = SIZE_BYTES - len(picture) - _CHUNK_BYTES
    text = b"tEXtComment\0" + mark.encode().ljust(room - len(b"Comment\0"))
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return picture[:-_TAIL_BYTES] + chunk + picture[-_TAIL_BYTES:]
