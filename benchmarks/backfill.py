"""Times a backfill of new items against one of the whole catalog; three minutes.

Usual commands:

    python -m benchmarks.backfill --output build/backfill.json
    python -m benchmarks.backfill --items 20000 --new_fraction 0.05

Measures `pipeline.backfill` of a whole catalog (the baseline), of the same with some new items, and
of the same again. The model is a DMF of default size with random weights; the vectors of two
modalities of 128 come in the request, from embedding sets that `pipeline.ingest_embeddings` wrote.
The new items' vectors are ingested as a delivery before the second run. Every run is a process of
its own, start of Python and TensorFlow included; processor time is the better guide on a busy
machine. Ratios hold across machines, seconds do not.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from absl import flags

from benchmarks.measuring import measured_process, result_file
from features.embeddings import embedding_set
from features.files import versions
from features.schema import ExampleSchema, Modality
from models import factory
from models.model_config import ModelConfig
from pipeline.embedding_sets.ingestion import ingest
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group
from serving_signatures import names
from serving_signatures.client import cache_version
from serving_signatures.export import saved_model

_FLAGS = flags.FLAGS
_MODALITIES = (Modality("text", 128), Modality("image", 128))


def define_flags() -> None:
    """Defines the benchmark's flags."""
    with flag_group("Sizes"):
        flags.DEFINE_integer("items", 200_000, "`COUNT` Items of the catalog.")
        flags.DEFINE_float(
            "new_fraction", 0.01, "`SHARE` New items of the second run, of all items."
        )
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the figures, with command and versions."
        )


def main() -> None:
    """Runs the benchmark."""
    entry_point.run(_main, define_flags)


def _main(_: Sequence[str]) -> None:
    items = _FLAGS.items
    new = round(items * _FLAGS.new_fraction)
    with tempfile.TemporaryDirectory() as folder:
        command = _prepare(folder, items + new)
        rows = []
        for name, earlier, count in (
            ("all", 0, items),
            ("new items", items, items + new),
            ("again", items + new, items + new),
        ):
            _deliver(folder, np.arange(earlier, count))
            pq.write_table(pa.table({"item_id": np.arange(count)}), f"{folder}/items.parquet")
            used = measured_process.run(command)
            cache = os.path.join(folder, "projections", names.TARGET_AWARE_PROJECTIONS)
            values = cache_version.read_version(cache, versions.current(cache) or 0)
            rows.append(
                {
                    "run": name,
                    "items": values["items"],
                    "computed": 0 if name == "again" else values["computed"],
                    "seconds": used.seconds,
                    "cpu_seconds": used.cpu_seconds,
                    "peak_mib": used.peak_mib,
                }
            )
            print(rows[-1], flush=True)
    ratio = rows[1]["cpu_seconds"] / rows[0]["cpu_seconds"]
    result_file.write(_FLAGS.output, "benchmarks.backfill", {"cpu_new_to_all": ratio, "rows": rows})


def _prepare(folder: str, items: int) -> list[str]:
    """Exports a model and returns the command to measure."""
    schema = ExampleSchema(labels=("click",), modalities=_MODALITIES, history_length=50)
    model = factory.build_model(ModelConfig(), schema, np.arange(items))
    exported = saved_model.export_saved_model(model, os.path.join(folder, "dmf"), batch_sizes=(1,))
    command = [sys.executable, "-m", "pipeline.backfill", f"--saved_model={exported.folder}"]
    for modality in _MODALITIES:
        command.append(f"--embeddings={modality.name}={folder}/{modality.name}")
    return [*command, f"--items={folder}/items.parquet", f"--output={folder}/projections"]


def _deliver(folder: str, item_ids: np.ndarray) -> None:
    """Ingests random vectors of these items into each embedding set."""
    if not len(item_ids):
        return
    random = np.random.default_rng(item_ids[0])
    for modality in _MODALITIES:
        delivery = os.path.join(folder, f"{modality.name}-from-{item_ids[0]}")
        vectors = random.standard_normal((len(item_ids), modality.dimension), np.float32)
        embedding_set.write_embedding_set(delivery, item_ids, vectors, "random", "1")
        ingest(delivery, os.path.join(folder, modality.name), "random", "1")
        shutil.rmtree(delivery)


if __name__ == "__main__":
    main()
