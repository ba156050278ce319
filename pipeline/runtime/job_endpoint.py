"""Checks that the job server of `--job_endpoint` answers, before Beam waits for it."""

import socket

from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions

from features.errors import UserInputError

# Beam's name for a job server inside the launcher.
_EMBEDDED = "embed"


def check_job_endpoint(options: PipelineOptions, seconds: float = 10.0) -> None:
    """Connects once to the job server, if one is given.

    Beam itself retries silently for many minutes.

    Args:
      options: Beam's.
      seconds: timeout of the connection.

    Raises:
      UserInputError: the endpoint is not `host:port`, or no server listens there.
    """
    endpoint = options.view_as(PortableOptions).job_endpoint
    if not endpoint or endpoint == _EMBEDDED:
        return
    host, _, port = endpoint.rpartition(":")
    if not host or not port.isdecimal():
        raise UserInputError(f"--job_endpoint {endpoint!r} must be host:port: localhost:8099.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=seconds).close()
    except (OSError, OverflowError) as error:
        raise UserInputError(
            f"--job_endpoint {endpoint!r}: no job server answers there ({error}). Start it "
            "(docker/worker/README.md), or give its address."
        ) from error
