"""Where a trained model's attention goes, by similarity of candidate and behavior."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from features.embeddings import similarity
from features.schema import CANDIDATE_ITEM_ID, CANDIDATE_MASK, HISTORY_ITEM_ID
from models.inputs.batch import Batch, behaviors_of, codes_of
from models.layers.decoupled_attention import DecoupledTargetAttention
from models.ranking_model import RankingModel


def measure(model: RankingModel, batches: Iterable[Batch]) -> dict[str, dict[str, list]]:
    """Returns the share of attention in each bucket of similarity, beside the share of behaviors.

    Every candidate of a request with behaviors counts the same, and so does every head: a
    candidate's attention sums to 1, and so do the shares of its behaviors.

    Args:
      model: a trained model.
      batches: parsed requests, a sample.

    Returns:
      By modality, nothing for a model whose attention reads no codes: the inner `edges` of the
      buckets, and by behavior type and bucket, of which the first is of unknown similarity,
      `mass`, the share of attention, and `behaviors`, what attention that treats all behaviors
      alike would give. Each of the two sums to 1, or is 0 where no request has a behavior.
    """
    attention = model.attention
    if not isinstance(attention, DecoupledTargetAttention) or not model.modalities:
        return {}
    edges = model.config.attention_edges
    size = model.schema.behavior_types, len(edges) + 2
    bucket_of_code = similarity.bucket_of_code(edges)
    mass = {modality.name: np.zeros((2, *size)) for modality in model.modalities}
    candidates = 0
    for batch in map(model.attended, batches):
        behaviors = behaviors_of(batch)
        codes = codes_of(batch, model.modalities)
        weights = _weights(model, attention, batch).numpy().mean(axis=2)  # [R, C, L]
        known = behaviors.mask.numpy()
        counted = batch[CANDIDATE_MASK].numpy() & known.any(axis=1)[:, None]  # [R, C]
        real = counted[:, :, None] & known[:, None]
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
    query = attention.project_query(model.item_embedding(batch[CANDIDATE_ITEM_ID]))
    key, _ = attention.project_history(model.item_embedding(batch[HISTORY_ITEM_ID]))
    codes = codes_of(batch, model.modalities)
    return attention.attention_weights(query, key, codes, behaviors_of(batch))
