"""Beam's own flags, checked before Beam reads them, and the run that they ask for."""

import contextlib
import socket
from collections.abc import Iterator, Sequence

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions

from features.errors import RetryError, UserInputError

_DEFAULT_RUNNER = "FnApiRunner"
# Beam's name for a job server inside the launcher.
_EMBEDDED = "embed"
_IN_PROCESS = ("FnApiRunner", "BundleBasedDirectRunner", "DirectRunner", "SwitchingDirectRunner")


def check_beam_flags(beam_args: Sequence[str]) -> None:
    """Raises `UserInputError` for an unknown flag, which Beam itself would ignore."""
    known = set(PipelineOptions([]).get_all_options())
    options = PipelineOptions(list(beam_args))
    unknown = set(options.get_all_options(retain_unknown_options=True)) - known
    stray = [text for text in beam_args[:1] if not text.startswith("-")]
    if unknown or stray:
        names = [f"--{name}" for name in sorted(unknown)] + stray
        raise UserInputError(
            f"Unknown flags {', '.join(names)}: neither this job's (see --help) nor Beam's."
        )


def parse_beam_options(beam_args: Sequence[str]) -> PipelineOptions:
    """Returns Beam's options, with its in-process runner unless another is named.

    Raises:
      UserInputError: a flag is neither ours nor Beam's, or no job server answers at
        `--job_endpoint`.
    """
    check_beam_flags(beam_args)
    options = PipelineOptions([f"--runner={_DEFAULT_RUNNER}", *beam_args])
    check_job_endpoint(options)
    return options


def is_in_process(options: PipelineOptions) -> bool:
    """Whether the runner executes in the launcher's process."""
    runner = options.get_all_options()["runner"] or ""
    return runner.rpartition(".")[2] in _IN_PROCESS


def check_job_endpoint(options: PipelineOptions) -> None:
    """Connects once to the job server, if one is given.

    Beam itself retries silently for many minutes.

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
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise UserInputError(
            f"--job_endpoint {endpoint!r}: no job server answers there ({error}). Start it "
            "(docs/clusters.md), or give its address."
        ) from error


@contextlib.contextmanager
def running_pipeline(options: PipelineOptions) -> Iterator[beam.Pipeline]:
    """Yields a pipeline that runs at the end of the block.

    Args:
      options: of `parse_beam_options`.

    Raises:
      RetryError: the job server went away while the pipeline ran.
    """
    try:
        with beam.Pipeline(options=options) as pipeline:
            yield pipeline
    except grpc.RpcError as error:
        endpoint = options.view_as(PortableOptions).job_endpoint
        if not endpoint or error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        raise RetryError(
            f"--job_endpoint {endpoint!r}: the job server went away while the job ran "
            f"({error.details()}). Start it, and run the same command again."
        ) from error
