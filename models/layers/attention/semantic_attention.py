"""Semantic-aware target attention: similarity enters the score by learned gates."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from features import in_graph
from kernels.pairs import Weights
from models.inputs.behaviors import Behaviors
from models.layers.attention.decoupled_attention import DecoupledTargetAttention
from models.layers.attention.similarity_softmax import BehaviorTerms


class SemanticTargetAttention(DecoupledTargetAttention):
    """ID target attention whose scores are mixed with similarities and their product.

    SA-TA of MUSE ("A Simple Yet Effective Multimodal Search-Based Framework for Lifelong User
    Interest Modeling", arXiv 2512.07216). With the ids' score `a` and the cosine `s_m` in
    modality m, 0 where unknown:

        score = a + sum_m (g_m s_m + p_m a s_m)

    `g` starts at `gate` and `p` at zero. A gate that starts near zero hardly moves in one epoch,
    which leaves ID-only attention; 5 works well.

    Args:
      modalities: names of the modalities.
      heads: H.
      head_width: d.
      behavior_types: number of values that `Behaviors.type` takes.
      gate: initial value of the gate of similarity.
    """

    def __init__(
        self,
        modalities: Sequence[str],
        heads: int = 1,
        head_width: int = 32,
        behavior_types: int = 1,
        gate: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__({}, heads, head_width, behavior_types, **kwargs)
        self._modalities = tuple(modalities)
        self._gate = gate

    def build(self, candidates_shape: tf.TensorShape) -> None:
        """Creates the gates beside the projections."""
        start = keras.initializers.Constant(self._gate)
        self._gates, self._products = {}, {}
        for name in self._modalities:
            self._gates[name] = self.add_weight(f"gate_{name}", (self._heads,), initializer=start)
            self._products[name] = self.add_weight(
                f"product_{name}", (self._heads,), initializer="zeros"
            )
        super().build(candidates_shape)

    def bucket_variables(self) -> list[tf.Variable]:
        """Returns the gates and the bias by time gap, which use the bucket tables' rate."""
        gates = [*self._gates.values(), *self._products.values()]
        return [*gates, *super().bucket_variables()]

    def _weights(
        self,
        scores: tf.Tensor,
        query: tf.Tensor,
        codes: Mapping[str, tf.Tensor],
        behaviors: Behaviors,
        added: BehaviorTerms | None = None,
    ) -> Weights:
        """Mixes similarities into the ids' scores and normalizes; there are no buckets."""
        if added is not None:
            scores += added.of_pairs()
        by_gap, padding = (one[:, None] for one in self._behavior_terms(behaviors))
        mixed, factor = padding, tf.ones([], scores.dtype)
        for name in self._modalities:
            cosine = in_graph.cosine_of_code(codes[name])[:, :, None]  # [R, C, 1, L]
            mixed += self._gates[name][:, None] * cosine
            factor += self._products[name][:, None] * cosine
        weights = tf.nn.softmax(factor * (scores + by_gap) + mixed)
        return Weights(weights, None if added is None else added.mass(weights), [])
