"""What the signatures of a SavedModel take, as TensorSpecs by name."""

from typing import Any

import tensorflow as tf

from features.records import example
from features.schema import (
    BEHAVIORS,
    CANDIDATE_MASK,
    CANDIDATES,
    HISTORY_MASK,
    HISTORY_RESIDUAL,
    HISTORY_TIME_GAP,
    HISTORY_TYPE,
    ITEM_AXES,
    ExampleSchema,
    candidate_feature,
    context_feature,
)
from serving_signatures import names


class InputSpecs:
    """The inputs of a model's signatures; each leads with R requests.

    Args:
      model: a trained model.
      schema: of its requests.
      tables_inside: whether embedding sets are inside, so that requests carry no vectors.
      content_cached: whether `attention_content` is among the cached projections.
    """

    def __init__(
        self, model: Any, schema: ExampleSchema, tables_inside: bool, content_cached: bool
    ) -> None:
        self._model, self._schema = model, schema
        self._tables_inside, self._content_cached = tables_inside, content_cached

    def of_request(self) -> dict[str, tf.TensorSpec]:
        """Returns what `score_request` takes: ids, and vectors where no sets are inside."""
        specs = self.of_context()
        for axis in ITEM_AXES:
            specs[axis.item_id] = tf.TensorSpec([None, None], tf.int64)
            if not self._tables_inside:
                vectors = self.vectors([None, None])
                specs |= {axis.feature(name): spec for name, spec in vectors.items()}
        return specs

    def of_caches(self) -> dict[str, tf.TensorSpec]:
        """Returns what `score_cached` takes: cached projections and their tags."""
        specs = self.of_context()
        heads = [None, None, self._model.config.heads, self._model.config.head_width]
        specs[CANDIDATES.feature(names.QUERY)] = tf.TensorSpec(heads)
        specs[CANDIDATES.feature(names.ID_EMBEDDING)] = tf.TensorSpec(
            [None, None, self._model.config.embedding_width]
        )
        if self._model.item_prior is not None:
            specs[CANDIDATES.feature(names.ITEM_PRIOR)] = tf.TensorSpec([None, None])
        specs[BEHAVIORS.feature(names.KEY)] = tf.TensorSpec(heads)
        specs[BEHAVIORS.feature(names.VALUE)] = tf.TensorSpec(heads)
        for modality in self._model.modalities:
            for axis in ITEM_AXES:
                vectors = tf.TensorSpec([None, None, modality.dimension], tf.int8)
                specs[axis.feature(names.quantized(modality.name))] = vectors
                specs[axis.feature(names.norm(modality.name))] = tf.TensorSpec([None, None])
        if self._model.projected_modalities:
            width = self._model.config.projection_width * len(self._model.projected_modalities)
            specs[CANDIDATES.feature(names.PROJECTION)] = tf.TensorSpec([None, None, width])
        if self._content_cached:
            width = self._model.config.content_width * len(self._model.modalities)
            for axis in ITEM_AXES:
                content = tf.TensorSpec([None, None, width])
                specs[axis.feature(names.ATTENTION_CONTENT)] = content
        specs[names.ID_TAG] = tf.TensorSpec([None], tf.string)
        specs[names.TARGET_AWARE_TAG] = tf.TensorSpec([None], tf.string)
        return specs

    def of_context(self) -> dict[str, tf.TensorSpec]:
        """Returns what every scoring signature needs besides items and their content."""
        specs = {
            HISTORY_TIME_GAP: tf.TensorSpec([None, None], tf.int64),
            HISTORY_TYPE: tf.TensorSpec([None, None], tf.int64),
            HISTORY_MASK: tf.TensorSpec([None, None], tf.bool),
            CANDIDATE_MASK: tf.TensorSpec([None, None], tf.bool),
        }
        if self._schema.has_residuals:
            specs[HISTORY_RESIDUAL] = tf.TensorSpec([None, None], tf.int64)
        for side in self._schema.item_features:
            dtype = example.side_feature_dtype(side)
            specs[candidate_feature(side.name)] = tf.TensorSpec([None, None, side.width], dtype)
        for side in self._schema.context_features:
            dtype = example.side_feature_dtype(side)
            specs[context_feature(side.name)] = tf.TensorSpec([None, side.width], dtype)
        return specs

    def vectors(self, leading: list[Any]) -> dict[str, tf.TensorSpec]:
        """Returns the encoders' vectors by name, `[..., M]` with the given leading axes."""
        return {
            names.vector(modality.name): tf.TensorSpec([*leading, modality.dimension])
            for modality in self._model.modalities
        }
