"""The server's life: listen, look for new versions, and finish what has begun after SIGTERM."""

import signal
import threading
from types import FrameType

from absl import logging

from features.errors import UserInputError
from pipeline.local_serving import services
from pipeline.local_serving.served_model import ServedModel


def serve(
    model: ServedModel,
    address: str,
    threads: int,
    poll_seconds: float,
    grace_seconds: float,
) -> None:
    """Serves a model until SIGTERM or SIGINT, then closes it.

    Args:
      model: what to serve.
      address: `host:port` to listen on; port 0 for a free one, which is logged.
      threads: requests that are answered at a time.
      poll_seconds: how often to look for new versions.
      grace_seconds: how long requests may still take after the signal.

    Raises:
      UserInputError: nothing can listen on the address.
    """
    server = services.grpc_server(model, threads)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise UserInputError(
            f"Cannot listen on {address}, is another server there? Give another --port, or 0 for "
            "one that is free."
        ) from error
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.start()
    host = address.rpartition(":")[0]
    logging.info("Model %s on %s:%d; SIGTERM ends it", model.name, host, port)
    while not stopped.wait(poll_seconds):
        model.refresh()
    logging.info("Finishing the requests that have begun, then ending")
    server.stop(grace_seconds).wait()
    model.close()
