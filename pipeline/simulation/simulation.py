"""Simulates a whole marketplace and publishes it as one folder."""

import contextlib
import dataclasses
import itertools
import os
from typing import Any

import numpy as np
import pyarrow as pa
from absl import logging

from features.files import parquet
from pipeline.publishing.publication import Publication
from pipeline.runtime import json_file
from pipeline.simulation import ground_truth, label_events
from pipeline.simulation.catalog import CATEGORIES, COUNTRIES, Items, Users
from pipeline.simulation.embeddings import write_embeddings
from pipeline.simulation.label_events import LabelEvents
from pipeline.simulation.marketplace import BLOCK, Marketplace
from pipeline.simulation.parquet_parts import ParquetParts, file_hashes
from pipeline.simulation.settings import MarketplaceSettings

_ROWS_PER_GROUP = 262_144
_LABELS = ("click", "conversion")
_IMPRESSIONS = ("request_id", "user_id", "item_id", "timestamp", "position", "device")
_PROBABILITIES = ("click_probability", "conversion_probability")
_TRUTH = ("request_id", "item_id", *_LABELS, *_PROBABILITIES, "similarity")


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
    # Published logs have this key, and the older ones no kind: they are of the default.
    parameters = dataclasses.asdict(settings) | {"rows_a_file": rows_per_file}
    if settings.content == MarketplaceSettings.content:
        del parameters["content"]
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
    for name, table in _side_tables(marketplace.items, marketplace.users).items():
        os.makedirs(os.path.join(folder, name))
        path = os.path.join(folder, name, f"{name}.parquet")
        parquet.write_table(table, path, row_group_size=_ROWS_PER_GROUP)
        counts[name] = len(table)
    for modality in settings.modalities:
        path = os.path.join(folder, "embeddings", modality)
        write_embeddings(path, modality, settings, marketplace.items)
    for name, parts in _write_log(folder, settings, rows_per_file, marketplace).items():
        counts[name] = parts.rows
    truth = ground_truth.ceilings(folder, settings, marketplace)
    json_file.write(os.path.join(folder, ground_truth.FILE_NAME), truth)
    return {"counts": counts, "sha256": file_hashes(folder)}


def _write_log(
    folder: str, settings: MarketplaceSettings, rows_per_file: int, marketplace: Marketplace
) -> dict[str, ParquetParts]:
    """Simulates the log into its tables and returns them by name, closed."""
    columns = {"impressions": _IMPRESSIONS, "truth": _TRUTH}
    later = None if settings.label_events == "inline" else LabelEvents(settings)
    if later is None:
        columns["impressions"] += _LABELS
    schemas = {name: pa.schema(map(BLOCK.field, names)) for name, names in columns.items()}
    if later is not None:
        schemas |= {f"{label}s": label_events.SCHEMA for label in _LABELS}
    with contextlib.ExitStack() as stack:
        parts = {
            name: stack.enter_context(
                ParquetParts(os.path.join(folder, name), schema, rows_per_file)
            )
            for name, schema in schemas.items()
        }
        for block in itertools.chain(marketplace.blocks(), [None]):
            if block is not None:
                for name, names in columns.items():
                    parts[name].write(block.select(names))
            if later is not None:
                for label, events in later.arrive(block).items():
                    parts[f"{label}s"].write(events)
    return parts


def _side_tables(items: Items, users: Users) -> dict[str, pa.Table]:
    """Returns the side features `items` and `users`, and the hidden properties `truth_items`."""
    item_id = np.arange(len(items.price)) + 1
    categories = pa.array([f"category_{number:02d}" for number in range(CATEGORIES)])
    tables = {
        "items": {
            "item_id": item_id,
            "category": categories.take(pa.array(items.category)),
            "price": items.price,
            "created_at": items.created_at,
        },
        "truth_items": {"item_id": item_id, "quality": items.quality, "gate": items.gate},
        "users": {
            "user_id": np.arange(len(users.age)) + 1,
            "country": pa.array(COUNTRIES).take(pa.array(users.country)),
            "age": users.age,
        },
    }
    return {name: pa.table(columns) for name, columns in tables.items()}
