"""No byte of a redacted value is in what is written, whatever carries it."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving_signatures.request_logs.redaction import Redaction, RedactionError

KEY = b"0123456789abcdef"
SECRET = 0x1122334455667788
FORMS = (
    SECRET.to_bytes(8, "little"),
    str(SECRET).encode(),
    tf.train.Feature(int64_list=tf.train.Int64List(value=[SECRET])).SerializeToString()[-9:],
)


def request(signature="score_request", **inputs):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = "dmf"
    message.model_spec.signature_name = signature
    message.model_spec.version.value = 3
    message.output_filter.append("click")
    for name, value in inputs.items():
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return message


def written(redaction, message):
    """Returns what a reader sees of the request, and which names were redacted."""
    before = message.SerializeToString(deterministic=True)
    data, redacted = redaction.request(message)
    assert message.SerializeToString(deterministic=True) == before, "the request is as it was"
    return data, predict_pb2.PredictRequest.FromString(data), redacted


def example(**features):
    kinds = {int: ("int64_list", tf.train.Int64List), bytes: ("bytes_list", tf.train.BytesList)}
    kinds[float] = ("float_list", tf.train.FloatList)
    record = tf.train.Example()
    for name, values in features.items():
        field, kind = kinds[type(values[0])]
        getattr(record.features.feature[name], field).CopyFrom(kind(value=values))
    return record.SerializeToString()


def test_a_value_is_in_none_of_its_forms_before_it_is_redacted():
    for values in ([[SECRET]], [[SECRET, 5]], [SECRET]):
        data = request(history_item_id=np.array(values)).SerializeToString()
        assert any(form in data for form in FORMS)
    record = example(user_id=[SECRET])
    assert any(form in record for form in FORMS)


@pytest.mark.parametrize("how", ["constant", "hashed"])
@pytest.mark.parametrize("ids", [[[SECRET]], [[SECRET, 5], [5, SECRET]], [[]]])
def test_ids_are_replaced_and_the_rest_is_as_it_was(how, ids):
    ids = np.array(ids, np.int64)
    message = request(history_item_id=ids, context_age=np.array([[35.5]], np.float32))
    data, seen, redacted = written(Redaction(**{how: ["history_item_id"], "key": KEY}), message)
    assert not any(form in data for form in FORMS)
    received = tf.make_ndarray(seen.inputs["history_item_id"])
    assert (received.shape, received.dtype) == (ids.shape, np.int64)
    if how == "constant":
        assert not received.any()
    else:
        np.testing.assert_array_equal(np.equal.outer(received, received), np.equal.outer(ids, ids))
        again = written(Redaction(hashed=["history_item_id"], key=KEY), message)[1]
        other = written(Redaction(hashed=["history_item_id"], key=b"f" * 16), message)[1]
        assert again.inputs["history_item_id"] == seen.inputs["history_item_id"]
        assert not ids.size or other.inputs["history_item_id"] != seen.inputs["history_item_id"]
    assert redacted == {"history_item_id"}
    assert seen.model_spec == message.model_spec
    assert seen.output_filter == message.output_filter
    assert seen.inputs["context_age"] == message.inputs["context_age"]


def test_what_was_computed_from_an_id_goes_with_it():
    values = np.full((1, 2, 3), 7, np.float32)
    message = request(
        "score_cached",
        history_key=values,
        history_value=values,
        history_quantized_text=values.astype(np.int8),
        history_norm_text=values[..., 0],
        candidate_query=values,
        history_mask=np.array([[True, False]]),
        id_tag=np.array([b"tag"], object),
    )
    _, seen, redacted = written(Redaction(["history_item_id"]), message)
    of_history = {name for name in message.inputs if name.startswith("history_")}
    assert redacted == of_history - {"history_mask"}
    for name in message.inputs:
        tensor = tf.make_ndarray(seen.inputs[name])
        if name in redacted:
            assert not tensor.any()
            assert tensor.shape == tf.make_ndarray(message.inputs[name]).shape
            assert seen.inputs[name].dtype == message.inputs[name].dtype
        else:
            assert seen.inputs[name] == message.inputs[name]


@pytest.mark.parametrize("how", ["constant", "hashed"])
def test_features_of_records_are_replaced(how):
    record = example(
        user_id=[SECRET],
        candidate_item_id=[4, SECRET],
        context_age=[SECRET],
        similarity_text=[b"\x05\x07"],
        candidate_embedding_text=[b"abcd"],
        click=[1.0, 0.0],
    )
    message = request("serving_default", examples=np.array([record, record], object))
    names = ["user_id", "candidate_item_id", "context_age"]
    data, seen, redacted = written(Redaction(**{how: names, "key": KEY}), message)
    assert not any(form in data for form in FORMS)
    assert b"abcd" not in data
    assert redacted == {*names, "similarity_text", "candidate_embedding_text"}
    first, second = (
        tf.train.Example.FromString(one) for one in tf.make_ndarray(seen.inputs["examples"])
    )
    assert first == second
    assert list(first.features.feature["click"].float_list.value) == [1.0, 0.0]
    assert len(first.features.feature["candidate_item_id"].int64_list.value) == 2
    assert first.features.feature["similarity_text"].bytes_list.value == [b"\0\0"]


def test_texts_are_replaced():
    texts = np.array([[b"a secret", b"b"]], object)
    for how in ("constant", "hashed"):
        redaction = Redaction(**{how: ["context_city"], "key": KEY})
        data, seen, _ = written(redaction, request(context_city=texts))
        assert b"secret" not in data
        assert tf.make_ndarray(seen.inputs["context_city"]).shape == (1, 2)


def test_a_name_that_is_nowhere_keeps_the_call_from_being_written():
    message = request(context_age=np.array([[35.5]], np.float32))
    with pytest.raises(RedactionError, match=r"context_agee.*expected names of \['context_age'\]"):
        Redaction(["context_agee"]).request(message)
    # Not an input of every signature.
    Redaction(["user_id", "candidate_item_id", "context_age"]).request(message)


def test_what_cannot_be_hashed_keeps_the_call_from_being_written():
    message = request(context_age=np.array([[35.5]], np.float32))
    with pytest.raises(RedactionError, match="context_age is of float32"):
        Redaction(hashed=["context_age"], key=KEY).request(message)


def test_a_key_is_needed_and_a_name_stands_once():
    with pytest.raises(ValueError, match="a key of at least 16 bytes, received 3"):
        Redaction(hashed=["user_id"], key=b"abc")
    with pytest.raises(ValueError, match="constant and hashed"):
        Redaction(["user_id"], ["user_id"], KEY)
