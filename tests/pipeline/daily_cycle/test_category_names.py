"""Slices of categorical features are called as the log and the catalog call them."""

import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.ids import hashing
from pipeline.daily_cycle import category_names
from pipeline.join.inputs.join_inputs import open_inputs
from pipeline.join.options import JoinOptions
from pipeline.version_gate.comparison import Scope


def fingerprint(text):
    return str(hashing.ids_of_column(pa.array([text]))[0])


def scope(slicing, name):
    return Scope("click", slicing, name, 9, 90, 5, 5.0, {}, False, {})


@pytest.fixture
def options(tmp_path):
    count = 4
    log = {
        "user_id": pa.array(range(count)),
        "item_id": pa.array(range(count)),
        "timestamp": pa.array([1_700_000_000 + row for row in range(count)]),
        "click": pa.array([0, 1, 0, 1]),
        "Device": pa.array(["phone", "tv", None, "phone"]),
        "hour": pa.array([7, 8, 9, 7]),
    }
    items = {
        "item_id": pa.array(range(count)),
        "category": pa.array(["shoes", "hats", "hats", None]),
        "shop": pa.array([5, 5, 6, 7]),
    }
    (tmp_path / "log").mkdir()
    (tmp_path / "items").mkdir()
    for half in range(2):
        pq.write_table(pa.table(log).slice(2 * half, 2), tmp_path / "log" / f"{half}.parquet")
    pq.write_table(pa.table(items), tmp_path / "items" / "items.parquet")
    return JoinOptions(
        events=str(tmp_path / "log"),
        items=(str(tmp_path / "items"),),
        output=str(tmp_path / "examples"),
        context=("device", "hour:categorical"),
        item_features=("category", "shop"),
        timestamp_unit="s",
    )


def test_texts_of_items_and_of_the_log_replace_their_fingerprints(options):
    schema = open_inputs(options).schema
    scopes = [
        scope("category", fingerprint("hats")),
        scope("category", fingerprint("gone")),
        scope("device", fingerprint("tv")),
        scope("shop", "5"),
        scope("hour", "7"),
        scope("category", "0"),
        scope("history_length", "0 to 4"),
        scope("", ""),
    ]
    found = category_names.named(scopes, schema, options)
    assert [one.name for one in found] == [
        *("hats", fingerprint("gone"), "tv", "5", "7", "0", "0 to 4", "")
    ]
    assert [dataclasses.replace(one, name="") for one in found] == [
        dataclasses.replace(one, name="") for one in scopes
    ]
    assert found[0].title == "click, category hats"


def test_without_a_categorical_slice_no_table_is_read(options):
    schema = open_inputs(options).schema
    gone = dataclasses.replace(options, events="/nowhere", items=())
    scopes = [scope("", ""), scope("similarity_text", "known")]
    assert category_names.named(scopes, schema, gone) == scopes
