"""A clean log and embedding set, big enough that chance finds nothing."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.statistics import inspection
from pipeline.statistics.log_source import LogSource

START = 1_700_000_000


def clean_log(seed=0, events=6000, users=300, items=80):
    """Returns columns of a log over twenty days, in seconds, a third of it clicked."""
    random = np.random.default_rng(seed)
    return {
        "user_id": random.integers(users, size=events),
        "item_id": np.array([f"item-{i}" for i in random.integers(items, size=events)], object),
        "timestamp": START + random.integers(20 * 86_400, size=events),
        "click": (random.random(events) < 1 / 3).astype(np.int8),
        "rating": random.integers(1, 6, events).astype(np.float64),
        "price": random.lognormal(size=events),
        "country": random.choice(["de", "fr", "it"], events).astype(object),
    }


def write_log(path, columns, files=3):
    """Writes columns, in which None and NaN of object columns are null, as several files."""
    path.mkdir(parents=True, exist_ok=True)
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    size = -(-len(table) // files)
    for number in range(files):
        pq.write_table(table.slice(number * size, size), path / f"{number}.parquet")
    return str(path)


def clean_vectors(seed=0, items=80, width=16):
    """Returns item ids and vectors of a little different length."""
    random = np.random.default_rng(seed)
    return [f"item-{i}" for i in range(items)], list(random.normal(size=(items, width)))


def write_vectors(path, ids, vectors, times=None):
    """Writes an embedding set of plain lists; None is a null vector."""
    path.mkdir(parents=True, exist_ok=True)
    vectors = [None if one is None else [float(value) for value in one] for one in vectors]
    columns = {"item_id": pa.array(ids), "embedding": pa.array(vectors, pa.list_(pa.float32()))}
    if times is not None:
        columns["available_at"] = pa.array(times, pa.int64())
    pq.write_table(pa.table(columns), path / "0.parquet")
    return str(path)


def manifest(rate=0.3, coverage=0.9, shift=0, history=(1, 9), quarantined=0):
    """Returns what the examples' statistics read of a manifest."""
    codes = [0] * 256
    for code in range(100, 160):
        codes[code + shift] = 100 - abs(code - 130)
    split = {
        "requests": 1000,
        "records": 1000,
        "candidates": 2000,
        "positives": {"click": int(2000 * rate)},
        "candidates_per_request": {"2": 1000},
        "history_length": {"0": 100 * history[0], "50": 100 * history[1]},
        "time_range": [1_700_000_000_000_000, 1_700_100_000_000_000],
        "shards": [],
    }
    return {
        "schema": {
            "labels": ["click"],
            "modalities": [{"name": "text", "dimension": 16}],
            "history_length": 50,
            "item_features": [{"name": "genre", "kind": "categorical"}],
            "context_features": [],
        },
        "counts": {"read": 4000, "quarantined": {"null": quarantined}, "dropped": {}},
        "splits": {"train": split, "test": split},
        "embedding_sets": {"text": {"coverage": coverage}},
        "similarity": {"text": {"label_0": codes, "label_1": codes}},
    }


def inspected(tmp_path, rows, vectors=None, unit="s", name="a", **arguments):
    """Inspects a log and an embedding set, by default a clean one."""
    log = write_log(tmp_path / f"{name}-log", rows)
    ids, values, *times = vectors or clean_vectors()
    sets = {"text": write_vectors(tmp_path / f"{name}-text", ids, values, *times)}
    source = LogSource(log, ("click",), {}, unit)
    return inspection.inspect(source, sets, None, str(tmp_path / name), **arguments)


def shifted(rows):
    """Plants another label rate, 0.45 instead of a third."""
    rows["click"] = (np.random.default_rng(1).random(6000) < 0.45).astype(np.int8)


def null(name, count):
    """Returns what plants nulls."""

    def change(rows):
        rows[name] = rows[name].astype(object)
        rows[name][:count] = None

    return change
