"""What the store's tests share: rows to begin with, made by the store's own functions."""

import socket

import pytest


@pytest.fixture
def free_port() -> int:
    """Return a port of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
