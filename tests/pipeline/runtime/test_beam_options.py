"""A job server or a part of the engine that is not there is told with a sentence."""

import re
import socket

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from features.errors import RetryError, UserInputError
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.publishing.publication import Publication
from pipeline.runtime.beam_options import check_job_endpoint, open_pipeline
from tests.pipeline.join import logs


def _options(endpoint: str) -> PipelineOptions:
    return PipelineOptions(["--runner=PortableRunner", f"--job_endpoint={endpoint}"])


def test_a_port_that_listens_passes_and_a_closed_one_is_reported() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        endpoint = f"127.0.0.1:{server.getsockname()[1]}"
        server.listen()
        check_job_endpoint(_options(endpoint))
    with pytest.raises(UserInputError, match=f"{endpoint}.*no job server answers"):
        check_job_endpoint(_options(endpoint))


@pytest.mark.parametrize("endpoint", ["localhost", ":8099", "localhost:http", "8099"])
def test_an_endpoint_without_host_or_port_is_reported(endpoint: str) -> None:
    with pytest.raises(UserInputError, match="must be host:port"):
        check_job_endpoint(_options(endpoint))


def test_a_port_out_of_range_is_reported() -> None:
    with pytest.raises(UserInputError, match="no job server answers"):
        check_job_endpoint(_options("localhost:99999"))


def test_no_endpoint_and_beams_own_pass() -> None:
    check_job_endpoint(PipelineOptions([]))
    check_job_endpoint(_options("embed"))


def test_the_join_asks_before_it_writes(tmp_path) -> None:
    log = logs.write_log(tmp_path / "log", logs.random_rows(0))
    options = JoinOptions.from_dict({"events": log, "output": str(tmp_path / "out")})
    with pytest.raises(UserInputError, match="no job server answers"):
        build_examples(options, ["--runner=PortableRunner", "--job_endpoint=127.0.0.1:1"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log"]


# As Flink 1.19 and Beam's runner 2.62 wrote them into the failure of a job.
LOST = [
    "org.apache.beam.vendor.grpc.v1p60p1.io.grpc.StatusRuntimeException: CANCELLED: client "
    "cancelled",
    "org.apache.beam.vendor.grpc.v1p60p1.io.grpc.StatusRuntimeException: CANCELLED: call already "
    "cancelled. Use ServerCallStreamObserver.setOnCancelHandler() to disable this exception",
    "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException: Connection "
    "unexpectedly closed by remote task manager '127.0.0.1/127.0.0.1:36181 [ 127.0.0.1:33599-a8 ] "
    "'. This might indicate that the remote task manager was lost.",
    "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException: Connecting to "
    "remote task manager '/127.0.0.1:38311 [ 127.0.0.1:44773-47ad59 ] ' has failed. This might "
    "indicate that the remote task manager has been lost.",
    "java.util.concurrent.TimeoutException: Heartbeat of TaskManager with id 10.0.0.2:1 timed out.",
    "org.apache.flink.runtime.jobmaster.JobMasterException: TaskManager with id 127.0.0.1:33599-a8 "
    "is no longer reachable.",
    "org.apache.flink.util.FlinkException: The TaskExecutor is shutting down.",
]
FAILED = "Pipeline BeamApp-root-1_2 failed in state FAILED: {}"


@pytest.mark.parametrize("reason", LOST)
def test_a_lost_part_of_the_engine_is_no_fault_of_the_program(tmp_path, reason: str) -> None:
    publication = Publication(str(tmp_path / "out"), {})
    told = f"FAILED: {re.escape(reason)}.* Run the same command again.*Nothing was published.$"
    with (
        pytest.raises(RetryError, match=told),
        publication.staging(),
        open_pipeline(PipelineOptions([])),
    ):
        raise RuntimeError(f"{FAILED.format(reason)}\n\tat java.lang.Thread.run(Thread.java:1)")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "reason",
    [
        "java.lang.RuntimeException: Error received from SDK harness for instruction 5: Traceback",
        "java.lang.OutOfMemoryError: Java heap space",
        f"UserInputError: 'a' cannot be read.\n\n{LOST[0]}",
    ],
)
def test_another_failure_of_the_engine_stays_as_it_is(reason: str) -> None:
    with (
        pytest.raises(RuntimeError, match=re.escape(reason)),
        open_pipeline(PipelineOptions([])),
    ):
        raise RuntimeError(FAILED.format(reason))
