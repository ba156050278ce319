"""A job server that is not there is reported at once, not after minutes."""

import socket

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from features.errors import UserInputError
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.runtime.beam_options import check_job_endpoint
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
