"""The quality benchmark: what tuning may see, what is done again, and what the output says."""

import dataclasses
import functools
import json
import os
import shutil

import numpy as np
import pytest

from benchmarks.ranking_study import (
    gradient_boosting,
    quality_data,
    quality_protocol,
    quality_report,
    quality_rows,
    quality_trial,
)
from benchmarks.ranking_study.quality_data import DataSet
from benchmarks.ranking_study.quality_protocol import Protocol
from benchmarks.ranking_study.quality_trial import Task
from benchmarks.ranking_study.study import Study
from benchmarks.ranking_study.trial_pool import TrialPool, fingerprint
from features.errors import UserInputError
from features.schema import Downsampling
from models.evaluation import metrics
from models.inputs.example_set import ExampleSet
from models.training.config import TrainingConfig
from pipeline.training_runs import run_config
from tests import synthetic

MODELS = ("popularity", "id_only", "dmf", "gradient_boosting", "dmf_shuffled")
SMALL = {"embedding_width": 4, "head_width": 4, "hidden": [8], "projection_width": 2}
TRAINING = {
    "batch_candidates": 64,
    "epochs": 1,
    "evaluations_per_epoch": 1,
    "shuffle_buffer": 100,
}


class FakePool:
    """Answers tasks without training: validation is best for the second setting of all."""

    def __init__(self, folder):
        self.folder, self.phases = folder, []

    def run(self, tasks, what):
        self.phases.append((what, tasks))
        return [self.outcome(index, task) for index, task in enumerate(tasks)]

    def outcome(self, index, task):
        rng = np.random.default_rng(index)
        label = np.tile([0.0, 1.0], 50).astype(np.float32)
        probability = np.clip(0.3 * label + 0.7 * rng.random(100), 0.01, 0.99).astype(np.float32)
        path = os.path.join(self.folder, f"{len(self.phases)}-{index}.npz")
        user = np.repeat(np.arange(10), 10)
        np.savez(path, user_id=user, item_id=user, label=label, probability=probability)
        figures = metrics.summarize(label, probability, user)
        if task.evaluate == "validation":
            half = task.training_settings.get("learning_rate") == 5e-4
            smaller = task.boosting_settings.get("num_leaves") == 15
            figures["auc"] = figures["gauc"] = 0.9 if half or smaller else 0.5
        trained = {"unit": "passes", "amount": 3.5, "best": 2.0, "reason": "patience"}
        spent = {"seconds": 2.0, "processor_seconds": 1.5}
        result = {"metrics": figures, "parameters": 1, **spent, "predictions": path}
        return result if task.model == "popularity" else {**result, "trained": trained}


def study_of(examples, embeddings, folder, seeds=3, trials=2, names=("global", "user")):
    data = [DataSet(name, examples.folder, embeddings) for name in names]
    config = run_config.load(None, ["training.learning_rate=0.001"])
    pool = FakePool(folder)
    protocol = Protocol(MODELS, seeds, 1, trials, resamples=20)
    return Study(protocol, config, data, pool, folder), pool


@pytest.fixture
def benchmark_of(examples, embeddings, tmp_path):
    return functools.partial(study_of, examples, embeddings, str(tmp_path))


@pytest.fixture(scope="module")
def whole_run(examples, embeddings, tmp_path_factory):
    """The result of a study, and the pool that ran its tasks: to be read only."""
    benchmark, pool = study_of(examples, embeddings, str(tmp_path_factory.mktemp("study")))
    return benchmark.result(), pool


def test_tuning_scores_validation_only_and_every_model_has_the_same_budget(whole_run):
    _, pool = whole_run
    (what, tuning), *finals = pool.phases
    assert what == "tuning"
    assert {task.evaluate for task in tuning} == {"validation"}
    names = [task.model for task in tuning]
    # Two settings on two data sets.
    assert [names.count(name) for name in ("id_only", "dmf", "gradient_boosting")] == [4, 4, 4]
    rates = {
        name: [task.training_settings["learning_rate"] for task in tuning if task.model == name]
        for name in ("id_only", "dmf")
    }
    assert rates["id_only"] == rates["dmf"] == [0.001, 0.001, 0.0005, 0.0005]
    assert len(finals) == 2
    for _, tasks in finals:
        assert {task.evaluate for task in tasks} == {"test"}


def test_the_chosen_setting_is_scored_once_a_seed(whole_run):
    _, pool = whole_run
    for _, tasks in pool.phases[1:]:
        runs = [(task.model, task.seed, task.examples) for task in tasks]
        assert len(set(runs)) == len(runs)
        seeds = [(model, seed) for model, seed, _ in runs]
        assert seeds.count(("popularity", 0)) == 1
        # The control, which has one seed, and then the row itself.
        of_dmf = [task for task in tasks if task.model == "dmf"]
        assert [task.seed for task in of_dmf] == [1, 1, 2, 3]
        assert {task.training_settings["learning_rate"] for task in of_dmf} == {0.0005}
        same = [dataclasses.replace(task, examples="", seed=0) for task in of_dmf]
        assert same == same[:1] * 4
        boosted = [task for task in tasks if task.model == "gradient_boosting"]
        assert {task.boosting_settings["num_leaves"] for task in boosted} == {15}


def test_the_control_reads_other_records(whole_run, examples):
    _, pool = whole_run
    folders = [task.examples for task in pool.phases[1][1] if task.model == "dmf"]
    assert folders[1:] == [examples.folder] * 3
    assert folders[0] != examples.folder
    assert ExampleSet.open(folders[0]).manifest["shuffled"] == 0


def test_the_output_becomes_a_table_and_a_page(whole_run, tmp_path):
    result = json.loads(json.dumps(whole_run[0]))
    lines = quality_report.table(result).splitlines()
    ranks = lines[: 2 + len(MODELS)]
    assert len(lines) == len(ranks) + 5 + 2 * len(MODELS)
    row = next(row for row in result["rows"] if (row["data"], row["model"]) == ("user", "dmf"))
    shown = f"{row['auc_mean']:.4f} / {row['gauc_mean']:.4f} ({row['rank']}"
    assert shown in next(line for line in ranks if line.startswith("| DMF |"))
    line = next(line for line in lines if line.startswith("| user | DMF |"))
    assert f"{row['auc_mean']:.4f} ± {row['auc_std']:.4f}" in line
    assert f"{abs(row['gauc_difference']['relative_percent']):.2f}%" in line
    quality_report.render(result, str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    assert page.count('<svg class="panel"') == 1 + 2 * 5
    assert "vectors shuffled (control)" in page
    assert "2.0 of 3.5 passes (patience)" in page
    assert result["tuning"]["dmf"][1]["data"]["user"]["validation"]["auc"] == 0.9


def test_a_difference_is_paired_by_seed_and_draw(tmp_path):
    pool = FakePool(str(tmp_path))
    pool.phases.append(None)
    tasks = [Task("", "id_only", "test", seed) for seed in (1, 2)]
    outcomes = [pool.outcome(index, task) for index, task in enumerate(tasks)]
    both = {"id_only": outcomes, "dmf": outcomes, "din": outcomes[:1]}
    (_, same, one) = quality_rows.rows("global", both, 30)
    for figure in ("auc", "gauc"):
        assert set(same[f"{figure}_difference"].values()) == {0}
        # A row of fewer seeds is compared with the same ones.
        assert set(one[f"{figure}_difference"].values()) == {0}
    assert same["trained"] == {
        "unit": "passes",
        "amount": 3.5,
        "best": 2.0,
        "reasons": {"patience": 2},
    }
    by_seed = same["auc_by_seed"]
    assert same["auc_std"] == pytest.approx(abs(by_seed[0] - by_seed[1]) / np.sqrt(2))


def test_other_candidates_are_not_compared(tmp_path):
    pool = FakePool(str(tmp_path))
    pool.phases.append(None)
    outcomes = [pool.outcome(i, Task("", "id_only", "test", 1)) for i in range(2)]
    with np.load(outcomes[1]["predictions"]) as found:
        changed = {**found, "item_id": found["item_id"] + 1}
    np.savez(outcomes[1]["predictions"], **changed)
    with pytest.raises(ValueError, match="dmf scored other candidates"):
        quality_rows.rows("global", {"id_only": outcomes[:1], "dmf": outcomes[1:]}, 10)


@pytest.mark.parametrize("model", ["popularity", "gradient_boosting", "id_only"])
@pytest.mark.slow
def test_a_tuning_trial_needs_no_test_split(examples, tmp_path, model):
    folder = tmp_path / "set"
    shutil.copytree(examples.folder, folder)
    for path in examples.shards("test"):
        os.remove(folder / os.path.basename(path))
    training = TRAINING if model == "id_only" else {}
    settings = SMALL if model == "id_only" else {}
    task = Task(str(folder), model, "validation", 1, settings, training)
    result = quality_trial.run(task, str(tmp_path / "out"))
    assert (
        result["metrics"]["candidates"] == examples.manifest["splits"]["validation"]["candidates"]
    )
    assert result["processor_seconds"] > 0
    if model == "popularity":
        assert "trained" not in result
    else:
        trained = result["trained"]
        assert 0 < trained["best"] <= trained["amount"]
        assert trained["reason"] in ("patience", "epochs", "rounds")


def test_a_hidden_split_cannot_be_opened(examples):
    hidden = quality_trial.without_split(examples, "test")
    assert hidden.shards("validation")
    with pytest.raises(UserInputError, match="no records in split 'test'"):
        hidden.shards("test")
    assert examples.shards("test")


def test_popularity_is_the_smoothed_rate(examples, tmp_path):
    result = quality_trial.run(Task(examples.folder, "popularity", "test", 0), str(tmp_path))
    assert 0.5 < result["metrics"]["auc"] < 0.9
    assert result["metrics"]["calibration"] == pytest.approx(1, abs=0.2)


def test_trees_learn_from_content(examples, tmp_path):
    task = Task(examples.folder, "gradient_boosting", "test", 1)
    small = {"min_data_in_leaf": 20, "learning_rate": 0.1}
    result = quality_trial.run(dataclasses.replace(task, boosting_settings=small), str(tmp_path))
    assert result["metrics"]["auc"] > 0.7
    assert any(name.startswith(("text", "image", "all")) for name in result["most_gain"])


@pytest.mark.parametrize(
    "changes", [{"weighted": True}, {"downsampling": Downsampling("click", 0.1)}]
)
def test_trees_refuse_what_they_would_ignore(examples, tmp_path, changes):
    other = dataclasses.replace(examples, schema=dataclasses.replace(examples.schema, **changes))
    with pytest.raises(UserInputError, match="neither weights nor down-sampled negatives"):
        gradient_boosting.train(other, "test", {}, 1, str(tmp_path))


@pytest.mark.slow
def test_what_is_done_is_not_done_again(examples, tmp_path):
    pool = TrialPool(str(tmp_path), workers=2)
    tasks = [Task(examples.folder, "popularity", split, 0) for split in ("validation", "test")]
    first = pool.run(tasks, "first")
    written = [os.stat(one["predictions"]).st_mtime_ns for one in first]
    # One was killed before it was complete.
    os.remove(os.path.join(os.path.dirname(first[1]["predictions"]), quality_trial.RESULT))
    again = pool.run(tasks, "again")
    assert [one["metrics"] for one in again] == [one["metrics"] for one in first]
    assert os.stat(again[0]["predictions"]).st_mtime_ns == written[0]
    assert os.stat(again[1]["predictions"]).st_mtime_ns > written[1]


@pytest.mark.slow
def test_a_failed_trial_stops_the_run_with_its_last_words(examples, tmp_path):
    task = Task(examples.folder, "no_such_model", "validation", 1)
    with pytest.raises(RuntimeError, match=r"(?s)no_such_model with seed 1 ended.*name"):
        TrialPool(str(tmp_path), workers=2).run([task], "broken")
    missing = Task(examples.folder, "popularity", "holdout", 1)
    with pytest.raises(UserInputError, match="no records in split 'holdout'"):
        TrialPool(str(tmp_path), workers=2).run([missing], "broken")


def test_a_fingerprint_is_of_task_data_and_code_but_not_of_places(examples, tmp_path):
    task = Task(examples.folder, "popularity", "validation", 1)
    moved = tmp_path / "elsewhere"
    shutil.copytree(examples.folder, moved)
    assert fingerprint(dataclasses.replace(task, examples=str(moved), cache="x")) == fingerprint(
        task
    )
    others = [
        dataclasses.replace(task, seed=2),
        dataclasses.replace(task, evaluate="test"),
        dataclasses.replace(task, model_settings={"heads": 2}),
        dataclasses.replace(task, model="gradient_boosting"),
    ]
    other_data = synthetic.write_example_set(str(tmp_path / "other"), seed=1)
    others.append(dataclasses.replace(task, examples=other_data.folder))
    assert len({fingerprint(one) for one in (task, *others)}) == 1 + len(others)


def test_data_sets_run_one_at_a_time_make_one_table(benchmark_of, tmp_path, caplog):
    benchmark_of(trials=1, names=("second",))[0].result()
    both = benchmark_of(trials=1, names=("first",))[0].result()
    assert [one["name"] for one in both["data"]] == ["first", "second"]
    assert {row["data"] for row in both["rows"]} == {"first", "second"}
    assert set(both["summary"][0]["ranks"]) == {"first", "second"}
    assert both["tuning"] == {}
    # A second and a half per trial.
    trials = 2 * (1 + 3 + 3 + 3 + 1)
    assert both["processor_hours"] == pytest.approx(1.5 * trials / 3600)
    # Those of another protocol do not belong to the table.
    other = benchmark_of(trials=1, seeds=2, names=("first",))[0].result()
    assert [one["name"] for one in other["data"]] == ["first"]
    assert "Left out, made by another protocol or settings: ['second']" in caplog.text


def test_a_setting_is_chosen_for_all_data_sets(whole_run):
    result, _ = whole_run
    assert result["settings"]["dmf"]["training"]["learning_rate"] == 0.0005
    assert result["settings"]["dmf"]["training"] == result["settings"]["id_only"]["training"]


def test_the_baseline_has_the_seeds_of_every_row():
    with pytest.raises(UserInputError, match="--other_seeds 3 is more than --seeds 2"):
        Protocol(("id_only",), 2, 3, 1)


def test_rows_without_code_or_partner_are_refused():
    quality_protocol.check_models(quality_protocol.default_models())
    for names, message in (
        (["id_only", "nothing"], "nothing"),
        (["dmf"], "expected id_only"),
        (["id_only", "dmf_shuffled"], "setting of dmf"),
        (["id_only", "id_only"], "each once"),
    ):
        with pytest.raises(UserInputError, match=message):
            quality_protocol.check_models(names)


def test_settings_begin_with_the_configuration_itself():
    training = TrainingConfig(learning_rate=0.003, bucket_learning_rate=0.006)
    most = quality_protocol.MOST_TRIALS
    grid = quality_protocol.settings("din", most, training)
    assert grid == quality_protocol.settings("dmf", most, training)
    assert grid[0]["training"] == {"learning_rate": 0.003, "bucket_learning_rate": 0.006}
    assert grid[0]["model"] == {}
    assert len({json.dumps(one) for one in grid}) == most
    assert len(quality_protocol.settings("gradient_boosting", most, training)) == most
    assert len(quality_protocol.settings("popularity", most, training)) == 1


def test_the_join_follows_the_logs_columns():
    import pyarrow as pa

    def of(*names):
        return quality_data.default_join(pa.schema([(name, pa.float32()) for name in names]))

    assert of("rating")["statistics"] == ("liked", "rating")
    assert len(of("rating")["behavior_type"]) == 4
    clicks = of("user_id", "click", "conversion")
    assert clicks["labels"] == ("click", "conversion")
    assert clicks["behavior_type"] == ("click == 1", "conversion == 1")
    with pytest.raises(UserInputError, match="watched"):
        of("watched")


def test_joined_records_keep_their_own_split(examples, tmp_path):
    folder = examples.folder
    for source, name in ((folder, "given"), (f"mine={folder}", "mine")):
        (data,) = quality_data.prepare([source], ["global"], {}, {"text": "x"}, str(tmp_path))
        assert (data.name, data.folder) == (name, os.path.abspath(folder))
