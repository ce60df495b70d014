"""A farm's answers as its clients read them: as they come, and with a limit, since a farm is a stranger to a worker."""

import httpx

from sheepfold.protocols.link import FarmUnreachable

CHUNK_BYTES = 256 * 1024
UNPACKED = {"Accept-Encoding": "identity"}
"""What clients ask for, since few bytes that are packed may be very many."""


def whole_body(response: httpx.Response, limit_bytes: int) -> bytes:
    """Return the body of an answer that is being streamed; raises FarmUnreachable where it is larger, and httpx's."""
    body = bytearray()
    for chunk in response.iter_raw(CHUNK_BYTES):
        body += chunk
        if len(body) > limit_bytes:
            raise FarmUnreachable(f"The farm's answer has more than {limit_bytes} bytes.")
    return bytes(body)
