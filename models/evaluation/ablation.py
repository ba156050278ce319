"""Scores a split as if a trained model lacked one of its paths, without training it anew.

What a path reads is replaced by what it reads where nothing is known, which training has shown it:
an unknown similarity, an item without an embedding, an item outside the vocabulary.
"""

import numpy as np
import tensorflow as tf

from features.embeddings import similarity
from features.schema import (
    CANDIDATE_ITEM_ID,
    CANDIDATE_MASK,
    HISTORY_ITEM_ID,
    candidate_embedding_feature,
    similarity_feature,
)
from models.inputs import input_pipeline, shard_reading
from models.inputs.batch import Batch
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel

_ATTENTION, _HISTOGRAM, _CANDIDATE, _IDS = range(4)

PATHS: dict[str, tuple[int, ...]] = {
    "attention": (_ATTENTION,),
    "histogram": (_HISTOGRAM,),
    "candidate_content": (_CANDIDATE,),
    "similarity": (_ATTENTION, _HISTOGRAM),
    "content": (_ATTENTION, _HISTOGRAM, _CANDIDATE),
    "item_ids": (_IDS,),
}
"""What is taken away, by name: content in the attention; similarity beside it, in tiers, kernel,
product and scores; the candidate's own embedding; the first two; all three; the ids of candidates
and behaviors."""

_SAME = 1e-6
"""Largest difference of probabilities that is float rounding."""


def score(
    model: RankingModel, examples: ExampleSet, split: str, probability: np.ndarray
) -> dict[str, np.ndarray]:
    """Scores every candidate of a split without each of the model's paths.

    It costs a pass over the records, in which each batch is scored once per path. Paths that
    change no score, because the model does not have them or there is nothing to read, are left
    out, and so is `similarity` where a part of it is all of it.

    Args:
      model: a trained model.
      examples: the data set.
      split: such as `test`.
      probability: `[N]` float32, what `scoring.score` returned for the whole model.

    Returns:
      Probabilities `[N]` float32 of the main label by name of what was taken away.
    """
    batches = input_pipeline.evaluation_batches(examples, split)
    switches = tf.TensorSpec([len({one for path in PATHS.values() for one in path})], tf.bool)
    absent = tf.constant(_absent_id(model), tf.int64)

    @tf.function(input_signature=[batches.element_spec, switches], autograph=False)
    def scored(batch: dict[str, tf.Tensor], off: tf.Tensor) -> tf.Tensor:
        probabilities = tf.sigmoid(logits(model, batch, off, absent))
        return tf.boolean_mask(probabilities, batch[CANDIDATE_MASK])

    parts: dict[str, list[np.ndarray]] = {name: [] for name in PATHS}
    with shard_reading.guarded(examples, examples.paths(split)):
        for batch in batches:
            for name, path in PATHS.items():
                off = [number in path for number in range(switches.shape[0])]
                parts[name].append(scored(batch, tf.constant(off)).numpy())
    found = {name: np.concatenate(part) for name, part in parts.items()}
    used = {name for name, one in found.items() if np.abs(one - probability).max() > _SAME}
    if not {"attention", "histogram"} <= used:
        used.discard("similarity")
    return {name: one for name, one in found.items() if name in used}


def logits(model: RankingModel, batch: Batch, off: tf.Tensor, absent: tf.Tensor) -> tf.Tensor:
    """Returns the main label's logits `[R, C]` without some paths.

    Args:
      model: a trained model.
      batch: parsed requests.
      off: `[4]` bool, which of `attention`, `histogram`, `candidate_content` and `item_ids` are
        taken away.
      absent: the id of an item without an embedding.
    """

    def embedded(ids: tf.Tensor) -> tf.Tensor:
        unknown = model.item_embedding.as_unknown(ids)
        return tf.where(off[_IDS], unknown, model.item_embedding(ids))

    attended = model.attended(batch)
    candidates, history = embedded(batch[CANDIDATE_ITEM_ID]), embedded(attended[HISTORY_ITEM_ID])
    attended = _without_codes(model, attended, off[_ATTENTION])
    for name in (CANDIDATE_ITEM_ID, HISTORY_ITEM_ID):
        # By these ids, models with vectors look the vectors up.
        attended[name] = tf.where(off[_ATTENTION], absent, attended[name])
    interest = model.interest(candidates, history, attended)
    whole = _without_codes(model, batch, off[_HISTOGRAM])
    interest = model.fuse(interest, whole)
    content = model.candidate_content(_without_vectors(model, batch, off[_CANDIDATE]))
    prior = model.prior(batch)
    if prior is not None:
        # Items outside the vocabulary have no rate.
        prior = tf.where(off[_IDS], 0.0, prior)
    return model.logits(candidates, interest, content, whole, added=prior)[model.label]


def _without_codes(model: RankingModel, batch: Batch, off: tf.Tensor) -> dict[str, tf.Tensor]:
    unknown = tf.constant(similarity.UNKNOWN_CODE, tf.uint8)
    names = [similarity_feature(one.name) for one in model.modalities]
    return {**batch, **{name: tf.where(off, unknown, batch[name]) for name in names}}


def _without_vectors(model: RankingModel, batch: Batch, off: tf.Tensor) -> dict[str, tf.Tensor]:
    names = [
        candidate_embedding_feature(one.name) for one in model.modalities if one.candidate_embedding
    ]
    zeros = {name: tf.zeros_like(batch[name]) for name in names}
    return {**batch, **{name: tf.where(off, zeros[name], batch[name]) for name in names}}


def _absent_id(model: RankingModel) -> int:
    """Returns an id that none of the model's embedding sets has."""
    lowest = np.iinfo(np.int64).min
    if not model.content_tables:
        return int(lowest)
    ids = [table.vectors()[0] for table in model.content_tables.values()]
    taken = np.unique(np.concatenate(ids))
    # Ascending ids that start at the lowest without a gap: the next one is free.
    return int(lowest + np.count_nonzero(taken == lowest + np.arange(len(taken))))
