"""Logs are found by file, glob and folder; what a hostile one claims takes no memory."""

import collections

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from features.errors import UserInputError
from features.records import tfrecord
from serving_signatures.request_logs import log_record, logged_call, reading


def names(locations, folder):
    return [path.removeprefix(f"{folder}/") for path in reading.files(locations)]


def read(path):
    left_out = collections.Counter()
    return [data for _, data in reading.records([str(path)], left_out)], left_out


def test_files_are_found_by_name_glob_and_folder(tmp_path):
    for name in ("a.tfrecord", "b.tfrecord", "notes.txt", "day/c.tfrecord", "plain"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    every = ["a.tfrecord", "b.tfrecord", "day/c.tfrecord"]
    assert names([str(tmp_path)], tmp_path) == every
    assert names([f"{tmp_path}/?.tfrecord"], tmp_path) == every[:2]
    assert names([f"{tmp_path}/plain", f"{tmp_path}/*.tfrecord"], tmp_path) == ["plain", *every[:2]]
    with pytest.raises(reading.NoRequestsError, match="does not exist"):
        reading.files([str(tmp_path / "absent")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(reading.NoRequestsError, match=r"holds no \*.tfrecord"):
        reading.files([str(tmp_path / "empty")])


def test_what_is_not_whole_is_counted_and_the_rest_is_read(tmp_path):
    one, two = tfrecord.frame(b"one"), tfrecord.frame(b"two")
    path = tmp_path / "a.tfrecord"
    path.write_bytes(one + two[:-1])
    assert read(path) == ([b"one"], {"cut off at the end of a file": 1})
    path.write_bytes(one + bytes(8) + two)
    assert read(path) == ([b"one"], {"damaged": 1})
    path.unlink()
    assert read(path) == ([], {"file removed meanwhile": 1})


def test_a_file_that_is_damaged_from_its_begin_does_not_hide_the_others(tmp_path):
    zeros, good = tmp_path / "a.tfrecord", tmp_path / "b.tfrecord"
    zeros.write_bytes(bytes(4096))  # After a power cut.
    good.write_bytes(tfrecord.frame(b"one"))
    left_out = collections.Counter()
    found = [data for _, data in reading.records([str(zeros), str(good)], left_out)]
    assert (found, left_out) == ([b"one"], {"damaged": 1})


def test_what_is_no_tfrecord_file_is_refused_by_name(tmp_path):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(b"PAR1" + bytes(100))
    with pytest.raises(UserInputError, match=r"a.tfrecord' cannot be read as TFRecords"):
        read(path)


def test_a_record_is_found_again_until_its_file_is_gone(tmp_path):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(tfrecord.frame(b"one") + tfrecord.frame(b"two"))
    _, (place, data) = reading.records([str(path)], collections.Counter())
    assert str(place) == "a.tfrecord, record 1"
    assert reading.record_at(place) == data == b"two"
    path.write_bytes(b"")
    assert reading.record_at(place) is None
    path.unlink()
    assert reading.record_at(place) is None


def log_of(**inputs):
    log = prediction_log_pb2.PredictionLog()
    for name, value in inputs.items():
        log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    log.predict_log.response.outputs["click"].CopyFrom(tf.make_tensor_proto([0.5]))
    return log


def calls(data):
    entries = logged_call.parsed([("x.tfrecord, record 0", data)], collections.Counter())
    return [logged_call.call(*entry) for entry in entries]


def test_a_call_has_its_arrays():
    (one,) = calls(log_of(item_ids=np.arange(3)).SerializeToString())
    np.testing.assert_array_equal(one.inputs["item_ids"], np.arange(3))
    assert (one.signature, one.redacted) == ("serving_default", frozenset())


def test_a_shape_that_no_bytes_stand_for_is_refused():
    log = log_of(x=np.int64(1))
    log.predict_log.request.inputs["x"].tensor_shape.dim.add(size=2**40)
    with pytest.raises(UserInputError, match=r"x.tfrecord, record 0 holds a tensor that cannot"):
        calls(log.SerializeToString())
    many = log_of(**{f"x{number}": np.int64(1) for number in range(10)})
    for name in many.predict_log.request.inputs:
        many.predict_log.request.inputs[name].tensor_shape.dim.add(size=2**20)
    with pytest.raises(UserInputError, match="shapes of"):
        calls(many.SerializeToString())


@pytest.mark.parametrize(
    "extras",
    [
        b"",
        b"no JSON",
        b"[" * 50_000,
        b"[]",
        b"{}",
        b'{"microseconds": NaN, "redacted": []}',
        b'{"microseconds": 1' + b"0" * 400 + b', "redacted": []}',
        b'{"microseconds": -1, "redacted": []}',
        b'{"microseconds": 1, "redacted": [3]}',
        b'{"microseconds": 1, "redacted": 3}',
        b'{"microseconds": 1, "redacted": []' + b" " * 70_000 + b"}",
    ],
)
def test_an_additional_field_that_is_not_ours_is_refused_by_name(extras):
    data = log_of().SerializeToString() + log_record.delimited(50_001, extras)
    with pytest.raises(UserInputError, match=r"record 0 is not of a request log"):
        calls(data)


def test_what_is_no_message_is_refused_by_name():
    with pytest.raises(UserInputError, match=r"record 0 is not of a request log: no PredictionLog"):
        calls(b"\xff" * 20)


def test_records_that_are_no_bytes_are_not_taken_for_records():
    (one,) = calls(log_of(examples=np.array([2**50])).SerializeToString())
    assert logged_call.sent_records(one) == []
