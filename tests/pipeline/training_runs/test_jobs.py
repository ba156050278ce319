"""The jobs by their commands: train, evaluate and export what the join wrote."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from features.embeddings import embedding_set
from tests import quick_python, synthetic

SMALL = (
    "--set=model.hidden=(16,)",
    "--set=model.embedding_width=8",
    "--set=model.head_width=8",
    "--set=training.batch_candidates=64",
    "--set=training.learning_rate=0.01",
)


def _run(job: str, *arguments: object) -> subprocess.CompletedProcess:
    return quick_python.run_job(f"pipeline.{job}", *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Joined examples, their embedding sets, and a model trained on them."""
    folder = tmp_path_factory.mktemp("jobs")
    synthetic.write_example_set(str(folder / "examples"))
    for name, one in synthetic.embedding_sets().items():
        vectors = one.quantized[:-1].astype(np.float32)
        embedding_set.write_embedding_set(str(folder / name), one.item_ids, vectors, "e", "1")
    run = _run("train", f"--examples={folder}/examples", f"--model_dir={folder}/model", *SMALL)
    assert run.returncode == 0, run.stderr
    assert "candidates/s" in run.stderr
    return folder


@pytest.mark.slow(seconds=30)
def test_resolved_configuration_stands_beside_the_model(folder: Path) -> None:
    config = json.loads((folder / "model" / "run_config.json").read_text())
    assert config["model"]["hidden"] == [16]
    assert not (folder / "model" / "backup").exists()
    assert list((folder / "model" / "tensorboard").rglob("events*"))


@pytest.mark.slow
def test_evaluate_writes_metrics_by_slice(folder: Path) -> None:
    output = folder / "metrics.json"
    paths = [f"--examples={folder}/examples", f"--model_dir={folder}/model"]
    run = _run("evaluate", *paths, "--split=test", f"--output={output}")
    assert run.returncode == 0, run.stderr
    assert "arning" not in run.stderr and "in checkpoint" not in run.stderr
    metrics = json.loads(output.read_text())
    assert metrics["auc"] > 0.6
    lengths = metrics["slices"]["history_length"]
    assert sum(one["candidates"] for one in lengths) == metrics["candidates"]


@pytest.mark.slow
def test_evaluate_prints_json_and_a_table_below_it(folder: Path) -> None:
    paths = [f"--examples={folder}/examples", f"--model_dir={folder}/model"]
    command = [quick_python.executable(), "-m", "pipeline.evaluate", *paths, "--split=validation"]
    together = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    shown = subprocess.run(command, check=True, **together).stdout
    *_, split, header, row = shown.splitlines()
    assert split == "Split validation" and header.split()[:2] == ["auc", "gauc"]
    begin, end = shown.index("{\n"), shown.rindex("}\n")
    metrics = json.loads(shown[begin : end + 1])
    assert row.split()[:2] == ["click", f"{metrics['auc']:.4f}"]


@pytest.mark.slow
def test_evaluate_says_what_each_path_carries(folder: Path) -> None:
    output = folder / "ablation.json"
    paths = [f"--examples={folder}/examples", f"--model_dir={folder}/model"]
    beside = f"--baseline={folder}/model"
    run = _run("evaluate", *paths, "--ablation", beside, f"--output={output}")
    assert run.returncode == 0, run.stderr
    found = json.loads(output.read_text())["ablation"]
    assert {"content", "attention", "histogram", "item_ids"} < set(found["others"])
    # The same model beside itself, by its folder.
    (name,) = found["baselines"]
    assert found["others"][name]["auc_loss"] == 0
    for sentence in found["findings"]:
        assert sentence in run.stderr
    assert "What carries the model" in (folder / "model" / "report.html").read_text()
    other = _run("evaluate", *paths, f"--baseline={folder}")
    assert other.returncode == 2 and str(folder) in other.stderr


@pytest.mark.slow(seconds=20)
def test_export_holds_the_model_to_held_out_records(folder: Path) -> None:
    arguments = [f"--model_dir={folder}/model", f"--export_dir={folder}/serving"]
    arguments += [f"--examples={folder}/examples"]
    arguments += [f"--embeddings={name}={folder}/{name}" for name in synthetic.embedding_sets()]
    run = _run("export", *arguments)
    assert run.returncode == 0, run.stderr
    extra = json.loads((folder / "serving/1/assets.extra/manifest.json").read_text())
    cases = {name.split("/")[1].split("-")[0] for name in extra["parity"]["differences"]}
    assert len(cases) == 5, "four random shapes and the held-out requests"
    assert extra["parity"]["max_abs_diff"] <= 1e-5
    assert set(extra["tags"]) == {"id_tag", "target_aware_tag"}


@pytest.mark.slow
def test_export_with_one_of_two_embedding_sets_is_refused(folder: Path) -> None:
    arguments = [f"--model_dir={folder}/model", f"--export_dir={folder}/refused"]
    run = _run("export", *arguments, f"--embeddings=text={folder}/text")
    assert run.returncode == 2
    assert "'image': 9" in run.stderr and "Traceback" not in run.stderr
    assert not os.path.exists(folder / "refused") or not os.listdir(folder / "refused")


@pytest.mark.slow(seconds=30)
@pytest.mark.parametrize(("job", "least"), [("train", "0.01"), ("export", "0")])
def test_vectors_whose_ids_became_strings_are_refused_unless_told(folder: Path, job, least) -> None:
    output = folder / f"{job}-{least}"
    arguments = [f"--examples={folder}/examples", f"--min_coverage={least}"]
    if job == "train":
        arguments += [f"--model_dir={output}", "--set=model.name=make", *SMALL]
    else:
        arguments += [f"--model_dir={folder}/model", f"--export_dir={output}"]
    for name, one in synthetic.embedding_sets().items():
        vectors, ids = one.quantized[:-1].astype(np.float32), one.item_ids.astype(str)
        embedding_set.write_embedding_set(str(folder / f"str-{name}"), ids, vectors, "e", "1")
        arguments.append(f"--embeddings={name}={folder}/str-{name}")
    run = _run(job, *arguments)
    assert "0 of 55 items of the vocabulary have a vector" in run.stderr, run.stderr
    if least == "0":
        assert run.returncode == 0, run.stderr
        assert any(output.iterdir())
    else:
        assert run.returncode == 2 and "Traceback" not in run.stderr
        assert not output.exists()


@pytest.mark.parametrize(
    "job", ["train", *(pytest.param(job, marks=pytest.mark.slow) for job in ("evaluate", "export"))]
)
def test_a_folder_that_is_no_data_set_is_reported(job: str, tmp_path: Path) -> None:
    arguments = [f"--model_dir={tmp_path}/model", f"--examples={tmp_path}/examples"]
    if job == "export":
        arguments.append(f"--export_dir={tmp_path}/serving")
    run = _run(job, *arguments)
    assert run.returncode == 2
    assert "manifest.json" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("job", ["train", "evaluate", "inspect_data", "build_vocabulary"])
@pytest.mark.guarantee("damaged", "train", "evaluate", "export")
def test_a_flipped_bit_is_named_and_nothing_is_published(folder: Path, job, tmp_path) -> None:
    shutil.copytree(folder / "examples", tmp_path / "examples")
    split, output = "test" if job == "evaluate" else "train", tmp_path / "output"
    shard = tmp_path / "examples" / f"{split}-00001-of-00003.tfrecord"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 8
    shard.write_bytes(data)
    arguments = [f"--examples={tmp_path}/examples"]
    if job == "train":
        arguments += [f"--model_dir={output}", *SMALL]
    else:
        arguments.append(f"--output={output}")
    if job == "evaluate":
        arguments.append(f"--model_dir={folder}/model")
    run = _run(job, *arguments)
    assert run.returncode == 2, run.stderr
    assert f"{shard.name}' is damaged or another file" in run.stderr
    assert "join again" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (output / "manifest.json").exists() and not output.is_file()


def test_settings_that_were_flags_are_reported_with_their_new_form(tmp_path: Path) -> None:
    paths = [f"--examples={tmp_path}", f"--model_dir={tmp_path}/model"]
    for flag, setting in (("--mixed_precision", "mixed_precision"), ("--nojit_compile", "jit_")):
        run = _run("train", *paths, flag)
        assert run.returncode == 2
        assert f"flag '{flag[2:]}': give --set training.{setting}" in run.stderr
