"""Bytes from one connection to another, as they come."""

import asyncio
from collections.abc import Callable

HEAD_BYTES = 256 * 1024
CHUNK_BYTES = 64 * 1024


async def pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Callable[[], None] = lambda: None
) -> None:
    """Pass bytes on until there are no more, and say so to the other side; `seen` is called for each piece."""
    while piece := await reader.read(CHUNK_BYTES):
        seen()
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
