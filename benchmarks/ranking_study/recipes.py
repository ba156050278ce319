"""How the data sets of the study are joined, each by its name; one recipe for every model.

- `movielens_global`, `movielens_user`: ratings; all of them are behaviors, typed by how the item
  was rated, with running statistics; two splits.
- `microlens`: clicks without times, so split by user; behaviors are clicks; no statistics.
- `groceries`: purchases with drawn negatives (`groceries`), with running statistics.
- `market_interaction`, `market_additive`, `market_none`: simulated, one for each kind of content.
"""

import glob
import os
from collections.abc import Mapping
from typing import Any

from benchmarks.ranking_study import groceries
from features.errors import UserInputError
from pipeline.end_to_end import demo_data
from pipeline.runtime import json_file
from pipeline.simulation import ground_truth
from pipeline.simulation.settings import MarketplaceSettings
from pipeline.simulation.simulation import simulate
from pipeline.training_runs.run_config import DataConfig

MARKETS = {
    f"market_{kind}": MarketplaceSettings(events=200_000, users=2_000, items=3_000, content=kind)
    for kind in ("interaction", "additive", "none")
}
"""Simulated data sets, which need no folder."""

FOLDERS = ("movielens", "microlens", "groceries")
"""Data sets that a folder is given for."""

RATINGS: dict[str, Any] = {
    "history_length": 500,
    "timestamp_unit": "s",
    "derive_label": ("liked = rating >= 4",),
    "behavior_rule": "all",
    "behavior_type": ("rating >= 3", "rating >= 4", "rating >= 4.5", "rating >= 5"),
    "statistics": ("liked", "rating"),
}
_MICROLENS: dict[str, Any] = {
    "history_length": 50,
    "timestamp_unit": "s",
    "labels": ("click",),
    "split_by": "user",
}
_GROCERIES: dict[str, Any] = {
    "history_length": 500,
    "timestamp_unit": "s",
    "labels": ("click",),
    "behavior_rule": "all",
    "behavior_type": ("click == 1",),
    "negatives": "popularity:4",
    "statistics": ("click",),
    "split_by": "global",
}
_MARKET: dict[str, Any] = {
    "history_length": 50,
    "timestamp_unit": "ms",
    "labels": ("click",),
    "context": ("device",),
    "item_features": ("category", "price"),
    "user_features": ("country", "age:numeric"),
    "split_by": "global",
}
_TEXT_WIDTH = 128


def join_options(name: str, source: str, work: str) -> dict[str, Any]:
    """Returns fields of `JoinOptions` for a data set; writes what the join is to read.

    Args:
      name: of `FOLDERS` or `MARKETS`.
      source: its folder; empty for a market.
      work: receives tables, vectors and simulated logs.

    Raises:
      UserInputError: a table is missing.
    """
    folder = os.path.join(work, "data", name)
    if name in MARKETS:
        simulate(folder, MARKETS[name])
        modalities = {
            one: os.path.join(folder, "embeddings", one) for one in MARKETS[name].modalities
        }
        tables = {"events": "impressions", "items": "items", "users": "users"}
        places = {field: os.path.join(folder, one) for field, one in tables.items()}
        return {**_MARKET, **places, "embeddings": modalities}
    if name == "microlens":
        return {**_MICROLENS, **_microlens(source)}
    if name == "groceries":
        source = groceries.write(source, os.path.join(folder, "log"))
        return {**_GROCERIES, **inputs(source, folder, _TEXT_WIDTH)}
    return {**RATINGS, **inputs(source, folder)}


def inputs(source: str, folder: str, width: int = 64) -> dict[str, Any]:
    """Returns the join's inputs of a folder in the demo's layout.

    Args:
      source: as `pipeline.end_to_end.demo_data` reads it.
      folder: receives the tables that are made of it.
      width: of text vectors, where the source has none.
    """
    data = demo_data.prepare(DataConfig(source=source, content_dimension=width), folder)
    return {"events": data.events, "items": data.items, "embeddings": data.embeddings}


def truth(name: str, work: str) -> Mapping[str, Any] | None:
    """Returns the known ceilings of a market whose `join_options` were asked for, or None."""
    if name not in MARKETS:
        return None
    path = os.path.join(work, "data", name, ground_truth.FILE_NAME)
    return dict(json_file.read(path, "The truth"))


def _microlens(source: str) -> dict[str, Any]:
    events = os.path.join(source, "events.parquet")
    vectors = sorted(glob.glob(os.path.join(source, "embeddings", "*")))
    if not os.path.exists(events) or not vectors:
        raise UserInputError(
            f"--data microlens={source}: expected events.parquet and embeddings/<modality>.parquet "
            f"in it, received {sorted(os.listdir(source)) if os.path.isdir(source) else 'nothing'}."
        )
    names = {os.path.basename(one).removesuffix(".parquet"): one for one in vectors}
    return {"events": events, "embeddings": names}
