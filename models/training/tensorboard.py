"""TensorBoard summaries besides Keras' scalars: attention by similarity, and embedding norms."""

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from models.evaluation import attention_mass, diagnostics
from models.inputs.batch import Batch
from models.ranking_model import RankingModel
from models.training.guarded_callback import GuardedCallback

_MOST_ROWS = 100_000
"""Most rows of a table whose norms are computed, evenly spread: no large table is copied."""

_PERCENTILES = (5, 50, 95)


def callbacks(folder: str, sample: Iterable[Batch]) -> list[keras.callbacks.Callback]:
    """Returns the callbacks that write all summaries of a training.

    Args:
      folder: receives the events; `ContentSummaries` writes to its subfolder `content`.
      sample: a few batches of parsed requests, read once.
    """
    scalars = keras.callbacks.TensorBoard(folder, write_graph=False)
    return [
        GuardedCallback("TensorBoard", scalars),
        ContentSummaries(os.path.join(folder, "content"), sample),
    ]


class ContentSummaries(keras.callbacks.Callback):
    """Writes summaries after each evaluation, at the same steps as Keras' summaries.

    | tag | holds |
    |---|---|
    | `attention/<modality>/<bucket>` | attention relative to even attention (`attention_mass`) |
    | `attention_bias/<modality>/<bucket>` | the model's bias on scores in this bucket |
    | `embedding_norm/<table>` | a histogram of the rows' Euclidean norms |
    | `embedding_norm/<table>/<statistic>` | their mean and percentiles |

    A bucket without any behavior of the sample has no `attention` summary. A summary that cannot
    be computed is left out with a warning, see `models.evaluation.diagnostics`.

    Args:
      folder: receives the events.
      sample: a few batches of parsed requests, read at the first evaluation and kept.
    """

    def __init__(self, folder: str, sample: Iterable[Batch]) -> None:
        super().__init__()
        self._supports_tf_logs = True
        self._writer = tf.summary.create_file_writer(folder)
        self._sample = sample

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Writes the summaries."""
        del logs
        self._sample = sample = list(self._sample)  # An error of the data is the training's.
        parts: dict[str, Callable[[], None]] = {
            "attention": lambda: _write_scalars(mass_scalars(self.model, sample)),
            "attention_bias": lambda: _write_scalars(bias_scalars(self.model)),
            **{
                f"embedding_norm/{name}": functools.partial(_write_norms, name, table)
                for name, table in self.model.tables.items()
            },
        }
        with self._writer.as_default(step=epoch):
            for name, write in parts.items():
                what = f"TensorBoard's {name} of evaluation {epoch + 1}"
                diagnostics.attempt(what, write, None)
        diagnostics.attempt("TensorBoard's content", self._writer.flush, None)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Closes the event file."""
        del logs
        diagnostics.attempt("TensorBoard's content", self._writer.close, None)


def mass_scalars(model: RankingModel, sample: Iterable[Batch]) -> Iterator[tuple[str, float]]:
    """Yields tags and values of attention by bucket of similarity."""
    for modality, one in attention_mass.measure(model, sample).items():
        mass, even = (np.sum(one[key], axis=0) for key in ("mass", "behaviors"))
        for bucket, name in enumerate(_bucket_names(one["edges"])):
            if even[bucket] > 0:
                yield f"attention/{modality}/{name}", float(mass[bucket] / even[bucket])


def bias_scalars(model: RankingModel) -> Iterator[tuple[str, float]]:
    """Yields tags and values of the bias by bucket of similarity."""
    for modality, one in model.bucket_effect().items():
        bias = np.mean(one["bias"], axis=1)
        for name, value in zip(_bucket_names(one["edges"]), bias, strict=True):
            yield f"attention_bias/{modality}/{name}", float(value)


def row_norms(table: tf.Variable) -> np.ndarray:
    """Returns the Euclidean norms of a table's rows, or of evenly spread ones of a large table."""
    stride = -(-table.shape[0] // _MOST_ROWS)
    return tf.norm(table[::stride], axis=1).numpy()


def _write_scalars(scalars: Iterable[tuple[str, float]]) -> None:
    for tag, value in scalars:
        tf.summary.scalar(tag, value)


def _write_norms(name: str, table: tf.Variable) -> None:
    norms = row_norms(table)
    tag = f"embedding_norm/{name}"
    tf.summary.histogram(tag, norms)
    tf.summary.scalar(f"{tag}/mean", norms.mean())
    for percent, value in zip(_PERCENTILES, np.percentile(norms, _PERCENTILES), strict=True):
        tf.summary.scalar(f"{tag}/percentile_{percent:02d}", value)


def _bucket_names(edges: Sequence[float]) -> list[str]:
    """Names the buckets so that they sort by similarity, the unknown one first."""
    bounds = [-1.0, *edges, 1.0]
    known = itertools.pairwise(bounds)
    return [
        "00_unknown",
        *(f"{n:02d}_{low:+.2f}_to_{high:+.2f}" for n, (low, high) in enumerate(known, 1)),
    ]
