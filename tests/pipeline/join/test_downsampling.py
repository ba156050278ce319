"""A join with --downsample_negatives: the whole join's records, less some negatives of train."""

import collections

import numpy as np
import pytest

from features.errors import UserInputError
from features.schema import Downsampling
from models.inputs.example_set import ExampleSet
from pipeline.join.job import build_examples
from tests.pipeline.join import logs, oracle
from tests.pipeline.join.joins import add_up, options, shard_hashes

RATE = 0.25
MASK = (1 << 64) - 1


def mix(value):
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)


def combine(first, second):
    """The hash of a pair, written once more with Python's integers."""
    largest = 1 << 62
    return (mix((first + (mix(second & MASK) >> 1) % largest) & MASK) >> 1) % largest


def keeps(user, item, moment, request):
    key = combine(combine(combine(user, item), moment), request)
    return combine(key, 0x646F776E) < RATE * (1 << 62)


def sampled(record):
    """A whole record's features without the negatives that the hash leaves out; None for none."""
    ids = record["user_id"] + record["timestamp"] + record["request_id"]
    kept = [
        place
        for place, (item, click) in enumerate(
            zip(record["candidate_item_id"], record["click"], strict=True)
        )
        if click or keeps(ids[0], item, ids[1], ids[2])
    ]
    if not kept:
        return None
    shown = len(record["candidate_item_id"])
    found = {}
    for name, values in record.items():
        if name in ("click", "like") or name.startswith("candidate_"):
            width = len(values) // shown
            found[name] = [one for k in kept for one in values[k * width : (k + 1) * width]]
        else:
            found[name] = values
    return found


def comparable(record):
    return tuple((name, tuple(record[name])) for name in sorted(record))


def two_labels(seed, **values):
    random = np.random.default_rng(seed)
    rows = logs.random_rows(seed, events=600, users=9, moments=60, **values)
    # The context is another for each row of a request.
    return [
        {**row, "like": int(random.integers(2)), "hour": number % 5}
        for number, row in enumerate(rows)
    ]


def records(output, split="*"):
    found = oracle.read_records(output, split).values()
    return collections.Counter(comparable(record) for shard in found for record in shard)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return logs.write_log(tmp_path_factory.mktemp("log"), two_labels(0))


VALUES = {
    "labels": ["click", "like"],
    "statistics": ["click", "rating"],
    "context": ["hour"],
    "behavior_rule": "all",
}


def test_train_has_the_negatives_that_the_hash_keeps_and_all_else_is_whole(tmp_path, log):
    whole = build_examples(options(log, tmp_path / "whole", **VALUES))
    some = build_examples(
        options(log, tmp_path / "some", downsample_negatives=f"click={RATE}", **VALUES)
    )
    for split in ("validation", "test"):
        names = [name for name in shard_hashes(tmp_path / "whole") if name.startswith(split)]
        for name in names:
            one, other = ((tmp_path / folder / name).read_bytes() for folder in ("whole", "some"))
            assert one == other
        assert some["splits"][split] == whole["splits"][split]
    train = [
        record
        for shard in oracle.read_records(tmp_path / "whole", "train").values()
        for record in shard
    ]
    expected = [sampled(record) for record in train]
    left = [record for record in expected if record is not None]
    assert records(tmp_path / "some", "train") == collections.Counter(map(comparable, left))
    lost = len(expected) - len(left)
    clicks = [click for record in train for click in record["click"]]
    shown = sum(len(record["click"]) for record in left)
    counts = some["counts"]
    assert 0 < lost < len(train)
    assert counts["downsampling"] == {
        "negatives": clicks.count(0),
        "kept": shown - clicks.count(1),
        "requests_dropped": lost,
        "positives": {
            "like": sum(
                like
                for record in train
                for click, like in zip(record["click"], record["like"], strict=True)
                if not click
            )
        },
    }
    assert counts["dropped"]["downsampled"] == len(clicks) - shown
    assert some["splits"]["train"]["positives"]["click"] == clicks.count(1)
    assert some["splits"]["train"]["candidates"] == shown
    assert add_up(some) == counts["read"] == add_up(whole)
    assert some["parameters"]["downsample_negatives"] == f"click={RATE}"
    assert "downsample_negatives" not in whole["parameters"]
    assert some["schema"]["downsampling"] == {"label": "click", "rate": RATE}
    assert "downsampling" not in whole["schema"]
    examples = ExampleSet.open(str(tmp_path / "some"))
    assert examples.downsampling("train") == Downsampling("click", RATE)
    assert examples.downsampling("validation") is None
    shown_items = {item for record in left for item in record["candidate_item_id"]}
    assert set(examples.vocabulary().tolist()) == shown_items


def test_neither_partitions_nor_files_nor_the_order_of_rows_decide(tmp_path):
    rows = two_labels(1, request_ids=True)
    # Rows of distinct times, so that their order decides nothing else.
    rows = [{**row, "timestamp": 1_000_000 + 3 * number} for number, row in enumerate(rows)]
    values = {**VALUES, "downsample_negatives": f"click={RATE}", "max_candidates": 3}
    first = logs.write_log(tmp_path / "a", rows)
    one = build_examples(options(first, tmp_path / "one", partitions=1, **values))
    other = logs.write_log(tmp_path / "b", rows[::-1], files=3, row_group_size=50)
    many = build_examples(options(other, tmp_path / "many", partitions=4, **values))
    for split in ("train", "validation", "test"):
        assert records(tmp_path / "one", split) == records(tmp_path / "many", split)
    assert one["counts"] == many["counts"]
    assert one["counts"]["dropped"]["downsampled"] > 100


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"downsample_negatives": "like=0.1"}, "names 'like', but the labels are .'click'."),
        ({"downsample_negatives": "click=2"}, "LABEL=SHARE"),
        (
            {"downsample_negatives": "click=0.1", "negatives": "uniform:2"},
            "downsample_negatives and negatives do not go together",
        ),
        (
            {"downsample_negatives": "click=0.1", "splits": "early:..5,late:5.."},
            "the split 'train', but splits has .'early', 'late'.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, log, values, message):
    with pytest.raises(UserInputError, match=message):
        options(log, tmp_path / "out", **values)


def test_parts_hold_the_same_share(tmp_path):
    rows = [
        {**row, "timestamp": number} for number, row in enumerate(two_labels(2, request_ids=False))
    ]
    days = [logs.write_log(tmp_path / f"day{n}", rows[200 * n : 200 * n + 200]) for n in range(2)]
    values = {"splits": "train:..500,test:500..", "partitions": 2}
    for number, day in enumerate(days):
        rule = {"downsample_negatives": f"click={RATE}"}
        parts = build_examples(options(day, tmp_path / "out", part=f"d{number}", **values, **rule))
    assert parts["counts"]["downsampling"]["negatives"] > parts["counts"]["downsampling"]["kept"]
    assert parts["schema"]["downsampling"]["rate"] == RATE
    for other in ({}, {"downsample_negatives": "click=0.5"}):
        with pytest.raises(UserInputError, match="was made otherwise"):
            build_examples(options(days[1], tmp_path / "out", part="d2", **values, **other))
