"""Simulates a whole marketplace and publishes it as one folder."""

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from absl import logging

from benchmarks.marketplace import ground_truth, tables
from benchmarks.marketplace.embeddings import write_embeddings
from benchmarks.marketplace.label_events import LabelEvents
from benchmarks.marketplace.marketplace import Marketplace
from benchmarks.marketplace.parquet_parts import ParquetParts
from benchmarks.marketplace.settings import MarketplaceSettings
from features.files import manifest
from pipeline.publishing.publication import Publication

_ROWS_PER_GROUP = 262_144


def simulate(
    output: str, settings: MarketplaceSettings, rows_per_file: int = 1_000_000
) -> dict[str, Any]:
    """Simulates a log, unless the folder holds this very log already.

    Args:
      output: the folder to publish; appears when it is complete.
      settings: what to simulate.
      rows_per_file: a file of the log ends with the block that reaches this number of rows; the
        log itself does not depend on it.

    Returns:
      The manifest.

    Raises:
      UserInputError: the folder holds something else.
    """
    # Published logs have this key.
    parameters = settings.to_dict() | {"rows_a_file": rows_per_file}
    publication = Publication(output, {"parameters": parameters})
    if (found := publication.existing()) is not None:
        logging.info("%s holds this very log already: nothing to do.", output)
        return found
    with publication.staging() as folder:
        return publication.complete(_write(folder, settings, rows_per_file))


def _write(folder: str, settings: MarketplaceSettings, rows_per_file: int) -> dict[str, Any]:
    """Writes everything but the manifest and returns that."""
    marketplace = Marketplace(settings)
    counts: dict[str, int] = {}
    for name, table in tables.side_tables(marketplace.items, marketplace.users).items():
        os.makedirs(os.path.join(folder, name))
        path = os.path.join(folder, name, f"{name}.parquet")
        pq.write_table(table, path, row_group_size=_ROWS_PER_GROUP)
        counts[name] = len(table)
    for modality in settings.modalities:
        path = os.path.join(folder, "embeddings", modality)
        write_embeddings(path, modality, settings, marketplace.items)
    for name, parts in _write_log(folder, settings, rows_per_file, marketplace).items():
        counts[name] = parts.rows
    truth = ground_truth.ceilings(folder, settings, marketplace)
    with open(os.path.join(folder, "truth.json"), "w") as file:
        json.dump(truth, file, indent=2)
        file.write("\n")
    return {"counts": counts, "sha256": _sha256(folder)}


def _write_log(
    folder: str, settings: MarketplaceSettings, rows_per_file: int, marketplace: Marketplace
) -> dict[str, ParquetParts]:
    """Simulates the log into its tables and returns them by name, closed."""
    schemas = tables.log_schemas(inline=settings.label_events == "inline")
    label_events = LabelEvents(settings.seed)
    with contextlib.ExitStack() as stack:
        parts = {
            name: stack.enter_context(
                ParquetParts(os.path.join(folder, name), schema, rows_per_file)
            )
            for name, schema in schemas.items()
        }

        def write_events(arrived: Mapping[str, pa.Table]) -> None:
            for label, events in arrived.items():
                parts[f"{label}s"].write(events)

        for block in marketplace.blocks():
            for name in ("impressions", "truth"):
                parts[name].write(block.select(schemas[name].names))
            if "clicks" in parts:
                write_events(label_events.arrive(block))
        if "clicks" in parts:
            write_events(label_events.rest())
    return parts


def _sha256(folder: str) -> dict[str, str]:
    """Returns the sha256 of every file by its path below the folder."""
    paths = (os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return {os.path.relpath(path, folder): manifest.file_sha256(path) for path in paths}
