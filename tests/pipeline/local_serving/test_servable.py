"""One version, called as TF Serving would call it."""

import numpy as np
import psutil
import pytest
import tensorflow as tf

from pipeline.local_serving import tensor_protos
from pipeline.local_serving.servable import Servable
from tests.pipeline.local_serving import tiny_model


@pytest.fixture(scope="module")
def servable(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny_model.save(folder)
    servable = Servable(str(folder))
    yield servable
    servable.close()


def predict(servable, output_filter=(), signature="", **changes):
    arrays = tiny_model.inputs() | changes
    given = {name: value for name, value in arrays.items() if value is not None}
    return servable.predict(signature, tiny_model.protos(given), output_filter)


def test_an_empty_name_is_the_default_signature(servable):
    for name in ("", "serving_default"):
        outputs = predict(servable, signature=name)
        np.testing.assert_array_equal(outputs["double"], np.full((3, 2), 2, np.float32))
        assert outputs["next"].tolist() == [1, 2, 3]


def test_an_output_filter_gives_those_outputs_alone(servable):
    assert predict(servable, ["next"]).keys() == {"next"}


@pytest.mark.parametrize(
    ("output_filter", "message"),
    [
        (["click"], "output tensor alias not found in signature: click"),
        (["next", "double", "next"], "duplicate output tensor alias: next"),
    ],
)
def test_an_output_filter_that_does_not_fit_is_refused(servable, output_filter, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        predict(servable, output_filter)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": None}, "Missing but required: {x}"),
        ({"y": np.zeros(1)}, "Sent extra: {y}"),
        ({"x": np.ones((3, 2))}, "x: expected float32, received float64"),
        ({"item_ids": np.array(["a"])}, "item_ids: expected int64, received string"),
        ({"x": np.ones(3, np.float32)}, r"x: expected shape \(None, 2\), received \[3\]"),
        ({"x": np.ones((3, 4), np.float32)}, r"x: expected shape \(None, 2\), received \[3, 4\]"),
        ({"item_ids": np.int64(1)}, r"item_ids: expected shape \(None,\), received \[\]"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_by_name(servable, changes, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        predict(servable, **changes)


def spoiled(**changes):
    protos = tiny_model.protos(tiny_model.inputs())
    shape = protos["x"].tensor_shape
    for name, value in changes.items():
        if name == "rows":
            shape.dim[0].size = value
        elif name == "unknown_rank":
            shape.unknown_rank = value
        else:
            setattr(protos["x"], name, value)
    return protos


@pytest.mark.parametrize(
    ("protos", "message"),
    [
        (spoiled(rows=2**62), "x: a tensor of shape .* is larger than"),
        (spoiled(rows=-1), "x: the tensor's shape is not fully known"),
        (spoiled(unknown_rank=True), "x: the tensor's shape is not fully known"),
        (spoiled(rows=4), "tensor parsing error: x"),
        (spoiled(tensor_content=b"abc"), "tensor parsing error: x"),
        (spoiled(dtype=99), "x: expected float32, received unknown dtype 99"),
    ],
)
def test_a_tensor_that_contradicts_itself_is_refused_by_name(servable, protos, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        servable.predict("", protos)


def test_values_that_are_given_once_stand_for_all(servable):
    # As TensorFlow reads a TensorProto: the last value is repeated, none at all is zero.
    protos = tiny_model.protos(tiny_model.inputs())
    protos["x"].ClearField("tensor_content")
    protos["x"].float_val.append(5)
    assert (servable.predict("", protos)["double"] == 10).all()
    del protos["x"].float_val[:]
    assert (servable.predict("", protos)["double"] == 0).all()


def test_an_unknown_signature_is_a_failed_precondition(servable):
    with pytest.raises(tf.errors.FailedPreconditionError, match='key "scores" not found'):
        predict(servable, signature="scores")


def test_what_initializes_a_model_is_not_a_signature_to_call(servable):
    assert "__saved_model_init_op" in servable.signatures
    with pytest.raises(tf.errors.InternalError, match="method_name"):
        servable.predict("__saved_model_init_op", {})


def test_warm_up_records_are_replayed(tmp_path, monkeypatch):
    tiny_model.save(tmp_path, [tiny_model.inputs(1), tiny_model.inputs(8)])
    seen = []
    decode = tensor_protos.decode

    def counted(specs, inputs):
        seen.append(decode(specs, inputs))
        return seen[-1]

    monkeypatch.setattr(tensor_protos, "decode", counted)
    Servable(str(tmp_path)).close()
    assert [len(one["x"]) for one in seen] == [1, 8]


def test_a_warm_up_record_that_does_not_fit_keeps_a_version_from_being_served(tmp_path):
    tiny_model.save(tmp_path, [{"x": np.ones((1, 2), np.float32)}])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"required: \{item_ids\}"):
        Servable(str(tmp_path))


def test_requests_leave_nothing_in_memory(servable):
    request = tiny_model.protos(tiny_model.inputs())
    specs = servable.signatures["serving_default"].inputs
    process = psutil.Process()

    def grown(calls):
        before = process.memory_info().rss
        for _ in range(calls):
            tensor_protos.decode(specs, request)
        return (process.memory_info().rss - before) / 2**20

    grown(2000)
    # A third of a kilobyte an input would be 13 MiB.
    assert grown(20_000) < 2
