"""A server that collects events of OpenLineage."""

import contextlib
import http.server
import json
import threading
from collections.abc import Iterator


class Server(http.server.ThreadingHTTPServer):
    """Collects the events that are posted."""

    def __init__(self):
        self.events = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.events.append(json.loads(body))
        self.send_response(201)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def started() -> Iterator[Server]:
    """Runs a server meanwhile."""
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
