"""The distribution of a trained model's attention over buckets of similarity."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from features.embeddings import similarity
from features.schema import CANDIDATE_ITEM_ID, CANDIDATE_MASK, HISTORY_ITEM_ID
from models.inputs.batch import Batch, behaviors_of
from models.layers.attention.decoupled_attention import DecoupledTargetAttention
from models.ranking_model import RankingModel


def measure(model: RankingModel, batches: Iterable[Batch]) -> dict[str, dict[str, list]]:
    """Returns the share of attention, and the share of behaviors, in each bucket of similarity.

    Every candidate of a request with behaviors has the same weight, and so has every head.

    Args:
      model: a trained model.
      batches: a sample of parsed requests.

    Returns:
      By modality: the inner `edges` of the buckets; `mass`, the share of attention by behavior
      type and bucket, of which bucket 0 is that of unknown similarity; and `behaviors`, the same
      of attention that weights all behaviors alike. `mass` and `behaviors` sum to 1 each, or are
      0 if no request has a behavior. Empty for a model without modalities, or without an attention
      of this kind.
    """
    attention = model.attention
    if not isinstance(attention, DecoupledTargetAttention) or not model.modalities:
        return {}
    edges = model.config.attention_edges
    size = model.schema.behavior_types, len(edges) + 2
    bucket_of_code = similarity.bucket_of_code(edges)
    mass = {name: np.zeros((2, *size)) for name in model.similarity_names}
    candidates = 0
    for batch in map(model.attended, batches):
        behaviors = behaviors_of(batch)
        codes = model.similarity_codes(batch)
        weights = _weights(model, attention, batch).numpy().mean(axis=2)  # [R, C, L]
        known = behaviors.mask.numpy()
        counted = batch[CANDIDATE_MASK].numpy() & known.any(axis=1)[:, None]  # [R, C]
        real = counted[:, :, None] & known[:, None]
        # Even weights: 1 / (number of behaviors) on every behavior of a request.
        even = np.broadcast_to(
            known[:, None] / np.maximum(known.sum(1), 1)[:, None, None], real.shape
        )
        kind = np.broadcast_to(behaviors.type.numpy()[:, None], real.shape)[real]
        candidates += int(counted.sum())
        for name, sums in mass.items():
            cell = kind, bucket_of_code[codes[name].numpy()[real]]
            np.add.at(sums[0], cell, weights[real])
            np.add.at(sums[1], cell, even[real])
    return {
        name: {
            "edges": list(edges),
            "mass": (sums[0] / max(candidates, 1)).tolist(),
            "behaviors": (sums[1] / max(candidates, 1)).tolist(),
        }
        for name, sums in mass.items()
    }


def _weights(model: RankingModel, attention: DecoupledTargetAttention, batch: Batch) -> tf.Tensor:
    """Returns the attention's weights, `[R, C, H, L]`."""
    candidates, history = model.attention_inputs(
        model.item_embedding(batch[CANDIDATE_ITEM_ID]),
        model.item_embedding(batch[HISTORY_ITEM_ID]),
        batch,
    )
    query = attention.project_query(candidates)
    key, _ = attention.project_history(history)
    codes = model.similarity_codes(batch)
    return attention.attention_weights(query, key, codes, behaviors_of(batch))
