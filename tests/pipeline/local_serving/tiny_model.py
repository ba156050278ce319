"""A SavedModel that takes no time to make."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from serving_signatures.export import warmup


class Tiny(tf.Module):
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, "x"),
            tf.TensorSpec([None], tf.int64, "item_ids"),
        ]
    )
    def double(self, x, item_ids):
        return {"double": 2 * x, "next": item_ids + 1}

    @tf.function(input_signature=[tf.TensorSpec([], tf.int64, "steps")], autograph=False)
    def slow(self, steps):
        total = tf.while_loop(lambda step: step < steps, lambda step: (step + 1,), (steps * 0,))
        return {"steps": total[0]}


def save(folder, warm=()):
    """Saves it, with warm-up records of `serving_default`."""
    module = Tiny()
    signatures = {"serving_default": module.double, "slow": module.slow}
    tf.saved_model.save(module, str(folder), signatures)
    if warm:
        warmup.write_warmup(str(folder), "m", [("serving_default", inputs) for inputs in warm])


def inputs(rows=3):
    return {"x": np.ones((rows, 2), np.float32), "item_ids": np.arange(rows)}


def protos(arrays):
    return {name: tf.make_tensor_proto(value) for name, value in arrays.items()}


def request(signature="", name="m", **arrays):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = name
    message.model_spec.signature_name = signature
    for key, value in arrays.items():
        message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return message
