"""Models train, evaluate and export from the command line, on full records.

One of each kind: of ids alone, with an attention of its own, with vectors and a training before the
training, and the default. The others are in `tests.models.test_model_zoo` and, exported, in
`tests.serving_signatures.export.test_every_model`.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from tests import job_processes
from tests.pipeline.training_runs import every_model

MODELS = ("id_only", "early_fusion", "make", "dmf")
WITHOUT_CONTENT = {"id_only"}
MEASURED = {"make", "dmf"}
"""Models whose attention weights behaviors one by one, and which read content."""

PRELOADED = (
    *job_processes.SHARED,
    *("models.training.fit", "pipeline.training_runs.training_run", "serving_signatures.export"),
)
FAILING = "tests.pipeline.training_runs.failing_diagnostics"


def run(commands):
    return job_processes.run(commands, preload=PRELOADED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The tables, and the records that they make."""
    folder = tmp_path_factory.mktemp("every_model")
    every_model.write_tables(folder)
    (joined,) = run([every_model.join(folder)])
    assert joined.code == 0, joined.stderr
    return folder


@pytest.mark.slow(seconds=20)
@pytest.mark.parametrize("model", MODELS)
def test_a_model_trains_evaluates_and_exports(folder, model):
    export = every_model.export(folder, model)
    if model not in WITHOUT_CONTENT:
        export += every_model.embeddings(folder)
    steps = [every_model.train(folder, model), every_model.evaluate(folder, model), export]
    for (module, *_), outcome in zip(steps, run(steps), strict=True):
        assert outcome.code == 0, f"{module}: {outcome.stderr}"
        assert "Left out" not in outcome.stderr, "a diagnostic failed"
        if module == "pipeline.evaluate":
            evaluation = outcome
    trained = folder / "models" / model
    attention = json.loads((trained / "attention.json").read_text())
    measured = set(every_model.MODALITIES) if model in MEASURED else set()
    assert set(attention["attention_mass"]) == measured
    for one in attention["attention_mass"].values():
        assert np.sum(one["mass"]) == pytest.approx(1, abs=1e-5)
    assert (trained / "report.html").is_file() and not (trained / "backup").exists()
    metrics = json.loads(evaluation.stdout)
    assert metrics["split"] == "test" and set(metrics["labels"]) == {"conversion"}
    assert metrics["auc"] is not None and metrics["labels"]["conversion"]["auc"] is not None
    written = json.loads((trained / "metrics" / "test.json").read_text())
    assert written["auc"] == metrics["auc"]
    table = [line.split()[0] for line in evaluation.stderr.splitlines() if "." in line]
    assert {"click", "conversion"} <= set(table)
    version = folder / "serving" / model / "1"
    extra = json.loads((version / "assets.extra" / "manifest.json").read_text())
    assert extra["parity"]["max_abs_diff"] <= 1e-5
    assert len(extra["parity"]["signatures"]) == (5 if model == "dmf" else 2)


@pytest.mark.slow(seconds=20)
def test_diagnostics_that_all_fail_end_no_training(folder):
    command = every_model.train(folder, "dmf", FAILING)
    command[2] = f"--model_dir={folder / 'models' / 'failing'}"
    evaluation = every_model.evaluate(folder, "failing")
    trained, evaluated = run([command, evaluation])
    assert trained.code == 0, trained.stderr
    for what in (
        "TensorBoard from here on",
        "TensorBoard's attention of evaluation 1",
        "TensorBoard's attention_bias of evaluation 2",
        "TensorBoard's embedding_norm/item_id of evaluation 1",
        "progress from here on",
        "bucket effect",
        "attention mass",
        "the report's attention section",
        "the report's headline",
    ):
        assert f"Left out: {what} (ZeroDivisionError in " in trained.stderr
    assert "planted" in trained.stderr and "Traceback" not in trained.stderr
    assert evaluated.code == 0, evaluated.stderr
    assert json.loads(evaluated.stdout)["auc"] is not None
