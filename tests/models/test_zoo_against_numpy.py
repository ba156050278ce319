"""Each model's interest against NumPy, one pair of candidate and behavior at a time."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests import synthetic
from tests.models.layers.reference_attention import (
    AttentionCase,
    bucket_of,
    gap_bucket_of,
    numpy_attention,
)
from tests.models.test_model_zoo import batch_of, requests, shared_model

UNKNOWN_ID = 987_654_321
MODALITIES = synthetic.SCHEMA.modality_names
TYPES = synthetic.SCHEMA.behavior_types


def many():
    """Requests of 1 to 20 candidates and 0 to L behaviors, some items unknown."""
    batch = {name: values.numpy() for name, values in batch_of(requests()).items()}
    batch["candidate_item_id"][:, 0] = UNKNOWN_ID
    batch["history_item_id"][2:, 0] = UNKNOWN_ID
    for name in MODALITIES:
        codes = batch[f"similarity_{name}"]
        codes[:, 0], codes[2:, :, 0] = 0, 0
    return batch


def single():
    """One request of one candidate."""
    alone = [one for one in requests(40) if len(one.candidate_item_id) == 1]
    batch = batch_of([max(alone, key=lambda one: len(one.history_item_id))])
    return {name: values.numpy() for name, values in batch.items()}


def empty():
    """One request without behaviors."""
    batch = batch_of([next(one for one in requests(40) if not len(one.history_item_id))])
    return {name: values.numpy() for name, values in batch.items()}


def weights(layer):
    """Returns all weights, including MAKE's content model's, which are not trainable."""
    return {v.name.split("/")[-1].removesuffix(":0"): v.numpy() for v in layer.weights}


def case_of(batch, candidates, history, modalities=()):
    residual = np.zeros_like(batch["history_type"])
    codes = {name: batch[f"similarity_{name}"] for name in modalities}
    kept = ("history_mask", "history_time_gap", "history_type")
    return AttentionCase(candidates, history, codes, *(batch[name] for name in kept), residual)


def cosine_of(codes):
    return np.where(codes == 0, 0.0, (codes.astype(np.float64) - 1) / 127 - 1)


def dense(layer, x):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def id_interest(model, batch, candidates, history):
    return numpy_attention(weights(model.attention), {}, case_of(batch, candidates, history))


def towers(model, batch):
    parts = []
    for name in MODALITIES:
        bucket = bucket_of(batch[f"similarity_{name}"], model.config.tier_edges)
        tiers = np.arange(1, len(model.config.tier_edges) + 2)
        counts = (bucket[..., None] == tiers).sum(axis=2)
        parts.append(np.maximum(dense(model.tiers._towers[name], np.log1p(counts)), 0))
    return np.concatenate(parts, axis=-1)


def content(model, ids):
    """Unit vectors of the sets by a plain look-up, projected; zeros for items without one."""
    sets, parts = synthetic.embedding_sets(), []
    for name in MODALITIES:
        rows = {
            int(item): vector.astype(np.float64)
            for item, vector in zip(sets[name].item_ids, sets[name].quantized, strict=False)
        }
        missing = np.zeros(sets[name].quantized.shape[1])
        found = [rows.get(int(one), missing) for one in ids.ravel()]
        found = np.array(found).reshape(-1, missing.size)
        unit = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        projected = unit @ model.content_embedding._projections[name].kernel.numpy()
        parts.append(projected.reshape(*ids.shape, projected.shape[1]))
    return np.concatenate(parts, axis=-1)


def din(model, batch, candidates, history):
    unit = model.activation_unit
    w = weights(unit)
    of_candidate, of_product = (
        layer.kernel.numpy() for layer in (unit._of_candidate, unit._of_product)
    )
    slope = float(np.squeeze(unit._activation.alpha))
    gap = gap_bucket_of(batch["history_time_gap"])
    out = np.zeros(candidates.shape)
    for i, j, b in np.ndindex(*candidates.shape[:2], history.shape[1]):
        if not batch["history_mask"][i, b]:
            continue
        behavior = history[i, b] + w["gaps"][gap[i, b]] + w["types"][batch["history_type"][i, b]]
        hidden = candidates[i, j] @ of_candidate + dense(unit._of_behavior, behavior)
        hidden = hidden + (candidates[i, j] * behavior) @ of_product
        activated = np.where(hidden > 0, hidden, slope * hidden)
        out[i, j] += dense(unit._weight, activated) * behavior
    return out


def with_content(model, batch, candidates, history):
    return [
        np.concatenate([ids, content(model, batch[f"{side}_item_id"])], axis=-1)
        for side, ids in (("candidate", candidates), ("history", history))
    ]


def raw_vectors(model, batch, candidates, history):
    joined = with_content(model, batch, candidates, history)
    return numpy_attention(weights(model.attention), {}, case_of(batch, *joined))


def make(model, batch, candidates, history):
    sides = [content(model, batch[f"{side}_item_id"]) for side in ("candidate", "history")]
    attended = numpy_attention(weights(model.content_attention), {}, case_of(batch, *sides))
    hidden = np.concatenate([sides[0], attended], axis=-1)
    hidden = np.maximum(dense(model.content_hidden, hidden), 0)
    return np.concatenate([id_interest(model, batch, candidates, history), hidden], axis=-1)


def sim_score(model, batch, candidates, history):
    parts = [id_interest(model, batch, candidates, history)]
    for name in MODALITIES:
        codes = batch[f"similarity_{name}"]
        numbers = np.zeros((*codes.shape[:2], 2 + TYPES))
        for i, j in np.ndindex(*codes.shape[:2]):
            known = codes[i, j] > 0
            cosine, kinds = cosine_of(codes[i, j][known]), batch["history_type"][i][known]
            if cosine.size:
                numbers[i, j, :2] = cosine.max(), cosine.mean()
            for kind in set(kinds):
                numbers[i, j, 2 + kind] = cosine[kinds == kind].mean()
        parts.append(numbers)
    return np.concatenate(parts, axis=-1)


def simtier(model, batch, candidates, history):
    own = id_interest(model, batch, candidates, history)
    return np.concatenate([own, towers(model, batch)], axis=-1)


def sa_ta(model, batch, candidates, history):
    w = weights(model.attention)
    heads, width = w["query_bias"].shape
    gap, kind = gap_bucket_of(batch["history_time_gap"]), batch["history_type"]
    out = np.zeros((*candidates.shape[:2], heads, width))
    for i, j, h in np.ndindex(*candidates.shape[:2], heads):
        real = np.flatnonzero(batch["history_mask"][i])
        query = candidates[i, j] @ w["query_kernel"][:, h] + w["query_bias"][h]
        scores, values = [], []
        for b in real:
            key, value = (
                history[i, b] @ w[f"{one}_kernel"][:, h]
                + w[f"gap_{one}s"][gap[i, b], h]
                + w[f"type_{one}s"][kind[i, b], h]
                for one in ("key", "value")
            )
            alpha = query @ key / np.sqrt(width) + w["gap_bias"][kind[i, b], gap[i, b], h]
            score = alpha
            for name in MODALITIES:
                cosine = cosine_of(batch[f"similarity_{name}"][i, j, b])
                gate, product = w[f"gate_{name}"][h], w[f"product_{name}"][h]
                score = score + gate * cosine + product * alpha * cosine
            scores.append(score)
            values.append(value)
        if real.size:
            mass = np.exp(np.array(scores) - max(scores))
            out[i, j, h] = (mass / mass.sum()) @ np.array(values)
    return out.reshape(*candidates.shape[:2], heads * width)


def sa_ta_tiers(model, batch, candidates, history):
    own = sa_ta(model, batch, candidates, history)
    return np.concatenate([own, towers(model, batch)], axis=-1)


def dta(model, batch, candidates, history):
    edges = dict.fromkeys(MODALITIES, model.config.attention_edges)
    if model.content_tables:
        candidates, history = with_content(model, batch, candidates, history)
    case = case_of(batch, candidates, history, MODALITIES)
    return numpy_attention(weights(model.attention), edges, case)


def mlp(network, x):
    first, last = network.layers
    return dense(last, np.maximum(dense(first, x), 0))


def dmf_paper(model, batch, candidates, history):
    codes = np.stack([batch[f"similarity_{name}"] for name in MODALITIES]).astype(np.float64)
    count = (codes > 0).sum(axis=0)
    mean = np.round(codes.sum(axis=0) / np.maximum(count, 1)).astype(np.uint8)
    edges = {"content": model.config.attention_edges}
    case = case_of(batch, candidates, history)
    enriched = numpy_attention(
        weights(model.attention), edges, dataclasses.replace(case, codes={"content": mean})
    )
    bucket = bucket_of(mean, model.config.tier_edges)
    counts = (bucket[..., None] == np.arange(1, len(model.config.tier_edges) + 2)).sum(axis=2)
    tiers = np.maximum(dense(model.tiers._towers["content"], np.log1p(counts)), 0)
    alpha = 1 / (1 + np.exp(-model.mix.numpy()))
    return alpha * mlp(model.enriched_mlp, enriched) + (1 - alpha) * mlp(model.centric_mlp, tiers)


REFERENCES = (din, raw_vectors, make, sim_score, simtier, sa_ta, sa_ta_tiers, dta, dmf_paper)


@pytest.mark.parametrize("drawn", [many, single, empty])
@pytest.mark.parametrize(
    ("reference", "vectors"), [*((one, True) for one in REFERENCES), (dta, False)]
)
def test_interest_equals_numpy(reference, vectors, drawn):
    heads = {} if reference is din else {"heads": 2}
    model = shared_model(reference.__name__, vectors=vectors, **heads)
    batch = drawn()
    tensors = {name: tf.constant(values) for name, values in batch.items()}
    candidates, history = (
        model.item_embedding(tensors[f"{side}_item_id"]) for side in ("candidate", "history")
    )
    received = model.fuse(model.interest(candidates, history, tensors), tensors).numpy()
    expected = reference(model, batch, candidates.numpy(), history.numpy())
    real = batch["candidate_mask"]
    np.testing.assert_allclose(received[real], expected[real], rtol=1e-4, atol=1e-4)
    assert drawn is empty or np.std(expected[real]) > 0.05
