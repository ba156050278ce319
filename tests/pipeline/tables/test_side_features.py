"""Items of any schema and layout are the same features, or are refused by name."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings

from features.errors import UserInputError
from pipeline.tables.side_features import read_side_table
from tests.pipeline.join.inputs import foreign

FEATURES = ("brand", "price:numeric", "tags:numeric:2")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(foreign.items())
def test_any_items_are_read_right_or_refused_by_name(spec):
    rows = foreign.item_rows()
    with tempfile.TemporaryDirectory() as folder:
        foreign.write(spec, Path(folder), rows)
        try:
            table = read_side_table([folder], "item_id", FEATURES, {})
        except UserInputError as error:
            assert spec["odd"] is not None, f"{error}"
            text = str(error)
            assert "--items" in text or "expected" in text, text
            assert any(word in text for word in ("Write", "write", "Cast", "--column")), text
            return
    texts = {name: spec["groups"][name] is foreign.TEXTS for name in ("item_id", "brand")}
    ids = foreign.ids_of([row["item_id"] for row in rows], texts["item_id"])
    order = np.argsort(ids)
    np.testing.assert_array_equal(table.ids, ids[order])
    assert table.rejected == table.not_finite == 0
    brands = foreign.ids_of([row["brand"] for row in rows], texts["brand"])[order]
    np.testing.assert_array_equal(table.values["brand"][:-1, 0], brands)
    prices = np.array([row["price"] for row in rows], np.float32)[order]
    np.testing.assert_array_equal(table.values["price"][:-1, 0], prices)
    tags = np.array([row["tags"] for row in rows], np.float32)[order]
    np.testing.assert_array_equal(table.values["tags"][:-1], tags)
