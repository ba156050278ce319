"""A run's folder is enough to train the same weights again, and its report says what it is."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests import synthetic

SMALL = (
    "--set=model.hidden=(8,)",
    "--set=model.embedding_width=4",
    "--set=model.head_width=4",
    "--set=training.batch_candidates=64",
    "--set=training.epochs=1",
    "--set=training.evaluations_per_epoch=2",
    "--set=training.deterministic=True",
)


def _job(job: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", f"pipeline.{job}", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `a`, and the examples that it was trained on beside it."""
    folder = tmp_path_factory.mktemp("reproduced")
    splits = {"train": 120, "validation": 40, "test": 40}
    synthetic.write_example_set(str(folder / "examples"), splits=splits)
    _job("train", f"--examples={folder}/examples", f"--model_dir={folder}/runs/a", *SMALL)
    return folder


def _weights(folder: Path) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(folder / "weights" / "checkpoint"))
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if name.startswith("model/")
    }


@pytest.mark.slow(seconds=50)
def test_the_printed_command_trains_the_same_weights(runs: Path) -> None:
    script = _job("runs", f"--folder={runs}/runs", "--reproduce=a").stdout
    assert "training.deterministic" not in script and "The examples" not in script
    run = ["sh", "-ec", script.replace("python -m", f"{sys.executable} -m")]
    subprocess.run(run, check=True, capture_output=True)
    first, second = _weights(runs / "runs/a"), _weights(runs / "runs/a-reproduced")
    assert len(first) > 20 and first.keys() == second.keys()
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)
    compared = _job("runs", f"--folder={runs}/runs", "--compare=a,a-reproduced").stdout
    # The commit may differ: someone works here while this runs.
    assert not re.search(r"^(model|training|data|embeddings|environment)\b", compared, re.M)
    assert re.search(r"^validation\.auc .* 0\.0000$", compared, re.M)


@pytest.mark.slow(seconds=20)
def test_the_test_split_is_closed_until_evaluate_opens_it_and_other_data_is_not_added(
    runs: Path,
) -> None:
    model = runs / "runs/a"
    files = [path.name for path in (model / "metrics").iterdir()]
    assert files == ["validation.json"]
    assert "; test 0." not in (model / "report.html").read_text()
    output = runs / "metrics.json"
    _job("evaluate", f"--examples={runs}/examples", f"--model_dir={model}", f"--output={output}")
    added = json.loads((model / "metrics/test.json").read_text())
    assert added["auc"] == json.loads(output.read_text())["auc"]
    page = (model / "report.html").read_text()
    assert f"Validation; test {added['auc']:.4f}" in page
    other = synthetic.write_example_set(str(runs / "other"), seed=3)
    run = _job("evaluate", f"--examples={other.folder}", f"--model_dir={model}")
    assert "its report is left as it is" in run.stderr
    assert json.loads((model / "metrics/test.json").read_text()) == added
