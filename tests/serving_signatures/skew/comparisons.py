"""What the tests of check_skew compare, change and log."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from serving_signatures.skew import check as skew_check
from serving_signatures.skew import drawing
from tests.serving_signatures.skew import served_examples

MODALITIES = tuple(served_examples.WIDTHS)
COMPARED = {
    "candidate_item_id",
    "candidate_mask",
    "candidate_length",
    "candidate_running_statistics",
    "context_rating",
    "context_running_statistics",
    "history_item_id",
    "history_length",
    "history_mask",
    "history_residual",
    "history_time_gap",
    "history_type",
    "score:click",
    "score:mask",
    *(f"similarity_{name}" for name in MODALITIES),
    *(f"candidate_embedding_{name}" for name in MODALITIES),
}


def check(model, examples=None, embeddings=None, requests=(), count=1000, split="test"):
    """Returns comparisons by feature, and what was replayed."""
    tally, found = skew_check.check(model, examples, split, requests, embeddings or {}, count, 0)
    return {one.feature: one for one in tally.worst_first()}, found


def different(comparisons):
    return {name for name, one in comparisons.items() if one.different}


def with_code_plus_one(record, modality):
    """Adds one to the first code that is neither unknown nor the last."""
    parsed = tf.train.Example.FromString(record)
    (codes,) = parsed.features.feature[f"similarity_{modality}"].bytes_list.value
    place = next((place for place, code in enumerate(codes) if 0 < code < 255), None)
    if place is None:
        return None
    changed = codes[:place] + bytes([codes[place] + 1]) + codes[place + 1 :]
    parsed.features.feature[f"similarity_{modality}"].bytes_list.value[0] = changed
    return parsed.SerializeToString(deterministic=True)


def logged(model, joined, count=6):
    """Requests of several signatures and what the model answers."""
    drawn = drawing.draw_records(joined.examples.shards("test"), count, 0)
    entries = []
    ids = np.array([drawing.decode(model.schema, drawn[0]).candidate_item_id[0]])
    calls = [("", {"examples": np.array([one.data], object)}) for one in drawn]
    calls += [("serving_default", {"examples": np.array([one.data for one in drawn], object)})]
    calls += [("id_projections", {"item_ids": ids})]
    for signature, inputs in calls:
        log = prediction_log_pb2.PredictionLog()
        log.predict_log.request.model_spec.signature_name = signature
        for name, value in inputs.items():
            log.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        log.predict_log.response.model_spec.version.value = 1
        for name, value in model.call(signature or "serving_default", inputs).items():
            log.predict_log.response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        entries.append(log)
    entries.append(prediction_log_pb2.PredictionLog())
    return entries


def write_log(path, entries):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for entry in entries:
            writer.write(entry.SerializeToString())
    return [str(path)]
