"""What is logged is what was sent and answered; what cannot be logged costs the caller nothing."""

import collections
import os
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving_signatures.request_logs import log_record, reading
from serving_signatures.request_logs.redaction import Redaction
from serving_signatures.request_logs.request_log import RequestLog
from tests.faults import disks


def messages(number=0, signature="score_request", size=3):
    request, response = predict_pb2.PredictRequest(), predict_pb2.PredictResponse()
    request.model_spec.name = response.model_spec.name = "dmf"
    request.model_spec.signature_name = signature
    response.model_spec.version.value = 7
    ids = np.arange(size) + number
    request.inputs["candidate_item_id"].CopyFrom(tf.make_tensor_proto(ids))
    response.outputs["click"].CopyFrom(tf.make_tensor_proto(ids / 1e6))
    return request, response


def logged(folder):
    left_out = collections.Counter()
    found = reading.records(reading.files([str(folder)]), left_out)
    return [log_record.decode(data) for _, data in found], left_out


def first_ids(records):
    inputs = (one.log.predict_log.request.inputs["candidate_item_id"] for one in records)
    return [int(tf.make_ndarray(one)[0]) for one in inputs]


def waited_for(log, **counts):
    end = time.monotonic() + 60
    while log.counts() != {f"log.{name}": count for name, count in counts.items()}:
        assert time.monotonic() < end, log.counts()
        time.sleep(0.01)


def test_a_call_is_logged_as_it_was(tmp_path):
    request, response = messages()
    with RequestLog(str(tmp_path), rate=1, seed=1) as log:
        log.offer(request, response, 0.0125)
    (one,), left_out = logged(tmp_path)
    assert one.log.predict_log.request == request
    assert one.log.predict_log.response == response
    assert one.log.log_metadata.model_spec == response.model_spec
    assert one.log.log_metadata.sampling_config.sampling_rate == 1
    assert abs(one.log.log_metadata.timestamp_secs - time.time()) < 600
    assert (one.seconds, one.redacted, left_out) == (0.0125, frozenset(), {})
    assert log.counts() == {"log.written": 1}


def test_tensorflows_own_readers_read_it(tmp_path):
    request, response = messages()
    with RequestLog(str(tmp_path), rate=1) as log:
        log.offer(request, response, 0.1)
    from tensorflow_serving.apis import prediction_log_pb2

    (data,) = tf.data.TFRecordDataset(reading.files([str(tmp_path)])).as_numpy_iterator()
    assert prediction_log_pb2.PredictionLog.FromString(data).predict_log.request == request


def test_calls_are_drawn_at_the_rate_and_again_alike_by_seed(tmp_path):
    found = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        with RequestLog(str(tmp_path / name), rate=0.1, seed=seed, queue_size=5000) as log:
            for number in range(5000):
                log.offer(*messages(number), 0.0)
        found.append(first_ids(logged(tmp_path / name)[0]))
    assert found[0] == found[1] != found[2]
    assert 400 < len(found[0]) < 600


def test_only_calls_that_score_are_logged(tmp_path):
    with RequestLog(str(tmp_path), rate=1) as log:
        for signature in ("id_projections", "target_aware_projections", "other"):
            log.offer(*messages(signature=signature), 0.0)
        for signature in ("", "serving_default", "score_request", "score_cached"):
            log.offer(*messages(signature=signature), 0.0)
    assert len(logged(tmp_path)[0]) == 4


@pytest.mark.guarantee("two at once", "serve_local")
def test_threads_and_logs_share_a_folder(tmp_path):
    logs = [RequestLog(str(tmp_path), rate=1, queue_size=1000) for _ in range(2)]

    def offer(start):
        for number in range(start, start + 100):
            logs[number % 2].offer(*messages(number), 0.0)

    threads = [threading.Thread(target=offer, args=(100 * one,)) for one in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for log in logs:
        log.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert sorted(first_ids(logged(tmp_path)[0])) == list(range(400))


def test_a_forked_process_has_a_thread_and_a_file_of_its_own(tmp_path):
    log = RequestLog(str(tmp_path), rate=1)
    log.offer(*messages(1), 0.0)
    waited_for(log, written=1)
    child = os.fork()
    if not child:
        try:
            log.offer(*messages(2), 0.0)
            log.close()
        finally:
            os._exit(0 if log.counts() == {"log.written": 1} else 1)
    assert os.waitpid(child, 0)[1] == 0
    log.offer(*messages(3), 0.0)
    log.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert sorted(first_ids(logged(tmp_path)[0])) == [1, 2, 3]


class Stuck:
    """A disk that does not answer until it is let go."""

    def __init__(self, *_):
        self.free = threading.Event()

    def append(self, record):
        self.free.wait(60)

    def close(self):
        pass


def test_a_disk_that_hangs_costs_samples_and_no_time(tmp_path):
    stuck = Stuck()
    log = RequestLog(str(tmp_path), rate=1, queue_size=3)
    log._new_files = lambda: stuck
    begin = time.monotonic()
    for number in range(50):
        log.offer(*messages(number), 0.0)
    log.close(seconds=0.1)
    assert time.monotonic() - begin < 10
    assert log.counts()["log.dropped"] >= 46
    stuck.free.set()


@pytest.mark.guarantee("full disk", "serve_local")
@pytest.mark.guarantee("no write", "serve_local")
def test_a_full_disk_and_a_read_only_folder_cost_samples_alone(tmp_path):
    with disks.small_disk(1) as disk:
        disks.fill(disk, 0)
        with RequestLog(str(disk / "log"), rate=1) as log:
            log.offer(*messages(size=10_000), 0.0)
            waited_for(log, failed=1)
            disks.fill(disk, 1 << 19)
            log.offer(*messages(), 0.0)
        assert log.counts() == {"log.failed": 1, "log.written": 1}
        assert len(logged(disk / "log")[0]) == 1
    with disks.read_only(tmp_path), RequestLog(str(tmp_path), rate=1) as log:
        log.offer(*messages(), 0.0)
        waited_for(log, failed=1)


def test_a_call_that_cannot_be_redacted_is_not_written(tmp_path):
    with RequestLog(str(tmp_path), rate=1, redaction=Redaction(["context_agee"])) as log:
        log.offer(*messages(), 0.0)
    assert log.counts() == {"log.failed": 1}
    assert list(tmp_path.iterdir()) == []


def test_a_log_can_be_closed_twice_and_used_again(tmp_path):
    log = RequestLog(str(tmp_path), rate=1)
    log.close()
    for number in range(2):
        log.offer(*messages(number), 0.0)
        log.close()
        log.close()
    assert sorted(first_ids(logged(tmp_path)[0])) == [0, 1]


@pytest.mark.parametrize("rate", [0, -1, 1.5, float("nan")])
def test_a_rate_that_cannot_be_is_refused(rate):
    with pytest.raises(ValueError, match="rate must be more than 0"):
        RequestLog("log", rate=rate)


def test_other_arguments_that_cannot_be_are_refused():
    for arguments in ({"queue_size": 0}, {"max_files": 0}, {"max_file_bytes": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            RequestLog("log", **arguments)
