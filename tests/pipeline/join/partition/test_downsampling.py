"""Which negatives stay: a share of them, by their own values alone, and requests follow."""

import dataclasses

import numpy as np
import pytest

from features.schema import Downsampling
from pipeline.join.partition import downsampling, sequences
from pipeline.join.partition.running_statistics import RunningStatistics


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.01])
def test_the_share_is_kept_among_neighbors_in_every_value(rate):
    count = 200_000
    random = np.random.default_rng(0)
    alike = [np.full(count, 7), np.full(count, 3)]
    for values in (
        np.arange(count),
        np.arange(count) * 1_000_000,
        random.integers(0, 2**62, count),
    ):
        for place in range(4):
            key = [*alike, alike[0], alike[1]]
            key[place] = values
            share = downsampling.keeps(rate, *key).mean()
            assert share == pytest.approx(rate, abs=5 * np.sqrt(rate * (1 - rate) / count))


def test_what_a_candidate_is_decides_not_where_it_stands():
    random = np.random.default_rng(1)
    key = random.integers(0, 50, (4, 5000))
    kept = downsampling.keeps(0.3, *key)
    order = random.permutation(5000)
    assert np.array_equal(downsampling.keeps(0.3, *key[:, order]), kept[order])
    # A larger share keeps what a smaller one keeps.
    assert downsampling.keeps(0.6, *key)[kept].all()


def random_partition(seed):
    random = np.random.default_rng(seed)
    count = 400
    columns = {
        "user": np.sort(random.integers(0, 12, count)),
        "item": random.integers(0, 30, count),
        "time": random.integers(0, 40, count) * 1_000_000,
        "request": random.integers(0, 60, count),
        "label_click": (random.random(count) < 0.2).astype(np.float32),
        "label_like": (random.random(count) < 0.3).astype(np.float32),
    }
    requests = sequences.build_requests(
        columns["user"],
        columns["time"],
        columns["request"],
        is_candidate=random.random(count) < 0.9,
        is_behavior=columns["label_click"] > 0,
        history_length=5,
    )
    return columns, requests, random.integers(0, 3, len(requests.user))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate", [0.001, 0.2, 0.999])
def test_the_requests_of_one_split_lose_negatives_one_at_a_time(seed, rate):
    columns, requests, split = random_partition(seed)
    random = np.random.default_rng(seed)
    statistics = RunningStatistics(
        random.random((len(requests.order), 2)), random.random((len(split), 4)), np.zeros(3)
    )
    rule = Downsampling("click", rate)
    found = downsampling.sample(rule, columns, requests, split, 1, statistics)
    rows, dropped, negatives, emptied, likes = [], 0, 0, 0, 0
    for number in range(len(split)):
        places = range(requests.starts[number], requests.starts[number + 1])
        kept = []
        for place in places:
            event = requests.order[place]
            negative = split[number] == 1 and not columns["label_click"][event]
            negatives += negative
            likes += int(negative and columns["label_like"][event])
            key = (columns[name][event : event + 1] for name in ("user", "item", "time", "request"))
            if not negative or downsampling.keeps(rate, *key)[0]:
                kept.append(place)
        dropped += len(places) - len(kept)
        emptied += not kept
        if kept:
            rows.append((number, kept))
    numbers, places = [number for number, _ in rows], [one for _, kept in rows for one in kept]
    assert np.array_equal(found.requests.order, requests.order[places])
    assert np.array_equal(np.diff(found.requests.starts), [len(kept) for _, kept in rows])
    assert np.array_equal(found.split, split[numbers])
    for name in ("first", "user", "request", "time", "history_start", "history_end"):
        assert np.array_equal(getattr(found.requests, name), getattr(requests, name)[numbers])
    assert found.requests.behaviors is requests.behaviors
    assert np.array_equal(found.statistics.candidates, statistics.candidates[places])
    assert np.array_equal(found.statistics.requests, statistics.requests[numbers])
    assert found.counts == {
        "dropped": {"downsampled": dropped},
        "downsampling": {
            "negatives": negatives,
            "kept": negatives - dropped,
            "requests_dropped": emptied,
            "positives": {"like": likes},
        },
    }


def test_a_split_that_is_not_there_loses_nothing():
    columns, requests, split = random_partition(5)
    found = downsampling.sample(Downsampling("click", 0.01), columns, requests, split, 7, None)
    for field in dataclasses.fields(requests):
        assert np.array_equal(getattr(found.requests, field.name), getattr(requests, field.name))
    assert found.counts["dropped"] == {"downsampled": 0}
