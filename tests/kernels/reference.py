"""What each kernel computes, in NumPy: one pair after the other where that is clearest.

Shapes as in `kernels.pairs`.
"""

import numpy as np

from features.embeddings import similarity


def codes(quantized_a, norms_a, quantized_b, norms_b):
    """Similarity codes of every pair, `[R, A, B]`."""
    found = [
        similarity.codes(*sides)
        for sides in zip(quantized_a, norms_a, quantized_b, norms_b, strict=True)
    ]
    shape = (len(quantized_a), quantized_a.shape[1], quantized_b.shape[1])
    return np.reshape(np.array(found, np.uint8), shape)


def code_sums(codes, columns, mask, table, with_product=False):
    """Sums `[R, C, P, K]`, in float64."""
    columns = columns.astype(np.float64) * mask[..., None]
    found = [np.einsum("rcl,rlk->rck", table[one], columns) for one in codes]
    if with_product:
        product = np.prod([table[one] for one in codes], axis=0)
        found.append(np.einsum("rcl,rlk->rck", product, columns))
    return np.stack(found, axis=2)


def tier_counts(codes, mask, tier_of_code):
    """Counts by tier, `[R, C, tiers]` of each modality."""
    counts = []
    for one, tiers in zip(codes, tier_of_code, strict=True):
        tier = np.where(mask[:, None], tiers[one], 0)
        each = range(1, tiers.max() + 1)
        counts.append(np.stack([(tier == t).sum(-1) for t in each], axis=-1))
    return counts


def bucket_softmax(scores, offsets, types, modalities, behavior_codes=None, behavior_terms=None):
    """Weights, their sums by behavior code and by bucket of each modality, in float64.

    `modalities` holds tuples of codes, bucket_of_code, terms and biases.
    """
    r, c, h, l = scores.shape  # noqa: E741
    total = scores.astype(np.float64) + offsets[:, None]
    for code, bucket_of_code, terms, biases in modalities:
        bucket = bucket_of_code[code]
        for i, j, k, b in np.ndindex(r, c, h, l):
            at = bucket[i, j, b]
            total[i, j, k, b] += terms[i, j, k, at] + biases[types[i, b], at, k]
    if behavior_terms is not None:
        for i, j, k, b in np.ndindex(r, c, h, l):
            total[i, j, k, b] += behavior_terms[i, j, k, behavior_codes[i, b]]
    exponential = np.exp(total - total.max(-1, keepdims=True, initial=-np.inf))
    weights = exponential / exponential.sum(-1, keepdims=True)
    masses = []
    for code, bucket_of_code, terms, _ in modalities:
        mass = np.zeros(terms.shape)
        for i, j, k, b in np.ndindex(r, c, h, l):
            mass[i, j, k, bucket_of_code[code[i, j, b]]] += weights[i, j, k, b]
        masses.append(mass)
    by_code = None
    if behavior_terms is not None:
        by_code = np.zeros(behavior_terms.shape)
        for i, j, k, b in np.ndindex(r, c, h, l):
            by_code[i, j, k, behavior_codes[i, b]] += weights[i, j, k, b]
    return weights, by_code, masses


def content(item_ids, known_ids, vectors, norms):
    """Vectors and norms of items; zeros for an id that is not known."""
    place = {int(one): i for i, one in enumerate(known_ids)}
    shape = np.shape(item_ids)
    found = np.zeros((*shape, vectors.shape[1]), np.int8)
    found_norms = np.zeros(shape, np.float32)
    for index in np.ndindex(shape):
        if (row := place.get(int(item_ids[index]))) is not None:
            found[index], found_norms[index] = vectors[row], norms[row]
    return found, found_norms
