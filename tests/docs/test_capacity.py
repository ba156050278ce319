"""The formulas of docs/capacity.md against real bytes, of data of two sizes.

The tolerances here are those that the page states.
"""

import contextlib
import functools
import json
import math
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from docs_build import capacity_formulas as formulas
from features.embeddings import embedding_set
from features.schema import ExampleSchema, Modality
from models import factory
from models.model_config import ModelConfig
from models.training import optimizers
from models.training.averages import WeightAverages
from models.training.config import TrainingConfig
from pipeline.catalog_backfill import cache_part
from pipeline.join.inputs import join_inputs, state_rows
from pipeline.join.inputs.event_batches import event_schema
from pipeline.join.inputs.part_state import ITEMS, USERS
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.join.partition import sum_state
from pipeline.join.partition.cumulative_sums import Additions
from pipeline.join.rules import splits
from pipeline.join.transport import arrow_bytes, broadcast, embedding_shuffle
from pipeline.simulation.settings import MarketplaceSettings
from pipeline.simulation.simulation import simulate
from pipeline.tables.side_features import SideTable
from serving_signatures import names
from serving_signatures.client.checksums import CHECKSUM_BYTES
from serving_signatures.client.projection_store import LruProjectionStore
from serving_signatures.client.redis_store import RedisProjectionStore
from tests.conftest import REPOSITORY
from tests.serving_signatures import serving

WIDTHS = (12, 20)
SIZES = (3_000, 12_000)


def schema(history_length: int = 20) -> ExampleSchema:
    modalities = tuple(Modality(f"m{width}", width) for width in WIDTHS)
    return ExampleSchema(("click",), modalities, history_length)


def content(items: int) -> dict[str, embedding_set.EmbeddingSet]:
    rng = np.random.default_rng(0)
    return {
        f"m{width}": embedding_set.from_vectors(
            np.arange(items), rng.standard_normal((items, width), np.float32)
        )
        for width in WIDTHS
    }


def folder_bytes(folder) -> int:
    return sum(
        os.path.getsize(os.path.join(path, name))
        for path, _, files in os.walk(folder)
        for name in files
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A simulated log of a given size, with long histories."""

    def simulated(events: int) -> str:
        folder = str(tmp_path_factory.mktemp("log"))
        sizes = {"events": events, "users": 30, "items": 600, "candidates": 6}
        simulate(folder, MarketplaceSettings.from_dict({**sizes, "modalities": {"text": 24}}))
        return folder

    return simulated


@pytest.mark.parametrize("events", SIZES)
@pytest.mark.parametrize("side_features", [False, True])
def test_records_within_5_percent(log, tmp_path, events, side_features):
    folder = log(events)
    options = {
        "events": f"{folder}/impressions",
        "output": str(tmp_path / "examples"),
        "embeddings": {"text": f"{folder}/embeddings/text"},
        "timestamp_unit": "ms",
        "behavior_rule": "all",
        "history_length": 200,
    }
    if side_features:
        options |= {"items": f"{folder}/items", "users": f"{folder}/users", "context": ("device",)}
    found = build_examples(JoinOptions.from_dict(options))
    items = pq.read_table(f"{folder}/impressions")["item_id"].to_pylist()
    id_bytes = np.mean([formulas.varint_bytes(item) for item in items])
    for split in found["splits"].values():
        written = sum(found["shards"][name]["bytes"] for name in split["shards"])
        lengths = {int(length): count for length, count in split["history_length"].items()}
        expected = split["records"] * formulas.record_bytes(
            ExampleSchema.from_dict(found["schema"]),
            split["candidates"] / split["records"],
            sum(length * count for length, count in lengths.items()) / split["records"],
            id_bytes=id_bytes,
            gap_bytes=3,
            category_bytes=6,  # Strings and small integers.
        )
        assert expected == pytest.approx(written, rel=0.05)


@pytest.mark.parametrize("events", SIZES)
def test_waiting_events_within_5_percent(log, events):
    folder = log(events)
    options = JoinOptions(
        events=f"{folder}/impressions",
        output="unused",
        timestamp_unit="ms",
        labels=("click", "conversion"),
        context=("device",),
        statistics=("position",),
    )
    columns = join_inputs.open_inputs(options).log.columns
    fields = event_schema(columns)
    values = [pa.array(np.zeros(events, np.int8)).cast(field.type) for field in fields]
    block = arrow_bytes.to_bytes(pa.record_batch(values, schema=fields))
    expected = events * formulas.event_bytes(labels=2, context_features=1, statistics=1)
    assert expected == pytest.approx(len(block), rel=0.05)


@pytest.mark.parametrize("items", SIZES)
def test_broadcast_tables_within_2_percent(tmp_path, items):
    nothing = SideTable(np.zeros(0, np.int64), {})
    broadcast.save(str(tmp_path), broadcast.Tables(content(items), nothing, nothing))
    assert formulas.broadcast_bytes(items, WIDTHS) == pytest.approx(
        folder_bytes(tmp_path), rel=0.02
    )


@pytest.mark.parametrize("items", SIZES)
def test_shipped_vectors_exactly(items):
    kinds = [embedding_shuffle._row_type(width) for width in WIDTHS]
    assert formulas.shipped_bytes(items, WIDTHS) == sum(items * kind.itemsize for kind in kinds)


@pytest.mark.parametrize("events", SIZES)
def test_state_is_at_most_the_formula(tmp_path, events):
    rng = np.random.default_rng(0)
    columns = {
        "user": np.sort(rng.integers(0, 100, events)),
        "item": rng.integers(0, 2**62, events),
        "time": np.sort(rng.integers(0, 10**15, events)),
        "type": np.zeros(events, np.int8),
        "behavior": np.ones(events, bool),
        "role": np.zeros(events, np.int8),
    }
    columns["time"] = columns["time"][np.argsort(columns["user"], kind="stable")]
    options = JoinOptions(events="unused", output="unused", history_length=events)
    os.makedirs(tmp_path / "state")
    last = int(columns["time"].max())
    written = state_rows.write_rows(str(tmp_path), options, 0, 1, columns, last, last + 1)
    (rows,) = (one["rows"] for one in written.values())
    assert rows == events
    assert folder_bytes(tmp_path / "state") <= formulas.state_bytes(rows) + 4_000


@pytest.mark.parametrize("count", SIZES)
@pytest.mark.parametrize("statistics", [1, 3])
def test_sums_are_at_most_the_formula(tmp_path, count, statistics):
    rng = np.random.default_rng(0)
    os.makedirs(tmp_path / "state")
    ids = np.sort(rng.integers(-(2**62), 2**62, count))
    for owner, width in ((USERS, 2 + 2 * statistics), (ITEMS, 1 + statistics)):
        values = rng.standard_normal((count, width))
        settled = Additions(ids, np.full(count, splits.BEGIN), values)
        sum_state.write(str(tmp_path), owner, 0, 1, settled)
    expected = formulas.sum_state_bytes(count, count, statistics)
    assert expected / 2 < folder_bytes(tmp_path / "state") <= expected + 10_000


_READ = """
import sys
from pipeline.embedding_sets import embedding_inputs
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) * 1024
embedding_inputs.read_all({"text": sys.argv[1]})  # Loads the libraries.
before = peak()
embedding_inputs.read_all({"text": sys.argv[2]})
print(peak() - before)
"""


def write_float_vectors(folder, items: int, row_group: int) -> str:
    vectors = np.random.default_rng(0).standard_normal(items * 128, np.float32)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors), 128)
    table = pa.table({"item_id": np.arange(items), "embedding": lists})
    folder.mkdir()
    pq.write_table(table, folder / "part-0.parquet", row_group_size=row_group)
    return str(folder)


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc here")
@pytest.mark.parametrize("items", [100_000, 400_000])
def test_reading_a_set_takes_at_most_the_formula(tmp_path, items):
    folders = [
        write_float_vectors(tmp_path / "small", 100, 100),
        write_float_vectors(tmp_path / "large", items, 30_000),
    ]
    command = [sys.executable, "-c", _READ, *folders]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    tables = formulas.broadcast_bytes(items, (128,))
    assert 0.7 * tables < int(done.stdout) < formulas.reading_bytes(items, (128,), 30_000)


@functools.cache
def model_of(items: int):
    """A model that no test changes."""
    config = ModelConfig(embedding_width=8, head_width=5, projection_width=3)
    return factory.build_model(config, schema(), np.arange(items))


def variable_bytes(variables) -> int:
    return sum(
        variable.shape.num_elements() * variable.dtype.size
        for variable in {id(one): one for one in variables}.values()
    )


@pytest.mark.parametrize(("optimizer", "slots"), [("adam", 2), ("lazy_adam", 2), ("adagrad", 1)])
@pytest.mark.parametrize("averages", [0, 1])
def test_training_state_exactly(optimizer, slots, averages):
    found = []
    for items in SIZES:
        model = model_of(items)
        composite = optimizers.build_optimizer(model, TrainingConfig(optimizer=optimizer), 10)
        own = [one for part in composite.optimizers for one in part.variables]
        if averages:
            own.extend(WeightAverages(model, 8.0, 1).averages)
        found.append(variable_bytes([*model.variables, *own]))
    small, large = (formulas.training_bytes(items, 8, slots, averages) for items in SIZES)
    assert found[1] - found[0] == large - small


def test_saved_model_within_1_percent(tmp_path):
    found, expected = [], []
    for items in SIZES:
        # By one signature that scores: together with the projections it reads all that is saved.
        signatures = serving.traced(model_of(items), content(items), scoring=["score_request"])
        folder = str(tmp_path / str(items))
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(signatures.module(), folder, signatures.functions, options)
        found.append(folder_bytes(f"{folder}/variables"))
        expected.append(formulas.saved_model_bytes(items, 8, WIDTHS))
    # What does not grow with the items, the dense layers, is no part of the formula.
    assert expected[1] - expected[0] == pytest.approx(found[1] - found[0], rel=0.01)


@pytest.fixture(scope="module")
def projections():
    """Each cache's rows by name, as the signatures of a model return them."""
    signatures = serving.traced(model_of(SIZES[0]), content(SIZES[0]))

    def of(cache: str, items: int) -> dict[str, np.ndarray]:
        ids = tf.range(items, dtype=tf.int64)
        outputs = signatures.functions[cache](item_ids=ids)
        tags = names.CACHES.values()
        return {name: value.numpy() for name, value in outputs.items() if name not in tags}

    return of


ROW_BYTES = {
    names.ID_PROJECTIONS: formulas.id_row_bytes(heads=1, head_width=5, width=8),
    names.TARGET_AWARE_PROJECTIONS: formulas.target_aware_row_bytes(WIDTHS, 3),
}


@pytest.mark.parametrize("cache", names.CACHES)
def test_cache_rows(projections, cache):
    for items in SIZES:
        rows = projections(cache, items)
        assert sum(value.nbytes for value in rows.values()) == items * ROW_BYTES[cache], "exact"
        ids = np.arange(items)
        part = cache_part.encode(cache, "tag", ids, ids, rows)
        keys = 16 if cache_part.has_source(cache) else 8
        expected = items * (ROW_BYTES[cache] + keys)
        assert expected == pytest.approx(len(part), rel=0.05), "Parquet"


class Recorder:
    """Takes what a Redis client would send; see `RedisProjectionStore`."""

    def __init__(self):
        self.sent: dict[str, bytes | str] = {}

    def pipeline(self, transaction):
        return contextlib.nullcontext(self)

    def set(self, key, value, ex):
        self.sent[key] = value

    def execute(self):
        pass


@pytest.mark.parametrize("cache", names.CACHES)
def test_redis_values_and_lru_rows_exactly(projections, cache):
    rows = projections(cache, 100)
    client = Recorder()
    RedisProjectionStore(client).put(cache, "0123456789abcdef", np.arange(100), rows)
    key = f"dmf:{cache}:0123456789abcdef:7"
    assert len(client.sent[key]) == ROW_BYTES[cache] + CHECKSUM_BYTES
    entry = formulas.redis_entry_bytes(cache, ROW_BYTES[cache], id_characters=1)
    assert len(key) + len(client.sent[key]) == entry
    store = LruProjectionStore(max_items=50)
    store.put(cache, "tag", np.arange(100), rows)
    known, kept = store.get(cache, "tag", np.arange(100))
    assert known.sum() == 50
    assert sum(value[known].nbytes for value in kept.values()) == 50 * ROW_BYTES[cache]


def test_recorded_requests_and_models():
    path = REPOSITORY / "benchmarks" / "results" / "content_lookup.json"
    recorded = json.loads(path.read_text(encoding="utf-8"))
    shape = recorded["candidates"], recorded["behaviors"]
    for one in recorded["models"]:
        ids, vectors = one["variants"]["ids"], one["variants"]["vectors"]
        assert formulas.request_bytes(*shape) == pytest.approx(ids["request_bytes"], rel=0.02)
        assert formulas.request_bytes(*shape, (128, 128)) == pytest.approx(
            vectors["request_bytes"], rel=0.02
        )
        per_item = formulas.content_bytes(one["items"], (128, 128)) / one["items"]
        assert per_item == pytest.approx(one["table_bytes_an_item"], rel=0.01)


def test_a_varint_has_the_bytes_of_protocol_buffers():
    for value in (0, 1, 127, 128, 2**35, 2**63 - 1):
        feature = tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        packed = feature.int64_list.SerializeToString()
        assert formulas.varint_bytes(value) == len(packed) - 2
    assert math.isclose(formulas.varint_bytes(-1), 10)
