import contextlib
import socket
import ssl
import threading
from types import SimpleNamespace

import pytest

from sheepfold.certificate import ensure_certificate
from sheepfold.farm import calls
from sheepfold.farm.calls import called

NEVER_S = 300.0
DRIP_S = 0.05


@contextlib.contextmanager
def listening(serve):
    """Serve one caller on this machine with a function of its socket, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def take():
            with contextlib.suppress(OSError), listener.accept()[0] as caller:
                serve(caller)

        thread = threading.Thread(target=take)
        thread.start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):  # nobody called, or it still listens
            listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def dripping(line):
    while True:
        line.sendall(b".")
        threading.Event().wait(DRIP_S)


def silent(line):
    line.recv(1)


def read_to_end(line):
    with contextlib.suppress(ConnectionResetError):  # by what dripped after the end
        while line.recv(100):
            pass


def test_who_says_nothing_is_hung_up_on():
    with listening(silent) as port, called("127.0.0.1", port, step_s=NEVER_S, whole_s=0.1) as line:
        assert line.recv(1) == b""


def test_who_drips_is_hung_up_on():
    with listening(dripping) as port, called("127.0.0.1", port, step_s=NEVER_S, whole_s=0.3) as line:
        read_to_end(line)


def test_who_drips_behind_tls_is_hung_up_on(tmp_path, monkeypatch):
    now = 0.0
    monkeypatch.setattr(calls, "time", SimpleNamespace(monotonic=lambda: now))
    files = ensure_certificate(tmp_path, "127.0.0.1", 1_700_000_000)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*files)
    client = ssl.create_default_context(cafile=str(files[0]))

    def drip(caller):
        with server.wrap_socket(caller, server_side=True) as veiled:
            dripping(veiled)

    with (listening(drip) as port, called("127.0.0.1", port, step_s=NEVER_S, whole_s=1.0) as line,
          client.wrap_socket(line, server_hostname="127.0.0.1", suppress_ragged_eofs=True) as veiled):
        now = 1.0
        read_to_end(veiled)


def test_a_farm_that_ends_waits_for_nobody():
    closing = threading.Event()
    with listening(silent) as port, called("127.0.0.1", port, step_s=NEVER_S, whole_s=NEVER_S, closing=closing) as line:
        closing.set()
        assert line.recv(1) == b""


def test_a_call_that_answers_in_time_is_left_alone():
    with (listening(lambda caller: caller.sendall(b"welcome")) as port,
          called("127.0.0.1", port, step_s=NEVER_S, whole_s=NEVER_S) as line):
        assert line.recv(100) == b"welcome"


def test_nobody_at_home_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError), called("127.0.0.1", port, step_s=1.0, whole_s=NEVER_S):
        pass
