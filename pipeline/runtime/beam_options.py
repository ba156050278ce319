"""Beam's own flags, checked before Beam reads them, and the pipeline that they ask for."""

import contextlib
import os
import re
import shlex
import signal
import socket
import sys
import threading
import types
from collections.abc import Iterator, Sequence

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.transforms.environments import SubprocessSDKEnvironment

from features.errors import RetryError, UserInputError
from pipeline.runtime import exit_codes

_DEFAULT_RUNNER = "FnApiRunner"
_SECONDS_TO_NOTICE = 10
_LONGEST_REASON = 500
_WORKER = "pipeline.runtime.beam_worker"
# Beam's name for a job server inside the launcher.
_EMBEDDED = "embed"
# An engine's words of a worker or a task manager that is gone: of Beam's Java runners, of Flink.
_LOST = re.compile(
    r"CANCELLED: (client cancelled|call already cancelled)"
    r"|task ?manager\b.* ((was|has been) lost|is no longer reachable|timed out)"
    r"|The TaskExecutor is shutting down",
    re.IGNORECASE,
)
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


@contextlib.contextmanager
def open_pipeline(options: PipelineOptions, processes: int = 1) -> Iterator[beam.Pipeline]:
    """Yields a pipeline on the options' runner, which runs when the block ends.

    Args:
      options: as `parse_beam_options` returned them.
      processes: of this machine, where the options leave that open.

    Raises:
      RetryError: a process of this machine was ended by something else, the job server went away
        while the pipeline ran, or the engine gave it up for a worker or task manager it has lost.
    """
    given = options.view_as(DirectOptions)
    if given.direct_running_mode == "multi_processing":
        processes = given.direct_num_workers
    elif processes == 1:
        with _working_engine(options), beam.Pipeline(options=options) as pipeline:
            yield pipeline
        return
    options = PipelineOptions.from_dictionary(options.get_all_options(drop_default=True))
    direct = options.view_as(DirectOptions)
    # In Beam's own mode for processes it would start a worker of its own, not this one.
    direct.direct_running_mode, direct.direct_num_workers = "in_memory", processes
    command = shlex.join([sys.executable, "-m", _WORKER])
    environment = SubprocessSDKEnvironment.from_command_string(command)
    runner = FnApiRunner(default_environment=environment)
    with _ended_workers(), beam.Pipeline(runner, options) as pipeline:
        yield pipeline


@contextlib.contextmanager
def _working_engine(options: PipelineOptions) -> Iterator[None]:
    """Lets a block end with a sentence where the job server or a part of the engine is lost in it.

    Raises:
      RetryError: it did.
    """
    try:
        yield
    except grpc.RpcError as error:
        endpoint = options.view_as(PortableOptions).job_endpoint
        if not endpoint or error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        raise RetryError(
            f"--job_endpoint {endpoint!r}: the job server went away while the job ran "
            f"({error.details()}). Start it, and run the same command again."
        ) from error
    except RuntimeError as error:
        lost = next(filter(_LOST.search, str(error).splitlines()), None)
        if lost is None or exit_codes.of(error) is not None:
            raise
        raise RetryError(
            "The engine lost a worker or a task manager of this job, and gave the job up: "
            f"{lost[:_LONGEST_REASON].rstrip('.')}. Run the same command again; where that "
            "happens again, look there for what ended it, often want of memory."
        ) from error


@contextlib.contextmanager
def _ended_workers() -> Iterator[None]:
    """Ends a block in which the runner waits for a worker that has ended before it answered.

    Beam 2.77 notices a worker that ends at work. For one that ends while it starts it waits
    forever: only the thread that has started it fails.

    Raises:
      RetryError: from wherever the block waits; in the main thread alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    done, gone = threading.Event(), threading.Event()
    hook, handler = threading.excepthook, signal.getsignal(signal.SIGINT)

    def failed(arguments: threading.ExceptHookArgs) -> None:
        if "Worker subprocess exited" not in str(arguments.exc_value):
            hook(arguments)
        elif not done.wait(_SECONDS_TO_NOTICE):
            gone.set()
            os.kill(os.getpid(), signal.SIGINT)

    def interrupted(number: int, frame: types.FrameType | None) -> None:
        if gone.is_set():
            raise RetryError(exit_codes.WORKER_ENDED)
        if callable(handler):
            handler(number, frame)

    threading.excepthook = failed
    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        done.set()
        threading.excepthook = hook
        signal.signal(signal.SIGINT, handler)


def leaves_processes_open(options: PipelineOptions, beam_args: Sequence[str]) -> bool:
    """Whether the runner is the in-process one, and no flag says in how many processes.

    Args:
      options: what `parse_beam_options` made of the flags.
      beam_args: the flags; options do not tell a default from the same value that was given.
    """
    return is_in_process(options) and not any(flag.startswith("--direct_") for flag in beam_args)


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
