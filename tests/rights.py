"""What a user may who is not root, for tests that root runs, too: to root no file is read-only."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3, of two words each (capabilities(7), linux/capability.h)
_OVERRIDES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH


class _Whose(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Word(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


@contextmanager
def as_mere_user() -> Iterator[None]:
    """Heed the modes of one's own files while the block runs, in this thread alone."""
    if os.geteuid() != 0:
        yield
        return
    words = (_Word * 2)()
    _ask("capget", words)
    before = words[0].effective
    words[0].effective &= ~_OVERRIDES
    _ask("capset", words)
    try:
        yield
    finally:
        words[0].effective = before
        _ask("capset", words)


def _ask(call: str, words: "ctypes.Array[_Word]") -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(ctypes.byref(_Whose(_VERSION, 0)), words):
        raise OSError(ctypes.get_errno(), call)
