import hashlib
import os
import subprocess
import sys

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.embeddings.embedding_set import read_embedding_set
from features.errors import UserInputError
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.simulation.settings import START, MarketplaceSettings, parse_modalities
from pipeline.simulation.simulation import simulate
from tests.pipeline.simulation.simulated import SMALL, Log, small
from tests.test_layout import REPOSITORY

ALWAYS = np.iinfo(np.int64).min


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return Log.simulate(tmp_path_factory.mktemp("inline") / "log")


@pytest.fixture(scope="module")
def separate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("separate") / "log"
    return Log.simulate(folder, label_events="separate")


def files(folder):
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                digest = hashlib.sha256(file.read()).hexdigest()
            found[os.path.relpath(path, folder)] = digest
    return found


def test_same_parameters_give_the_same_bytes(log, tmp_path):
    again = Log.simulate(tmp_path / "log")
    assert files(again.folder) == files(log.folder)


def test_every_file_is_in_the_manifest(log, separate):
    for one in (log, separate):
        there = files(one.folder)
        del there["manifest.json"]
        assert one.manifest["sha256"] == there


def test_another_seed_gives_another_world(log, tmp_path):
    other = Log.simulate(tmp_path / "log", seed=1)
    ours, theirs = log.manifest["sha256"], other.manifest["sha256"]
    assert [name for name in ours if ours[name] == theirs.get(name)] == []


def test_the_log_does_not_depend_on_rows_per_file(log, tmp_path):
    one = Log(str(tmp_path / "one"), simulate(str(tmp_path / "one"), small()))
    for name in ("impressions", "truth"):
        assert len(os.listdir(log.path(name))) > len(os.listdir(one.path(name))) == 1
        assert log.table(name).equals(one.table(name))
    assert log.json("truth.json") == one.json("truth.json")


def test_counts_and_requests(log):
    shown = log.columns("impressions")
    assert len(shown["item_id"]) == SMALL["events"] == log.manifest["counts"]["impressions"]
    request = shown["request_id"]
    assert np.array_equal(np.unique(request), np.arange(request[-1] + 1))
    sizes = np.bincount(request)
    assert set(sizes[:-1]) == set(range(1, 8))
    starts = np.cumsum(sizes) - sizes
    assert np.array_equal(shown["position"], np.arange(len(request)) - starts[request])
    for name in ("user_id", "timestamp", "device"):
        assert np.array_equal(shown[name], shown[name][starts][request])
    # A request's time is its own: nothing happens at the same instant.
    assert np.all(np.diff(shown["timestamp"][starts]) > 0)
    pairs = request * SMALL["items"] + shown["item_id"] - 1
    assert len(np.unique(pairs)) == len(pairs)
    for path in sorted(os.listdir(log.path("impressions"))):
        part = pq.read_table(log.path("impressions", path), columns=["position"])
        assert part["position"][0].as_py() == 0, "no request is cut by the end of a file"


def test_users_are_skewed_and_days_have_a_rhythm(log):
    shown = log.columns("impressions")
    by_user = np.sort(np.bincount(shown["user_id"]))[::-1]
    assert by_user[:20].sum() > 5 * by_user.sum() * 20 / SMALL["users"]
    hours = (shown["timestamp"] - START) // 3_600_000
    assert hours.max() < 24 * SMALL["days"] + 1
    by_hour = np.bincount(hours % 24, minlength=24)
    assert by_hour.max() > 2 * by_hour.min() > 0
    by_day = np.bincount(hours // 24)[: SMALL["days"]]
    np.testing.assert_allclose(by_day, SMALL["events"] / SMALL["days"], rtol=0.01)


def test_no_event_precedes_its_item(log):
    shown, items = log.columns("impressions"), log.columns("items")
    created = items["created_at"][shown["item_id"] - 1]
    assert np.all(created <= shown["timestamp"])
    cold = created >= START
    assert 0.02 < cold.mean() < SMALL["cold_fraction"]
    first_shown = np.full(SMALL["items"], np.iinfo(np.int64).max)
    np.minimum.at(first_shown, shown["item_id"] - 1, shown["timestamp"])
    waits = (first_shown - items["created_at"])[items["created_at"] >= START]
    assert np.median(waits) < 6 * 3_600_000, "cold items must be shown soon after creation"


def test_separate_label_events_are_the_inline_labels(log, separate):
    inline = log.table("impressions")
    assert separate.table("impressions").equals(inline.drop_columns(["click", "conversion"]))
    assert separate.table("truth").equals(log.table("truth"))
    assert (
        log.table("truth")
        .select(["click", "conversion"])
        .equals(inline.select(["click", "conversion"]))
    )
    keys = ["request_id", "user_id", "item_id"]
    before = {}
    for label, folder in (("click", "clicks"), ("conversion", "conversions")):
        events = separate.table(folder)
        wanted = inline.filter(pc.equal(inline[label], 1))
        distinct = events.group_by(keys).aggregate([("timestamp", "min")])
        assert 1.01 < len(events) / len(distinct) < 1.03
        joined = wanted.select([*keys, "timestamp"]).join(distinct, keys, join_type="full outer")
        assert len(joined) == len(wanted) == len(distinct)
        delay = pc.subtract(joined["timestamp_min"], joined["timestamp"]).to_numpy()
        assert delay.min() > 0
        late = np.mean(delay > 30 * 60_000)
        assert 0.01 < late < 0.2
        times = events["timestamp"].to_numpy()
        assert np.all(np.diff(times) >= 0)
        before[label] = distinct
    both = before["conversion"].join(before["click"], keys, right_suffix="_click")
    assert pc.min(pc.subtract(both["timestamp_min"], both["timestamp_min_click"])).as_py() > 0
    assert separate.manifest["counts"]["clicks"] == len(separate.table("clicks"))


def test_embeddings_arrive_with_their_items(log):
    created = log.columns("items")["created_at"]
    covered = []
    for modality, width in SMALL["modalities"].items():
        one = read_embedding_set(log.path("embeddings", modality))
        assert one.dimension == width
        assert not one.rejected
        item_created = created[one.item_ids - 1]
        expected = np.where(item_created >= START, item_created * 1000, ALWAYS)
        assert np.array_equal(one.available_at[:-1], expected)
        share = 1 - len(one.item_ids) / SMALL["items"]
        assert abs(share - SMALL["missing_embeddings"]) < 0.03
        covered.append(set(one.item_ids.tolist()))
    assert covered[0] != covered[1]


def test_the_join_takes_every_row(tmp_path):
    log = Log.simulate(tmp_path / "log", events=10_000)
    options = JoinOptions.from_dict(
        {
            "events": log.path("impressions"),
            "items": log.path("items"),
            "users": log.path("users"),
            "embeddings": {name: log.path("embeddings", name) for name in SMALL["modalities"]},
            "labels": ("click", "conversion"),
            "context": ("device", "position:numeric"),
            "timestamp_unit": "ms",
            "output": str(tmp_path / "examples"),
            "max_bad_fraction": 0.0,
        }
    )
    joined = build_examples(options)
    assert joined["counts"]["quarantined"] == {}
    assert set(joined["counts"]["dropped"].values()) == {0}
    assert joined["counts"]["read"] == joined["counts"]["written"] == 10_000
    shown = log.table("impressions")
    splits = joined["splits"].values()
    assert sum(one["requests"] for one in splits) == len(pc.unique(shown["request_id"]))
    for label in ("click", "conversion"):
        assert sum(one["positives"][label] for one in splits) == pc.sum(shown[label]).as_py()


def test_a_finished_log_is_found_and_another_refused(tmp_path):
    folder = str(tmp_path / "log")
    first = simulate(folder, small(events=1000))
    written = os.stat(os.path.join(folder, "manifest.json")).st_mtime_ns
    assert simulate(folder, small(events=1000)) == first
    assert os.stat(os.path.join(folder, "manifest.json")).st_mtime_ns == written
    with pytest.raises(UserInputError, match="seed was 0, now 7"):
        simulate(folder, small(events=1000, seed=7))


def test_a_log_from_before_there_were_kinds_is_found(tmp_path):
    folder = str(tmp_path / "log")
    first = simulate(folder, small(events=1000))
    assert "content" not in first["parameters"]
    assert simulate(folder, small(events=1000, content="interaction")) == first
    with pytest.raises(UserInputError, match="content was None, now 'additive'"):
        simulate(folder, small(events=1000, content="additive"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"content": "gated"}, "--content: .*'interaction', 'additive' or 'none'"),
        ({"items": 30, "candidates": 8}, "requests of up to 15 distinct candidates want 60"),
        ({"events": 10**9, "days": 1}, "Use --days=12 or more"),
        ({"events": 0}, "--events: .*greater than 0"),
        ({"cold_fraction": 0.99}, "--cold_fraction"),
        ({"modalities": {"Text": 3}}, "--modalities"),
        ({"seed": -1}, "--seed"),
    ],
)
def test_settings_that_cannot_be(changes, message):
    with pytest.raises(UserInputError, match=message):
        small(**changes)


@pytest.mark.parametrize("text", ["text", "text:", "text:-3", "text:x"])
def test_modalities_that_cannot_be(text):
    with pytest.raises(UserInputError, match="name:dimension"):
        parse_modalities([text])


def test_modality_given_twice():
    assert parse_modalities(["text:8", "image:4"]) == {"text": 8, "image": 4}
    with pytest.raises(UserInputError, match="each name once"):
        parse_modalities(["text:8", "text:4"])


def test_smallest_marketplace(tmp_path):
    settings = MarketplaceSettings(
        events=1, users=1, items=4, candidates=1, modalities={"text": 1}, cold_fraction=0
    )
    counts = simulate(str(tmp_path / "log"), settings)["counts"]
    assert counts["impressions"] == counts["truth"] == counts["users"] == 1
    assert counts["items"] == 4


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "pipeline.simulate", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_command(tmp_path):
    arguments = ["--events=3000", "--items=400", "--users=50", "--modalities=text:8"]
    done = run(f"--output={tmp_path / 'log'}", *arguments, "--label_events=separate")
    assert done.returncode == 0, done.stderr
    assert "ids_alone" in done.stderr
    assert sorted(os.listdir(tmp_path / "log" / "embeddings")) == ["text"]
    assert pq.read_table(tmp_path / "log" / "clicks").num_rows > 100


def test_command_refuses_in_words(tmp_path):
    done = run(f"--output={tmp_path / 'log'}", "--modalities=text")
    assert done.returncode == 2
    assert "name:dimension" in done.stderr
    assert "Traceback" not in done.stderr
    assert not os.path.exists(tmp_path / "log")


def test_by_price_a_request_shows_the_dearest_first_and_positions_count_as_told(tmp_path):
    log = Log.simulate(tmp_path / "log", order="price", position_effect=2.0)
    shown, items = log.columns("impressions"), log.columns("items")
    price = items["price"][np.argsort(items["item_id"])][shown["item_id"] - 1]
    same = np.diff(shown["request_id"]) == 0
    assert (np.diff(price)[same] <= 0).all() and (np.diff(price)[same] < 0).mean() > 0.9
    chance = log.columns("truth")["click_probability"]
    assert chance[shown["position"] == 0].mean() > 3 * chance[shown["position"] == 3].mean()
