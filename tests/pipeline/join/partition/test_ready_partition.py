"""A partition read again in the next step is the one that was built."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from pipeline.join.inputs.log_columns import Role
from pipeline.join.options import JoinOptions
from pipeline.join.partition.ready_partition import ReadyPartition
from pipeline.join.transport import spill

OPTIONS = JoinOptions.from_dict({"events": "e", "output": "o", "history_length": 3})


def events(seed, users, rows, given_by_split):
    """Events as `prepare` returns them."""
    random = np.random.default_rng(seed)
    user, time = np.sort(random.integers(0, max(users, 1), rows)), random.integers(0, 9, rows)
    order = np.lexsort((time, user))
    role = random.choice([Role.CANDIDATE, Role.NEGATIVE, Role.PRIOR], rows).astype(np.int8)
    split = np.full(rows, -1, np.int8)
    if given_by_split:
        split = random.integers(0, 2, rows).astype(np.int8)
    columns = {
        "user": user[order],
        "item": random.integers(0, 5, rows),
        "time": time[order] * 1_000_000,
        "request": random.integers(0, 6, rows),
        "row": np.arange(rows),
        "content": np.arange(rows),
        "file": np.zeros(rows, np.int32),
        "behavior": (role == Role.PRIOR) | (random.random(rows) < 0.5),
        "role": role,
        "split": split,
        "label_click": random.integers(0, 2, rows).astype(np.float32),
    }
    return pa.table(columns).combine_chunks()


@pytest.mark.parametrize("folder", ["blocks", None])
@pytest.mark.parametrize("given_by_split", [False, True])
@pytest.mark.parametrize(("users", "rows"), [(0, 0), (1, 1), (7, 200)])
def test_what_is_stored_is_read(tmp_path, users, rows, given_by_split, folder):
    built = ReadyPartition.of(events(3, users, rows, given_by_split), OPTIONS)
    (tmp_path / "blocks").mkdir()
    with spill.BlockWriter(folder and str(tmp_path / folder)) as writer:
        blocks = built.put(writer)
    found = ReadyPartition.read(blocks)
    assert list(found.events) == list(built.events)
    for name, values in built.events.items():
        np.testing.assert_array_equal(found.events[name], values)
        assert found.events[name].dtype == values.dtype
    for field in dataclasses.fields(built.requests):
        one, other = (getattr(each.requests, field.name) for each in (found, built))
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


def test_requests_have_their_users_whose_sequence_is_of_one_split():
    built = ReadyPartition.of(events(4, 7, 200, given_by_split=True), OPTIONS)
    requests, columns = built.requests, built.events
    assert set(requests.user) <= set(range(7))
    for number in range(len(requests.user)):
        own = requests.order[requests.starts[number] : requests.starts[number + 1]]
        seen = requests.behaviors[requests.history_start[number] : requests.history_end[number]]
        assert len(set(columns["split"][[*own, *seen]])) == 1
        assert requests.time[number] == columns["time"][own].min()
