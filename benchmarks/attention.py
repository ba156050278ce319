"""Times the factorized attention against ID-only, materialized and early fusion; a minute.

Usual commands:

    python -m benchmarks.attention --output build/attention.json
    python -m benchmarks.attention --candidates 400 --history_lengths 50,200

Measures the latency of one attention layer for one request of 1,200 candidates, two modalities and
several history lengths. The baseline is `factorized`; `materialized` gathers bucket keys and values
into `[C, L, d]`. Ratios hold across machines, milliseconds do not.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras
from absl import flags

from benchmarks.measuring import result_file
from benchmarks.model_alternatives.materialized_attention import MaterializedTargetAttention
from features.embeddings import similarity
from models.inputs.behaviors import Behaviors
from models.layers.attention.decoupled_attention import DecoupledTargetAttention
from models.layers.attention.early_fusion_attention import EarlyFusionAttention
from pipeline.end_to_end import latency
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS
_MODALITIES = ("text", "image")


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Sizes"):
        flags.DEFINE_integer("candidates", 1200, "`C` Candidates of the request.")
        flags.DEFINE_list(
            "history_lengths",
            ["50", "200", "1000"],
            "`L,...` Behaviors of the request, one run each.",
        )
        flags.DEFINE_integer("width", 64, "`WIDTH` Widths D and d, with one head.")
    with flag_group("Measurement"):
        flags.DEFINE_integer("repeats", 20, "`COUNT` Timed calls per way.")
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    rows = []
    for length in map(int, _FLAGS.history_lengths):
        times = latency.measure(_ways(length), _FLAGS.repeats)
        base = times["factorized"]["p50_ms"]
        for way, values in times.items():
            row = {"way": way, "candidates": _FLAGS.candidates, "history_length": length}
            row |= {"p50_ms": values["p50_ms"], "p99_ms": values["p99_ms"]}
            rows.append({**row, "ratio_to_factorized": values["p50_ms"] / base})
            print(
                f"L={length:<5} {way:<14} p50 {values['p50_ms']:8.2f} ms   "
                f"{rows[-1]['ratio_to_factorized']:6.2f} x factorized"
            )
    result_file.write(_FLAGS.output, "benchmarks.attention", {"rows": rows})


def _ways(length: int) -> dict[str, Callable[[], object]]:
    """Returns each way to attend as a call that waits for its result."""
    rng = np.random.default_rng(0)
    width, count = _FLAGS.width, _FLAGS.candidates
    candidates = tf.constant(rng.standard_normal((1, count, width)), tf.float32)
    history = tf.constant(rng.standard_normal((1, length, width)), tf.float32)
    codes = {
        name: tf.constant(rng.integers(0, 256, (1, count, length)), tf.uint8)
        for name in _MODALITIES
    }
    gaps = tf.constant(rng.integers(0, 10**7, (1, length)))
    behaviors = Behaviors(tf.ones([1, length], tf.bool), gaps, tf.zeros([1, length], tf.int64))
    edges = {name: similarity.uniform_edges(20) for name in _MODALITIES}

    def way(layer: keras.layers.Layer, codes: Mapping[str, tf.Tensor]) -> Callable[[], object]:
        function = tf.function(lambda: layer(candidates, history, codes, behaviors))
        return lambda: function().numpy()

    return {
        "id_only": way(DecoupledTargetAttention({}, head_width=width), {}),
        "factorized": way(DecoupledTargetAttention(edges, head_width=width), codes),
        "materialized": way(MaterializedTargetAttention(edges, head_width=width), codes),
        "early_fusion": way(EarlyFusionAttention(edges, head_width=width), codes),
    }


if __name__ == "__main__":
    main()
