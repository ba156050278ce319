"""A training on a full or read-only disk ends with a sentence, and goes on when there is room."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from features.files import manifest
from models import trained_model
from tests import faults, quick_python, synthetic

SETTINGS = (
    "--set=model.name=id_only",
    "--set=model.hidden=(256,)",
    "--set=model.embedding_width=8",
    "--set=model.head_width=8",
    "--set=training.batch_candidates=64",
    "--set=training.epochs=1",
    "--set=training.evaluations_per_epoch=3",
    "--set=training.deterministic=True",
)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full") / "examples"
    synthetic.write_example_set(str(folder), splits={"train": 120, "validation": 60, "test": 20})
    return folder


def _train(examples: Path, folder: Path) -> subprocess.CompletedProcess:
    paths = [f"--examples={examples}", f"--model_dir={folder}"]
    return quick_python.run_job("pipeline.train", *paths, *SETTINGS)


def _content(folder: Path) -> tuple[list[np.ndarray], object]:
    model = trained_model.read_trained_model(str(folder))
    history = manifest.read_manifest(str(folder))["training"]["history"]
    return [variable.numpy() for variable in model.variables], history


@pytest.mark.slow(seconds=60)
@pytest.mark.guarantee("full disk", "train")
def test_a_training_on_a_full_disk_goes_on_when_there_is_room(examples, tmp_path):
    assert _train(examples, tmp_path / "model").returncode == 0
    expected, history = _content(tmp_path / "model")
    with faults.small_disk(16) as disk:
        assert not (disk / "model").exists()
        # Room for the first state and part of the second one.
        faults.fill(disk, left=900 << 10)
        full = _train(examples, disk / "model")
        assert full.returncode == 2, full.stderr
        assert "Traceback" not in full.stderr
        assert str(disk / "model") in full.stderr and "no space is left" in full.stderr
        states = list(disk.glob("model/backup/*/states/*.index"))
        assert states and not (disk / "model" / manifest.FILE_NAME).exists()
        faults.fill(disk, left=12 << 20)
        resumed = _train(examples, disk / "model")
        assert resumed.returncode == 0, resumed.stderr
        assert "Resuming after step" in resumed.stderr
        again, rows = _content(disk / "model")
        assert rows == history
        for one, other in zip(expected, again, strict=True):
            np.testing.assert_array_equal(one, other)
        left = [path.name for path in disk.rglob("*") if path.name.endswith((".tmp", "_temp"))]
        assert not left and not (disk / "model/backup").exists()


@pytest.mark.slow
@pytest.mark.guarantee("no write", "train")
def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(examples, tmp_path):
    (tmp_path / "disk").mkdir()
    with faults.read_only(tmp_path / "disk"):
        run = _train(examples, tmp_path / "disk/model")
    assert run.returncode == 2, run.stderr
    assert f"{tmp_path}/disk" in run.stderr and "Traceback" not in run.stderr
    (tmp_path / "file").write_text("mine")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("file", "dangling"):
        run = _train(examples, tmp_path / name)
        assert run.returncode == 2, run.stderr
        assert f"{tmp_path}/{name}" in run.stderr and "Traceback" not in run.stderr
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.slow(seconds=30)
def test_a_link_to_a_folder_is_followed(examples, tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    assert _train(examples, tmp_path / "link").returncode == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target/run.json").is_file()
