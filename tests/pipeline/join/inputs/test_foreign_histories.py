"""Given sequences of any schema and layout are the same behaviors, or are refused by name."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.errors import UserInputError
from pipeline.join.inputs import given_histories
from pipeline.join.inputs.log_columns import LogColumns
from tests.pipeline.join import joins
from tests.pipeline.join.inputs import foreign


def sequences():
    """Returns users with sequences of different lengths, an empty one among them."""
    return [
        {
            "user_id": number,
            "item_id": [number + place for place in range(number % 4)],
            "timestamp": [foreign.BEGIN + 60 * place for place in range(number % 4)],
            "type": [place % 2 for place in range(number % 4)],
            "price": number,
        }
        for number in range(foreign.ROWS)
    ]


def lists_of(make):
    """Returns a maker of lists from one of single values, as each layout of lists."""

    def flat_and_offsets(values):
        flat = [element for one in values for element in one]
        return make(flat), np.append(0, np.cumsum([len(one) for one in values]))

    def small(values):
        flat, offsets = flat_and_offsets(values)
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)

    def large(values):
        flat, offsets = flat_and_offsets(values)
        return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat)

    def view(values):
        flat, offsets = flat_and_offsets(values)
        lengths = pa.array(np.diff(offsets), pa.int32())
        return pa.ListViewArray.from_arrays(pa.array(offsets[:-1], pa.int32()), lengths, flat)

    return {"list": small, "large_list": large, "list_view": view}


def all_lists(group):
    return {
        f"{layout} of {kind}": made
        for kind, make in group.items()
        for layout, made in lists_of(make).items()
    }


@st.composite
def histories(draw):
    odd = draw(st.sampled_from([None, None, None, "user_id", "item_id", "timestamp"]))
    groups = {
        "user_id": draw(st.sampled_from([foreign.INTEGERS, foreign.TEXTS])),
        "item_id": draw(st.sampled_from([INTEGER_LISTS, TEXT_LISTS])),
        "timestamp": draw(
            st.sampled_from([all_lists(foreign.SECONDS), all_lists(foreign.MOMENTS)])
        ),
        "type": INTEGER_LISTS,
    }
    faults = {
        "user_id": foreign.NO_IDS,
        "item_id": {"words": lambda values: pa.array(["a b"] * len(values))},
        "timestamp": {
            "nanoseconds": lambda values: pa.array([[n * 10**9 for n in one] for one in values])
        },
    }
    return foreign.drawn(draw, groups, faults, odd)


INTEGER_LISTS = all_lists(foreign.INTEGERS)
TEXT_LISTS = all_lists(foreign.TEXTS)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(histories())
def test_any_sequences_are_read_right_or_refused_by_name(spec):
    rows = sequences()
    with tempfile.TemporaryDirectory() as folder:
        foreign.write(spec, Path(folder), rows)
        options = joins.options("log", "out", histories=folder, history_types=2)
        try:
            opened = given_histories.open_histories(options, {}, {})
        except UserInputError as error:
            assert spec["odd"] is not None, f"{error}"
            text = str(error)
            assert "--histories" in text or "expected" in text, text
            assert any(word in text for word in ("Write", "write", "Cast", "Give --")), text
            return
        columns = LogColumns(options, None, (), False, True, opened.reader)
        batches = [
            batch
            for unit in opened.units
            for batch in given_histories.read_histories(unit.unit, columns, opened.reader)
        ]
    assert spec["odd"] is None
    assert not any(len(batch.rows) for batch in batches)
    found = {
        name: np.concatenate([batch.events[name].to_numpy() for batch in batches])
        for name in ("user", "item", "time", "type")
    }
    texts = [
        spec["groups"]["user_id"] is foreign.TEXTS,
        spec["groups"]["item_id"] is TEXT_LISTS,
    ]
    users = [row["user_id"] for row in rows for _ in row["item_id"]]
    np.testing.assert_array_equal(found["user"], foreign.ids_of(users, texts[0]))
    items = [item for row in rows for item in row["item_id"]]
    np.testing.assert_array_equal(found["item"], foreign.ids_of(items, texts[1]))
    times = [time * 1_000_000 for row in rows for time in row["timestamp"]]
    np.testing.assert_array_equal(found["time"], times)
    np.testing.assert_array_equal(found["type"], [t for row in rows for t in row["type"]])
