"""The job server that `--job_endpoint` names, before Beam waits for it."""

import socket

from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions

from features.errors import UserInputError

# Beam's word for a job server inside the launcher.
_EMBEDDED = "embed"


def check_job_endpoint(options: PipelineOptions, seconds: float = 10.0) -> None:
    """Connects to the job server once, if one is named.

    Beam retries without a word for many minutes where nobody listens.

    Args:
      options: of Beam.
      seconds: to wait for the connection.

    Raises:
      UserInputError: the endpoint is no `host:port`, or nobody listens there.
    """
    endpoint = options.view_as(PortableOptions).job_endpoint
    if not endpoint or endpoint == _EMBEDDED:
        return
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise UserInputError(f"--job_endpoint {endpoint!r} must be host:port, say localhost:8099.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=seconds).close()
    except (OSError, OverflowError) as error:
        raise UserInputError(
            f"--job_endpoint {endpoint!r}: no job server answers there ({error}). Start it "
            "(docker/worker/README.md), or give its address."
        ) from error
