"""Simulates a marketplace's log with a known ground truth, streamed to Parquet.

    python -m benchmarks.simulate --output log/ --events 10000000

Impressions in requests, clicks and conversions, items that appear meanwhile, modalities whose
similarity matters through its interaction with the id. `marketplace.marketplace` has the formula.

    impressions/part-00000.parquet   request_id, user_id, item_id, timestamp (ms), position,
                                     device; click, conversion with --label_events inline
    clicks/, conversions/            with --label_events separate: request_id, user_id, item_id,
                                     timestamp (ms), late and sometimes twice
    items/, users/                   side features
    embeddings/<modality>/           embedding sets
    truth/                           row by row as impressions/: request_id, item_id, click,
                                     conversion, click_probability, conversion_probability (given
                                     a click), similarity
    truth_items/                     item_id, quality, gate
    truth.json                       the best AUC and log loss on the last fifth of the time
    manifest.json                    parameters, counts, sha256 of every file

The same parameters give the same bytes on the same machine and versions.
"""

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Sequence
from typing import Any

from absl import flags, logging

from benchmarks.marketplace import ground_truth
from benchmarks.marketplace import tables as simulated_tables
from benchmarks.marketplace.embeddings import write_embeddings
from benchmarks.marketplace.label_events import LabelEvents
from benchmarks.marketplace.marketplace import Marketplace
from benchmarks.marketplace.parquet_parts import ParquetParts
from benchmarks.marketplace.settings import MarketplaceSettings, parse_modalities
from features.files import manifest
from pipeline.publishing.publication import Publication
from pipeline.runtime import entry_point


def define_flags() -> None:
    """Defines the simulator's flags."""
    default = MarketplaceSettings()
    flags.DEFINE_string("output", None, "Folder to write.", required=True)
    flags.DEFINE_integer("events", default.events, "Impressions.")
    flags.DEFINE_integer("users", default.users, "Users; activity is skewed.")
    flags.DEFINE_integer("items", default.items, "Items.")
    flags.DEFINE_integer("candidates", default.candidates, "Mean C; requests have 1 to 2 C - 1.")
    widths = [f"{name}:{width}" for name, width in default.modalities.items()]
    flags.DEFINE_list("modalities", widths, "name:dimension of each.")
    flags.DEFINE_integer("days", default.days, "Simulated days.")
    flags.DEFINE_integer("seed", default.seed, "Another seed, another world.")
    flags.DEFINE_enum(
        "label_events",
        default.label_events,
        ["inline", "separate"],
        "Labels in the impressions, or events that arrive later.",
    )
    flags.DEFINE_float("cold_fraction", default.cold_fraction, "Items that appear meanwhile.")
    flags.DEFINE_float("missing_embeddings", default.missing_embeddings, "Items without, a set.")


def main() -> None:
    """Runs the simulator."""
    entry_point.run(_main, define_flags)


def simulate(
    output: str, settings: MarketplaceSettings, rows_a_file: int = 1_000_000
) -> dict[str, Any]:
    """Simulates a log, or finds that it is there already.

    Args:
      output: the folder to publish; appears when it is complete.
      settings: what to simulate.
      rows_a_file: a file of the log ends with the block that brings it so far; the log itself
        does not depend on it.

    Returns:
      The manifest.

    Raises:
      UserInputError: something else is there.
    """
    publication = Publication(
        output, {"parameters": settings.to_dict() | {"rows_a_file": rows_a_file}}
    )
    if (found := publication.existing()) is not None:
        logging.info("%s holds just this log already: nothing to do.", output)
        return found
    with publication.staging() as folder:
        return publication.complete(_write(folder, settings, rows_a_file))


def _write(folder: str, settings: MarketplaceSettings, rows_a_file: int) -> dict[str, Any]:
    """Writes everything but the manifest and returns that."""
    marketplace = Marketplace(settings)
    counts: dict[str, int] = {}
    sha256: dict[str, str] = {}
    tables = {
        "items": simulated_tables.items(marketplace.items),
        "truth_items": simulated_tables.truth_items(marketplace.items),
        "users": simulated_tables.users(marketplace.users),
    }
    for name, batches in tables.items():
        path = os.path.join(folder, name, f"{name}.parquet")
        counts[name] = simulated_tables.write_file(path, batches)
        sha256[os.path.relpath(path, folder)] = manifest.file_sha256(path)
    for modality in settings.modalities:
        name = os.path.join("embeddings", modality)
        written = write_embeddings(
            os.path.join(folder, name), modality, settings, marketplace.items
        )
        sha256.update({os.path.join(name, file): digest for file, digest in written.items()})
    for name, parts in _write_log(folder, settings, rows_a_file, marketplace).items():
        counts[name] = parts.rows
        sha256.update({os.path.join(name, file): one for file, one in parts.sha256.items()})
    truth = ground_truth.ceilings(folder, settings, marketplace)
    path = os.path.join(folder, "truth.json")
    with open(path, "w") as file:
        json.dump(truth, file, indent=2)
        file.write("\n")
    sha256["truth.json"] = manifest.file_sha256(path)
    return {"counts": counts, "sha256": sha256}


def _write_log(
    folder: str, settings: MarketplaceSettings, rows_a_file: int, marketplace: Marketplace
) -> dict[str, ParquetParts]:
    """Simulates the log into its tables and returns them by name, closed."""
    inline = settings.label_events == "inline"
    schemas = simulated_tables.log_schemas(inline)
    label_events = LabelEvents(settings.seed)
    with contextlib.ExitStack() as stack:
        parts = {
            name: stack.enter_context(ParquetParts(os.path.join(folder, name), schema, rows_a_file))
            for name, schema in schemas.items()
        }
        for block in marketplace.blocks():
            parts["impressions"].write(simulated_tables.impressions(block, inline))
            parts["truth"].write(simulated_tables.truth(block))
            if not inline:
                for label, events in label_events.arrive(block).items():
                    parts[f"{label}s"].write(events)
        if not inline:
            for label, events in label_events.rest().items():
                parts[f"{label}s"].write(events)
    return parts


def _main(_: Sequence[str]) -> None:
    names = [field.name for field in dataclasses.fields(MarketplaceSettings)]
    values = {name: flags.FLAGS[name].value for name in names}
    values["modalities"] = parse_modalities(flags.FLAGS.modalities)
    settings = MarketplaceSettings.from_dict(values)
    begin = time.perf_counter()
    written = simulate(flags.FLAGS.output, settings)
    seconds = time.perf_counter() - begin
    logging.info("%s in %.1f s: %s", flags.FLAGS.output, seconds, written["counts"])
    with open(os.path.join(flags.FLAGS.output, "truth.json")) as file:
        truth = json.load(file)
    for name in ("bayes", "ids_alone", "similarity_ungated"):
        logging.info("%-20s AUC %s   log loss %s", name, *map(_rounded, truth[name].values()))


def _rounded(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    main()
