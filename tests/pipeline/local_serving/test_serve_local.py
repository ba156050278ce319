"""The development server as a process: it starts, finds new versions, and ends on SIGTERM."""

import collections
import re
import signal
import subprocess
import sys
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import prediction_service_pb2_grpc

from serving_signatures.client.channel import open_channel
from serving_signatures.client.channels.tls import channel_credentials
from serving_signatures.request_logs import log_record, reading
from tests import quick_python
from tests.pipeline.local_serving import tiny_model
from tests.serving_signatures.client.channels.certificates import Authority

COMMAND = (sys.executable, "-m", "pipeline.serve_local", "--port=0")


def start(folder, *flags):
    command = [*COMMAND, f"--saved_model={folder}", *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    output = ""
    for line in process.stderr:
        output += line
        if found := re.search(r"^Model (\S+) on (\S+);", line):
            return process, found[1], found[2]
    raise AssertionError(output)


@pytest.mark.slow
def test_sigterm_lets_a_request_finish_and_new_versions_are_found(tmp_path):
    folder = tmp_path / "m"
    tiny_model.save(folder / "1")
    process, name, address = start(folder, "--poll_seconds=0.05", "--grace_seconds=300")
    try:
        with grpc.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            request = tiny_model.request(name=name, **tiny_model.inputs())
            assert stub.Predict(request).model_spec.version.value == 1
            tiny_model.save(tmp_path / "building")
            (tmp_path / "building").rename(folder / "2")
            end = time.monotonic() + 300
            while stub.Predict(request).model_spec.version.value != 2:
                assert time.monotonic() < end
                time.sleep(0.05)
            steps = 400_000
            running = stub.Predict.future(tiny_model.request("slow", name, steps=np.int64(steps)))
            time.sleep(0.2)
            assert not running.done()
            process.send_signal(signal.SIGTERM)
            assert tf.make_ndarray(running.result().outputs["steps"]) == steps
        output = process.communicate(timeout=300)[1]
        assert process.returncode == 0, output
        assert "Traceback" not in output
    finally:
        process.kill()


@pytest.mark.slow
def test_a_port_that_is_taken_and_an_empty_folder_are_the_users(tmp_path):
    tiny_model.save(tmp_path / "m" / "7")
    process, name, address = start(tmp_path / "m" / "7")
    try:
        assert name == "m"
        port = address.rpartition(":")[2]
        flags = (f"--saved_model={tmp_path}/m", f"--port={port}")
        done = subprocess.run([*COMMAND, *flags], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert f"Cannot listen on localhost:{port}" in done.stderr
        assert "Traceback" not in done.stderr
    finally:
        process.terminate()
        assert process.wait(300) == 0


@pytest.mark.slow
def test_calls_are_logged_until_sigterm_without_what_is_redacted(tmp_path):
    tiny_model.save(tmp_path / "m" / "1")
    flags = ("--request_log_rate=1", "--redact=item_ids", f"--request_log={tmp_path}/log")
    process, name, address = start(tmp_path / "m", *flags)
    try:
        with grpc.insecure_channel(address) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            request = tiny_model.request(name=name, **tiny_model.inputs())
            response = stub.Predict(request)
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=300)[1]
        assert process.returncode == 0, output
        assert f"Request log in {tmp_path}/log: {{'log.written': 1}}" in output
    finally:
        process.kill()
    paths = reading.files([f"{tmp_path}/log"])
    ((_, data),) = reading.records(paths, collections.Counter())
    record = log_record.decode(data)
    assert record.redacted == {"item_ids"}
    assert record.log.predict_log.response == response
    assert record.log.predict_log.request.inputs["x"] == request.inputs["x"]
    assert not tf.make_ndarray(record.log.predict_log.request.inputs["item_ids"]).any()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--redact=item_ids"], "are of --request_log: give it"),
        (["--request_log=log", "--redact_by_hash=item_ids"], "is read from $DMF_REDACTION_KEY"),
        (["--request_log=log", "--request_log_rate=0"], "--request_log: rate must be more than 0"),
        (["--request_log=s3://a/log"], "--request_log: Expected a local folder"),
    ],
)
def test_flags_of_the_log_that_cannot_be_are_refused(flags, message, tmp_path):
    done = quick_python.run_job("pipeline.serve_local", f"--saved_model={tmp_path}", *flags)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.slow(seconds=10)
def test_tls_asks_for_a_certificate_and_a_probe_reads_health(tmp_path):
    tiny_model.save(tmp_path / "m" / "1")
    authority = Authority(tmp_path, "root")
    certificate, key = authority.signed("models.test")
    tls = (f"--tls_certificate={certificate}", f"--tls_key={key}")
    process, name, address = start(
        tmp_path / "m", *tls, f"--tls_client_root={authority.root}", "--labels=stable=1"
    )
    try:
        own = authority.signed("probe.test")
        for shown, code in ((own, None), ((), "UNAVAILABLE")):
            credentials = channel_credentials(authority.root, *shown)
            with open_channel(
                address, 60, attempts=1, credentials=credentials, server_name="models.test"
            ) as channel:
                probe = health_pb2_grpc.HealthStub(channel)
                stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
                request = tiny_model.request(name=name, **tiny_model.inputs())
                if code is None:
                    state = probe.Check(health_pb2.HealthCheckRequest()).status
                    assert state == health_pb2.HealthCheckResponse.SERVING
                    assert stub.Predict(request).model_spec.version.value == 1
                else:
                    with pytest.raises(grpc.RpcError) as raised:
                        stub.Predict(request)
                    assert raised.value.code().name == code
    finally:
        process.terminate()
        assert process.wait(300) == 0


def test_a_certificate_without_its_key_is_refused(tmp_path):
    done = quick_python.run_job(
        "pipeline.serve_local", f"--saved_model={tmp_path}", "--tls_certificate=models.crt"
    )
    assert done.returncode == 2
    assert "belong together, received models.crt and None" in done.stderr
