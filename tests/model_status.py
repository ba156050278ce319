"""A stand-in for TensorFlow Serving's REST port: it tells the state of one version."""

import contextlib
import http.server
import json
import threading


@contextlib.contextmanager
def model_status_server(path: str, version: int, state: str):
    """Serves a version's state at a path, anything else is 404; gives the port."""
    status = {"version": str(version), "state": state}
    body = json.dumps({"model_version_status": [status]}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == path else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
