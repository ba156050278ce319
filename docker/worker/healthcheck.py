"""Healthy: the port named in `HEALTH_PORT` accepts connections.

A worker pool (50000) or TensorBoard (6006) sets it. A batch job has no port: its health is its
exit code, and it counts as healthy while it runs.
"""

import os
import socket
import sys


def main() -> None:
    """Exits with 1 when the port is named and closed."""
    port = os.environ.get("HEALTH_PORT")
    if not port:
        return
    try:
        socket.create_connection(("127.0.0.1", int(port)), timeout=5).close()
    except OSError as error:
        sys.exit(f"healthcheck: port {port}: {error}")


if __name__ == "__main__":
    main()
