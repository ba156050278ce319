r"""The error of the similarity code against cosines of the vectors as they were given; seconds.

Usual commands:

    python -m benchmarks.quantization --embeddings text=text/
    python -m benchmarks.quantization --embeddings text=text/ --embeddings image=image/ \
        --items 5000 --output build/quantization.json

Measures every pair of some items of each set, drawn at random. The baseline is the cosine in
float64 of the vectors in the files. `quantized` is the cosine after quantization to int8, `code`
the middle of the similarity code. The rank correlation is Spearman's, of one item's similarities to
all others, which is the order in which a candidate sees a user's behaviors.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import flags
from scipy import stats

from benchmarks.measuring import result_file
from features.embeddings import embedding_files, similarity
from features.errors import UserInputError
from models.model_config import ModelConfig
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Input"):
        flags.DEFINE_multi_string(
            "embeddings", None, "`NAME=FOLDER` Embedding set, such as text=text/.", required=True
        )
        flags.DEFINE_integer("items", 2000, "`COUNT` Items of each set; all their pairs count.")
        flags.DEFINE_integer("seed", 0, "`NUMBER` Seed of the drawing of items.")
    with flag_group("Output"):
        flags.DEFINE_string("output", None, "`FILE` JSON of the figures.")


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    rows = []
    locations = entry_point.named_locations(_FLAGS.embeddings, "embeddings")
    for name, given in locations.items():
        vectors = read_vectors(given)
        rng = np.random.default_rng(_FLAGS.seed)
        chosen = rng.permutation(len(vectors))[: _FLAGS.items]
        if len(chosen) < 3:
            raise UserInputError(f"--embeddings {name}: {len(chosen)} vectors are too few.")
        rows.append({"set": name, "set_items": len(vectors), **measure(vectors[chosen])})
        print("   ".join(f"{key} {value}" for key, value in rows[-1].items()))
    result_file.write(_FLAGS.output, "benchmarks.quantization", {"rows": rows})


def read_vectors(locations: str | Sequence[str]) -> np.ndarray:
    """Returns the vectors of a set that are not zero, `[N, M]`, as they were given."""
    files = embedding_files.open_files(locations)
    vectors = np.concatenate([rows.vectors for _, rows in files.read()])
    return vectors[np.any(vectors != 0, axis=1)]


def measure(vectors: np.ndarray) -> dict[str, Any]:
    """Returns the errors over all pairs of distinct rows.

    Args:
      vectors: `[N, M]`, at least three, none zero.

    Returns:
      `items`, `dimension`, `pairs`; mean and largest absolute error of the cosine, `quantized` and
      as `code`; the `rank_correlation` of a row, mean and least; and `other_bucket`, the share of
      pairs whose attention bucket is another than that of the exact cosine.
    """
    exact = _cosines(vectors)
    quantized, norms = similarity.quantize(vectors)
    codes = similarity.codes(quantized, norms, quantized, norms)
    approximations = {"quantized": _cosines(quantized), "code": similarity.cosine_of_code(codes)}
    pairs = ~np.eye(len(vectors), dtype=bool)
    values: dict[str, Any] = {
        "items": len(vectors),
        "dimension": vectors.shape[1],
        "pairs": int(pairs.sum()) // 2,
    }
    for name, cosines in approximations.items():
        errors = np.abs(cosines - exact)[pairs]
        values[f"{name}_mean_error"] = float(errors.mean())
        values[f"{name}_largest_error"] = float(errors.max())
    correlations = _rank_correlations(
        *(one[pairs].reshape(len(vectors), -1) for one in (exact, codes))
    )
    values["mean_rank_correlation"] = float(correlations.mean())
    values["least_rank_correlation"] = float(correlations.min())
    edges = similarity.uniform_edges(ModelConfig().buckets)
    wanted = 1 + np.searchsorted(np.array(edges), exact, side="right")
    values["other_bucket"] = float(
        (similarity.bucket_of_code(edges)[codes] != wanted)[pairs].mean()
    )
    return values


def _cosines(vectors: np.ndarray) -> np.ndarray:
    exact = vectors.astype(np.float64)
    unit = exact / np.linalg.norm(exact, axis=1, keepdims=True)
    return unit @ unit.T


def _rank_correlations(exact: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Returns Spearman's correlation of each row, equal values sharing their mean rank; `[N]`."""
    ranks = [stats.rankdata(one, axis=1) for one in (exact, codes)]
    centered = [one - one.mean(axis=1, keepdims=True) for one in ranks]
    norms = [np.linalg.norm(one, axis=1) for one in centered]
    return np.sum(centered[0] * centered[1], axis=1) / (norms[0] * norms[1])


if __name__ == "__main__":
    main()
