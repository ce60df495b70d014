"""A webhook's receiver on this machine: what it got, and what it answers."""

import ssl
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sheepfold.farm import postman, webhooks


@dataclass
class Inbox:
    """A receiver on this machine: what it got, and what it answers."""

    url: str = ""
    got: list = field(default_factory=list)
    status: int = 204
    headers: dict = field(default_factory=dict)
    arrived: threading.Event = field(default_factory=threading.Event)
    before_answer: Callable[[], object] = lambda: None


@contextmanager
def receiving(tls=None):
    """Receive on this machine until the block ends; `tls` names the files of a certificate and its key."""
    kept = Inbox()

    class Receiver(BaseHTTPRequestHandler):
        def _take(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.got.append((self.command, self.path, dict(self.headers), body))
            kept.before_answer()
            self.send_response(kept.status)
            for name, value in kept.headers.items():
                self.send_header(name, value)
            self.end_headers()
            kept.arrived.set()

        do_POST = do_PUT = _take  # noqa: N815 -- http.server looks for these names

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    kept.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}/in"
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def go_round(farm):
    webhooks.fan_out(farm)
    return postman.deliver_due(farm)


def topics(inbox):
    return [headers["Sheepfold-Topic"] for _, _, headers, _ in inbox.got]
