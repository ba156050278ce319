"""What leaves the saddle of DTA's bucket tables; docs/design.md has the mathematics."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from models.inputs.behaviors import Behaviors
from models.layers.attention.decoupled_attention import DecoupledTargetAttention

R, C, L, WIDTH = 8, 4, 10, 16
STEPS = 30
FIRST_MASS = 0.5


def mass_on_similar(trained, query_bias, rate=0.01, seed=0):
    """Trains variables for attention on the similar half; returns that half's mass at the end."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    layer = DecoupledTargetAttention({"text": (0.0,)}, head_width=WIDTH)
    layer.build(tf.TensorShape([None, None, WIDTH]))
    layer._query_bias.assign(query_bias * layer._query_bias)
    # Embeddings as they are at the start of a training.
    candidates = tf.constant(rng.uniform(-0.05, 0.05, (R, C, WIDTH)), tf.float32)
    history = tf.constant(rng.uniform(-0.05, 0.05, (R, L, WIDTH)), tf.float32)
    similar = rng.permuted(np.tile(np.arange(L) < L // 2, (R, C, 1)), axis=2)
    codes = {"text": tf.constant(np.where(similar, 250, 10), tf.uint8)}
    zeros = tf.zeros([R, L], tf.int64)
    behaviors = Behaviors(tf.ones([R, L], tf.bool), zeros, zeros)
    variables = [getattr(layer, name)["text"] for name in trained]
    optimizer = keras.optimizers.Adam(rate)

    def mass():
        query, (key, _) = layer.project_query(candidates), layer.project_history(history)
        weights = layer.attention_weights(query, key, codes, behaviors)[:, :, 0]
        return tf.reduce_sum(tf.where(similar, weights, 0.0), axis=-1)

    optimizer.build(variables)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(tf.math.log(mass()))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for _ in range(STEPS):
        step()
    return float(tf.reduce_mean(mass()))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_query_bias_a_bucket_bias_and_a_larger_rate_each_learn_faster_than_the_saddle(seed):
    keys, both = ["_bucket_keys"], ["_bucket_keys", "_bucket_biases"]
    stuck = mass_on_similar(keys, query_bias=0.0, seed=seed)
    cured = mass_on_similar(keys, query_bias=1.0, seed=seed)
    assert cured - FIRST_MASS > 4 * abs(stuck - FIRST_MASS)
    assert mass_on_similar(both, query_bias=0.0, seed=seed) > stuck + 0.05
    assert mass_on_similar(keys, query_bias=1.0, rate=0.02, seed=seed) > cured + 0.05
