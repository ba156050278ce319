"""The gate on real exports: what it scores is what evaluation scores, and promotion obeys it."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from features.errors import UserInputError
from features.files import manifest
from models import factory
from models.evaluation import metrics, scoring
from models.inputs import input_pipeline
from models.inputs.example_set import ExampleSet
from models.model_config import ModelConfig
from pipeline.releases.model_versions import ModelVersions
from pipeline.version_gate import gate as gates
from pipeline.version_gate import held_out
from pipeline.version_gate.options import GateLimits, GateOptions
from serving_signatures.signatures import ServingSignatures
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.loaded_version import LoadedVersion
from tests import quick_python, synthetic

CONFIG = ModelConfig(
    name="id_only",
    embedding_width=8,
    head_width=8,
    hidden=(16,),
    side_buckets=16,
    conversion_label="conversion",
)
LIMITS = GateLimits(min_users=30, max_ne=2, calibration_band=9, metrics=("auc", "gauc", "ne"))
SMALL_PAIRS = 20_000
"""So few that a batch of evaluation is larger."""


def new_model(seed, schema=synthetic.SCHEMA):
    keras.utils.set_random_seed(seed)
    return factory.build_model(CONFIG, schema, synthetic.item_ids()[:-5])


def train(model, examples):
    optimizer = keras.optimizers.Adam(0.01)
    step = tf.function(lambda batch: _step(model, optimizer, batch))
    for _ in range(6):
        for batch in input_pipeline.training_batches(examples, "train", 512, 500, 0):
            step(batch)


def _step(model, optimizer, batch):
    with tf.GradientTape() as tape:
        loss = model.compute_loss(batch, training=True)
    variables = model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


def publish(folder, model, max_pairs=20_000_000):
    """Publishes a model as an export does, without the process that compares signatures."""
    signatures = ServingSignatures(model, None, max_pairs)
    versions = ExportFolder(str(folder))
    with versions.workspace() as workspace:
        saved_model = os.path.join(workspace, "saved_model")
        tf.saved_model.save(signatures.module(), saved_model, signatures.functions)
        return versions.publish(
            saved_model,
            {
                "schema": model.schema.of_requests.to_dict(),
                "label": model.label,
                "tags": {},
                "max_pairs": max_pairs,
            },
        ).number


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records") / "examples"
    splits = {"train": 500, "validation": 100, "test": 300}
    return synthetic.write_example_set(str(folder), splits=splits)


@pytest.fixture(scope="module")
def trained(examples):
    model = new_model(0)
    train(model, examples)
    return model


@pytest.fixture(scope="module")
def world(tmp_path_factory, trained):
    """Versions: 1 and 2 are the trained model, 3 knows nothing, 4 forgot what a conversion is."""
    folder = tmp_path_factory.mktemp("serving") / "ctr"
    publish(folder, trained)
    publish(folder, trained, SMALL_PAIRS)
    publish(folder, new_model(1))
    forgetful, other = new_model(0), new_model(2)
    for mine, theirs in zip(forgetful.variables, trained.variables, strict=True):
        mine.assign(theirs)
    layers = forgetful.conversion_head, other.conversion_head
    for mine, theirs in zip(*(layer.variables for layer in layers), strict=True):
        mine.assign(-5 * theirs)
    publish(folder, forgetful)
    return folder


def options(world, examples, version, champion=None, **changes):
    given = GateOptions(str(world), examples.folder, version, champion, limits=LIMITS)
    return dataclasses.replace(given, resamples=50, **changes)


def figures(verdict, task="click"):
    (found,) = [one for one in verdict.values["scopes"] if (one["task"], one["slicing"]) == (
        task, "")]  # fmt: skip
    return found["figures"]


@pytest.mark.slow(seconds=40)
def test_the_figures_are_those_of_the_evaluation(world, examples, trained):
    verdict = gates.gate(options(world, examples, 1))
    assert verdict.passed and verdict.champion is None
    scored = scoring.score(trained, examples, "test")
    conversion = scored.conversions["conversion"]
    for task, label, scores in (
        ("click", scored.label, scored.probability),
        ("conversion", conversion.label, conversion.probability),
    ):
        found, expected = figures(verdict, task), metrics.summarize(label, scores, scored.user_id)
        for name in ("auc", "gauc", "ne", "calibration"):
            assert found[name]["challenger"] == pytest.approx(expected[name], abs=1e-5)
            assert found[name]["champion"] is None and found[name]["loss"] is None
    assert {one["slicing"] for one in verdict.values["scopes"]} == {
        *("", "history_length", "item_train_count", "similarity_text", "similarity_image")
    }
    assert verdict.values["examples"] == {
        "fingerprint": examples.fingerprint,
        "manifest_sha256": gates._manifest_sha256(examples.folder),
        "part": None,
        "split": "test",
    }
    # The same question has its answer on disk; another one is asked anew.
    written = os.stat(verdict.path).st_mtime_ns
    assert gates.gate(options(world, examples, 1)) == verdict
    assert os.stat(verdict.path).st_mtime_ns == written
    strict = dataclasses.replace(LIMITS, min_users=10_000)
    again = gates.gate(dataclasses.replace(options(world, examples, 1), limits=strict))
    assert not again.passed and "at least 10,000 are needed" in again.reasons[0]


@pytest.mark.slow(seconds=40)
def test_from_a_tie_to_stable_while_the_worse_ones_stay_out(world, examples):
    versions = ModelVersions(str(world))
    gates.gate(options(world, examples, 1))
    versions.promote(1, "stable")
    tie = gates.gate(options(world, examples, 2))
    assert tie.passed and tie.champion == 1
    assert all(one["loss"] == pytest.approx(0, abs=1e-6) for one in figures(tie).values())
    worse = gates.gate(options(world, examples, 3))
    assert any(one.startswith("click: AUC is 0.") for one in worse.reasons)
    forgetful = gates.gate(options(world, examples, 4))
    assert forgetful.reasons
    assert all(one.startswith("conversion") for one in forgetful.reasons)
    assert figures(forgetful)["auc"]["loss"] == pytest.approx(0, abs=1e-6)
    for version in (3, 4):
        versions.promote(version)
        with pytest.raises(UserInputError, match=f"gate refused version {version} against"):
            versions.promote(version, "canary")
    versions.promote(2)
    versions.promote(2, "canary")
    assert "stable: 1 -> 2" in versions.promote(2, "stable")
    with pytest.raises(UserInputError, match="Version 2 would be compared with itself"):
        gates.gate(options(world, examples, 2))


@pytest.mark.slow(seconds=40)
def test_the_command_shows_the_figures_and_ends_with_2(world, examples):
    command = (
        *("pipeline.gate", f"--export_dir={world}", f"--examples={examples.folder}"),
        *("--limit=min_users=30", "--limit=max_ne=2", "--limit=calibration_band=9"),
        *("--champion=1", "--limit=metrics=auc,gauc,ne"),
    )
    done = quick_python.run_job(*command, "--version=2")
    assert done.returncode == 0, done.stderr
    head, first, *_, last = done.stdout.splitlines()
    assert head.split()[:6] == ["label", "slice", "users", "positives", "judges", "auc"]
    assert first.split()[:2] == ["click", "all"] and first.split()[6] == "0.0000"
    assert last.startswith("Version 2: passed against 1. Record: ")
    done = quick_python.run_job(*command, "--version=3")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "Error: The gate refused version 3:\n  click: AUC is 0." in done.stderr
    done = quick_python.run_job(*command, "--limit=lost=1", "--only_check_args")
    assert done.returncode == 2 and "lost" in done.stderr and "slice_certain_loss" in done.stderr


@pytest.mark.slow(seconds=20)
def test_a_version_that_does_not_score_is_refused_with_its_words(tmp_path, examples, trained):
    model = new_model(0)
    for mine, theirs in zip(model.variables, trained.variables, strict=True):
        mine.assign(theirs)
    model.head.variables[0].assign(np.nan * model.head.variables[0])
    publish(tmp_path / "ctr", model)
    verdict = gates.gate(options(tmp_path / "ctr", examples, None))
    (reason,) = verdict.reasons
    assert reason.startswith("The records cannot be scored by version 1: ")
    assert "click is not a number" in reason
    assert json.loads(Path(verdict.path).read_text())["passed"] is False


@pytest.mark.slow(seconds=20)
@pytest.mark.guarantee("replaced", "gate")
def test_records_of_another_schema_and_a_version_replaced_meanwhile_are_refused(
    tmp_path, examples, trained, monkeypatch
):
    schema = dataclasses.replace(synthetic.SCHEMA, history_length=5)
    other = synthetic.write_example_set(str(tmp_path / "other"), schema, {"train": 9, "test": 9})
    folder = tmp_path / "ctr"
    publish(folder, trained)
    with pytest.raises(UserInputError, match="was trained with the schema"):
        gates.gate(options(folder, other, 1))

    def replaced(*arguments):
        values = manifest.read_manifest(str(folder / "1" / "assets.extra"))
        manifest.write_manifest(str(folder / "1" / "assets.extra"), {**values, "created": "now"})
        return held_out.HeldOut(np.zeros(0, np.int64), {})

    monkeypatch.setattr(held_out, "score", replaced)
    with pytest.raises(UserInputError, match=r"Version 1 in .* was replaced while it was compared"):
        gates.gate(options(folder, examples, 1))
    assert not (folder / "gates").exists()


@pytest.mark.slow(seconds=10)
def test_of_many_users_some_are_drawn_with_all_of_their_candidates(examples, world):
    version = LoadedVersion.open(str(world / "1"))
    counts = scoring.train_counts(examples)
    every = held_out.score([version], examples, "test", counts, 50_000)
    drawn = held_out.score([version], examples, "test", counts, 20)
    users = np.unique(drawn.user_id)
    assert len(users) == 20
    chosen = np.isin(every.user_id, users)
    assert chosen.sum() == len(drawn.user_id) < len(every.user_id)
    np.testing.assert_array_equal(
        every.tasks["click"].challenger[chosen], drawn.tasks["click"].challenger
    )
    for slicing, slices in every.slices.items():
        for name, one in slices.items():
            np.testing.assert_array_equal(one[chosen], drawn.slices[slicing][name])


def test_the_newest_split_of_the_records_is_scored(tmp_path, examples):
    assert held_out.open_records(examples, None, None) == (examples, "test")
    assert held_out.open_records(examples, None, "validation")[1] == "validation"
    folder = str(tmp_path / "days")
    without = synthetic.write_example_set(folder, splits={"train": 40, "validation": 12})
    assert held_out.open_records(without, None, None)[1] == "validation"
    with pytest.raises(UserInputError, match="no records in split 'test'"):
        held_out.open_records(without, None, "test")


def as_parts(folder, splits):
    """A data set of one part with these splits."""
    part = synthetic.write_example_set(f"{folder}/part=d1", splits=splits)
    values = part.manifest
    below = {f"part=d1/{name}": entry for name, entry in values["shards"].items()}
    named = {
        name: {**one, "shards": [f"part=d1/{shard}" for shard in one["shards"]]}
        for name, one in values["splits"].items()
    }
    vocabulary = {f"part=d1/{name}": one for name, one in values["vocabulary"].items()}
    manifest.write_manifest(
        folder,
        {**values, "shards": below, "splits": named, "vocabulary": vocabulary, "parts": ["d1"]},
    )
    return ExampleSet.open(folder)


def test_of_a_part_is_scored_what_its_training_held_out(tmp_path):
    days = as_parts(str(tmp_path / "days"), {"train": 60})
    opened, split = held_out.open_records(days, "d1", None)
    assert split == "validation"
    assert len(opened.shards("validation")) == 1 and len(opened.shards("train")) == 2
    assert len(held_out.train_counts(days, opened)[0])
    late = as_parts(str(tmp_path / "late"), {"train": 30, "test": 20})
    opened, split = held_out.open_records(late, "d1", None)
    assert split == "test" and len(opened.shards("train")) == 3
    with pytest.raises(UserInputError, match="'d9' is not in"):
        held_out.open_records(late, "d9", None)
