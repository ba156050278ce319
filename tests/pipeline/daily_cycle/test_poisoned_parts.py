"""A part that something is wrong with stops at the step that sees it, and what served serves on."""

import json
import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.embeddings import embedding_set
from features.files import manifest
from pipeline.daily_cycle.ledger import Ledger
from pipeline.simulation.settings import MarketplaceSettings
from pipeline.simulation.simulation import simulate
from serving_signatures.versions.rollout import Rollout
from tests import quick_python
from tests.pipeline.daily_cycle import daily_log

FIRST, SECOND, THIRD = "2024-01-05", "2024-01-06", "2024-01-07"
CONFIG = {
    "work": "work",
    "events": "log/{part}/",
    "embeddings": {"text": "text"},
    "items": "market/items",
    "request_log": "requests",  # Nobody sends any here.
    "join": {
        "timestamp_unit": "ms",
        "splits": "train:..2030-01-01,test:2030-01-01..",
        "partitions": 8,
        "statistics": ["click"],
    },
    "model": {"name": "id_only", "hidden": (32,)},
    "training": {"epochs": 2},
    "update": {"epochs": 1},
    "export": {"batch_sizes": (1,)},
    "settling_parts": 1,
    "gate": daily_log.OPEN_GATE,
}


def cycle(folder, part, *settings):
    path = folder / "production.json"
    path.write_text(json.dumps(CONFIG))
    given = [f"--set={one}" for one in settings]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = quick_python.run_job(
        "pipeline.cycle", f"--config={path}", f"--part={part}", *given, cwd=folder, env=environment
    )
    assert "Left out: report" not in done.stderr
    return done


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A market of seven days: five are the first part, the sixth is the second."""
    folder = tmp_path_factory.mktemp("grown")
    sizes = {"events": 105_000, "users": 1_500, "items": 600, "days": 7, "cold_fraction": 0.05}
    settings = MarketplaceSettings.from_dict({**sizes, "modalities": {"text": 16}})
    simulate(str(folder / "market"), settings)
    shutil.copytree(folder / "market" / "embeddings" / "text", folder / "text")
    days = daily_log.split_by_day(folder / "market" / "impressions", folder / "log")
    for day in days[:4]:
        os.rename(
            folder / "log" / day / "part-0.parquet", folder / "log" / FIRST / f"{day}.parquet"
        )
        os.rmdir(folder / "log" / day)
    # The first part is five days long, so its numbers of rows are not those of a day.
    for part, *settings in (
        (FIRST,),
        (SECOND, "drift.rows_ratio=9.0", "drift.activity_distance=1"),
    ):
        done = cycle(folder, part, *settings)
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


def flip(folder):
    """Flips the labels of the category that the log shows most."""
    path = folder / "log" / THIRD / "part-0.parquet"
    log, items = pq.read_table(path), pq.read_table(folder / "market" / "items")
    category = dict(zip(items["item_id"].to_pylist(), items["category"].to_pylist(), strict=True))
    shown = np.array([category[one] for one in log["item_id"].to_pylist()])
    names, counts = np.unique(shown, return_counts=True)
    click = log["click"].to_numpy()
    wrong = np.where(shown == names[counts.argmax()], 1 - click, click).astype(np.int8)
    column = log.schema.get_field_index("click")
    pq.write_table(log.set_column(column, "click", pa.array(wrong)), path)


def halve(folder):
    path = folder / "log" / THIRD / "part-0.parquet"
    log = pq.read_table(path)
    pq.write_table(log.slice(0, len(log) // 2), path)


def encode_otherwise(folder, name="simulated-text"):
    """Gives each item the vector of another encoder, which knows nothing of the first one's."""
    vectors = embedding_set.read_embedding_set(str(folder / "text"))
    values = np.random.default_rng(9).standard_normal((len(vectors.item_ids), 16))
    shutil.rmtree(folder / "text")
    embedding_set.write_embedding_set(
        str(folder / "text"), vectors.item_ids, values.astype(np.float32), name, "0"
    )


def encode_by_another_name(folder):
    encode_otherwise(folder, "another")


def state(folder):
    serving = folder / "work" / "serving" / "dmf"
    return (
        dict(Rollout.read(str(serving), "dmf").labels),
        sorted(one.name for one in serving.iterdir() if one.name.isdecimal()),
        manifest.read_manifest(str(folder / "work" / "examples"))["parts"],
    )


@pytest.mark.slow(seconds=60)
@pytest.mark.parametrize(
    ("poison", "settings", "step", "reason"),
    [
        (flip, (), "inspect_log", "label_rate"),
        (flip, ("drift.label_rate=1",), "check_champion", "click, category category_"),
        (halve, (), "inspect_log", "rows_ratio"),
        (encode_by_another_name, (), "join", "the encoder of text was"),
        (encode_otherwise, (), "inspect_examples", "similarity_distance"),
    ],
)
def test_a_poisoned_part_stops_and_what_served_serves_on(
    grown, tmp_path, poison, settings, step, reason
):
    folder = tmp_path / "copy"
    shutil.copytree(grown, folder)
    before = state(folder)
    poison(folder)
    done = cycle(folder, THIRD, *settings)
    assert done.returncode == 2, done.stderr[-3000:]
    assert f"stopped at '{step}'" in done.stderr and reason in done.stderr
    assert state(folder) == before
    assert (folder / "work" / "report" / f"{THIRD}.html").stat().st_size > 1000


@pytest.mark.slow(seconds=150)
def test_a_part_that_was_corrected_is_joined_anew_and_other_settings_train_it_anew(grown, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(grown, folder)
    flip(folder)
    assert cycle(folder, THIRD, "drift.label_rate=1").returncode == 2  # It was joined already.
    shutil.rmtree(folder / "log")
    shutil.copytree(grown / "log", folder / "log")
    refused = cycle(folder, THIRD, "gate.min_users=100000")
    assert refused.returncode == 2 and "min_users" in refused.stderr
    done = cycle(folder, THIRD, "training.seed=7")
    assert done.returncode == 0, done.stderr[-3000:]
    trained = json.loads((folder / "work" / "models" / THIRD / "training.json").read_text())
    assert trained["training"]["seed"] == 7
    records = Ledger(str(folder / "work" / "cycle"), THIRD)
    exported = records.done("export")
    assert exported is not None and exported.outcome["version"] == 4
    assert state(folder)[0]["stable"] == 4
