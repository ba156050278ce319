"""Running statistics of parts are those of one join of all of them, byte for byte."""

import collections

import pytest

from tests.pipeline.join import oracle
from tests.pipeline.join.event_oracle import freeze
from tests.pipeline.join.growing.late_clicks import World, records, write_vectors

STATISTICS = ("rating", "liked")
SECOND = 1_000_000

CASES = {
    "daily": {},
    # Longer than two parts.
    "long_delay": {"behavior_delay": 250, "behavior_rule": "all"},
    "other_features": {"context": ["device"], "position_column": "place", "weight_column": "worth"},
    "partitions_vary": {"statistics": ("liked", "rating"), "partitions": (8, 1, 3)},
    "sampled": {"downsample_negatives": "liked=0.3"},
}
QUICK = ("daily",)


@pytest.mark.parametrize(
    "case",
    [
        one if one in QUICK else pytest.param(one, marks=pytest.mark.slow(seconds=20))
        for one in CASES
    ],
)
def test_parts_equal_one_join(tmp_path, case):
    world = World(0, parts=7 if case not in QUICK else 5, length=100)
    values = {"statistics": STATISTICS, **CASES[case]}
    world.grown(tmp_path, **values)
    values.pop("partitions", None)
    world.join(tmp_path, None, "whole", **values)
    whole = records(tmp_path / "whole")
    assert sum(whole.values()) > 40
    assert records(tmp_path / "out") == whole


@pytest.mark.slow(seconds=40)
def test_hourly_parts_equal_one_join(tmp_path):
    world = World(3, parts=24, length=60)
    vectors = write_vectors(tmp_path / "text")
    values = {
        "statistics": STATISTICS,
        "behavior_delay": 70,
        "embeddings": {"text": vectors},
        "embedding_strategy": "shuffle",
    }
    world.grown(tmp_path, **values)
    world.join(tmp_path, None, "whole", **values)
    assert records(tmp_path / "out") == records(tmp_path / "whole")


def parsed(folder, begin=0):
    """Returns records from a time on with their label apart, and how many clicks they have."""
    found, clicks = collections.Counter(), 0
    for path in sorted((folder / "examples").rglob("manifest.json")):
        for shard in oracle.read_records(path.parent).values():
            for record in shard:
                if record["timestamp"][0] >= begin * SECOND:
                    clicks += sum(record.pop("click", [0]))
                    found[freeze(record)] += 1
    return found, clicks


@pytest.mark.parametrize("delay", [0, pytest.param(120, marks=pytest.mark.slow(seconds=20))])
def test_late_clicks_count_though_their_records_are_written(tmp_path, delay):
    world = World(0, parts=7 if delay else 5, length=100)
    values = {
        "label_logs": True,
        "statistics": ("click", "rating", "liked"),
        "behavior_delay": delay,
        "labels": ["liked", "click"],
    }
    manifest = world.grown(tmp_path, **values)
    one = world.join(tmp_path, None, "whole", **values)
    (parts, clicks), (whole, all_clicks) = (parsed(tmp_path / name) for name in ("out", "whole"))
    assert parts == whole
    dropped = manifest["counts"]["dropped"]
    lost = dropped["click_after_part"]
    assert lost > 10
    assert manifest["counts"]["attributed"]["click"] == one["counts"]["attributed"]["click"] - lost
    assert dropped["click_duplicate"] == one["counts"]["dropped"]["click_duplicate"]
    assert clicks < all_clicks
    assert "click_after_part" not in one["counts"]["dropped"]


def test_negatives_of_the_last_part_equal_those_of_one_join(tmp_path):
    world = World(1, parts=4, length=100)
    values = {"statistics": STATISTICS, "negatives": "popularity:2", "behavior_delay": 15}
    world.grown(tmp_path, **values)
    world.join(tmp_path, None, "whole", **values)
    (parts, _), (whole, _) = (parsed(tmp_path / name, begin=300) for name in ("out", "whole"))
    assert parts == whole
    assert sum(whole.values()) > 5
