"""Runs are found, sorted, compared; the differences to a repetition are listed."""

import json
import logging
import shlex
from pathlib import Path

import pytest

from features.errors import UserInputError
from features.files import manifest
from pipeline.runtime import environment
from pipeline.training_runs import (
    reproduction,
    run_comparison,
    run_config,
    run_folder,
    run_list,
    run_metrics,
)
from tests import synthetic
from tests.pipeline.training_runs.trained_runs import METRICS, write_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_run(tmp_path / "dmf")
    better = {
        "validation": {**METRICS, "auc": 0.77, "logloss": 0.52, "calibration": 0.97},
        "test": METRICS,
    }
    overrides = ["model.heads=2", "model.hidden=(8, 4)", "training.seed=7"]
    write_run(tmp_path / "sweep/two", overrides, better, started="2026-05-02T10:00:00+00:00")
    (tmp_path / "unfinished/weights").mkdir(parents=True)
    return tmp_path


def rows(text: str) -> dict[str, list[str]]:
    """A table's cells by the first of each row."""
    return {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}


def names(runs) -> list[str]:
    return [one.name for one in runs]


def test_the_newest_is_first_with_metrics_and_what_is_not_the_default(folder: Path) -> None:
    found = run_list.find(str(folder))
    assert names(found) == ["sweep/two", "dmf"]
    table = rows(run_list.describe(found))
    assert table["dmf"][3:8] == ["0.7500", "0.7000", "0.5000", "0.9000", "1.0200"]
    assert table["dmf"][8:] == ["–", "01234567", "-"]
    changed = ["model.heads=2", "model.hidden=[8,4]", "training.seed=7"]
    assert table["sweep/two"][8:] == ["0.7500", "01234567", *changed]


@pytest.mark.parametrize(
    ("metric", "first"),
    [("auc", "sweep/two"), ("logloss", "dmf"), ("calibration", "dmf"), ("test.auc", "sweep/two")],
)
def test_the_best_is_first_whichever_way_a_metric_points(folder: Path, metric, first) -> None:
    found = run_list.find(str(folder))
    for runs in (found, found[::-1]):
        assert run_list.order(runs, metric)[0].name == first


def test_wrong_names_are_reported_with_the_right_ones(folder: Path) -> None:
    runs = run_list.find(str(folder))
    with pytest.raises(UserInputError, match=r"expected one of auc, gauc, logloss"):
        run_list.order(runs, "roc")
    with pytest.raises(UserInputError, match=r"pipeline\.evaluate --split SPLIT"):
        run_list.order(runs, "other.auc")
    with pytest.raises(UserInputError, match=r"'three' is no run; expected one of: dmf, sweep"):
        run_list.select(runs, "three")
    assert run_list.select(runs, "two").name == "sweep/two"
    assert run_list.select(runs, str(folder / "dmf")).name == "dmf"
    write_run(folder / "other/two")
    with pytest.raises(UserInputError, match=r"several runs.*: other/two, sweep/two"):
        run_list.select(run_list.find(str(folder)), "two")
    with pytest.raises(UserInputError, match="No run is below"):
        run_list.find(str(folder / "unfinished"))


def test_runs_side_by_side_show_what_differs_and_nothing_else(folder: Path) -> None:
    runs = run_list.find(str(folder))[::-1]
    table = rows(run_comparison.describe(runs))
    assert table["model.heads"] == ["1", "2"]
    assert table["training.seed"] == ["1", "7"]
    assert table["validation.auc"] == ["0.7500", "0.7700", "+0.0200"]
    assert table["test.auc"] == ["–", "0.7500", "–"]
    assert not {"model.name", "training.epochs", "data", "code.commit"} & set(table)
    assert "Other data" not in run_comparison.describe(runs)


def test_other_data_code_and_packages_are_reported(folder: Path) -> None:
    newer = {"python": "3.11.7", "tensorflow": "2.17.0"}
    write_run(
        folder / "later",
        data_fingerprint="fedcba9876543210",
        environment=newer,
        code={"version": "1.2.3"},
    )
    runs = run_list.find(str(folder))
    assert "2 data sets: figures compare only" in run_list.describe(runs)
    chosen = [run_list.select(runs, name) for name in ("dmf", "later", "two")]
    text = run_comparison.describe(chosen)
    assert text.startswith("Other data: these runs' figures do not compare.")
    table = rows(text.split("\n\n")[1])
    assert table["environment.tensorflow"] == ["2.16.2", "2.17.0", "2.16.2"]
    assert table["code.commit"] == ["c0ffee", "–", "c0ffee"]


def test_a_retrained_folder_keeps_nothing_of_the_run_before(folder: Path) -> None:
    again = write_run(folder / "again", metrics={"validation": METRICS, "test": METRICS})
    (again / "report.html").write_text("of before")
    run, config = run_folder.read(str(again)), run_config.load(str(again / "run_config.json"))
    run_folder.write(str(again), run, config, {}, {}, {"validation": METRICS})
    assert list(run_metrics.read(str(again))) == ["validation"]
    assert not (again / "report.html").exists()


def test_what_is_no_run_or_of_another_version_is_refused(folder: Path, caplog) -> None:
    with pytest.raises(UserInputError, match=r"has no run\.json"):
        run_folder.read(str(folder))
    values = json.loads((folder / "dmf/run.json").read_text())
    manifest.write_values(str(folder / "dmf/run.json"), {**values, "color": "red"})
    with pytest.raises(UserInputError, match=r"by another version \(color: Unexpected"):
        run_folder.read(str(folder / "dmf"))
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert names(run_list.find(str(folder))) == ["sweep/two"], "the others are listed"
    assert "color" in caplog.text


def test_what_stands_between_a_run_and_its_repetition_is_listed(folder: Path) -> None:
    examples = synthetic.write_example_set(str(folder / "examples"))
    arguments = ("--examples=/e", "--nojit_compile", "--mixed_precision=true")
    variables = {"TF_ENABLE_ONEDNN_OPTS": "0"}
    write_run(folder / "a", examples=examples.folder, variables=variables, arguments=arguments)
    runs = run_list.find(str(folder))
    text = reproduction.script(run_list.select(runs, "a"))
    assert f"The examples were 0123456789abcdef and are now {examples.fingerprint}" in text
    assert "git checkout c0ffee" in text and "deterministic was off" in text
    assert text.splitlines()[-2] == "cd /somewhere"
    command = shlex.split(text.splitlines()[-1])
    assert command[:4] == ["TF_ENABLE_ONEDNN_OPTS=0", "python", "-m", "pipeline.train"]
    # The two settings were flags once; run_config.json has their values.
    config = f"--config={folder}/a/run_config.json"
    assert command[4:] == ["--examples=/e", config, f"--model_dir={folder}/a-reproduced"]
    assert "are gone from /nowhere/examples" in reproduction.script(run_list.select(runs, "dmf"))
    same = {
        "examples": examples.folder,
        "data_fingerprint": examples.fingerprint,
        "environment": environment.versions(),
        "code": environment.code(),
    }
    write_run(folder / "same", ["training.deterministic=True"], **same)
    text = reproduction.script(run_list.select(run_list.find(str(folder)), "same"))
    assert len([line for line in text.splitlines() if line.startswith("#")]) == 1


def test_a_fingerprint_is_of_the_bytes_not_of_the_place(tmp_path: Path) -> None:
    one, same, other = (
        synthetic.write_example_set(str(tmp_path / name), splits={"train": 5}, seed=seed)
        for name, seed in (("one", 0), ("same", 0), ("other", 1))
    )
    assert one.fingerprint == same.fingerprint != other.fingerprint


@pytest.mark.parametrize("name", ["manifest.json", "run_config.json", "metrics/validation.json"])
@pytest.mark.parametrize("damage", ["change", "cut", "swap"])
@pytest.mark.guarantee("damaged", "runs")
def test_runs_with_damaged_or_foreign_files_are_left_out_by_name(folder, caplog, name, damage):
    path, other = folder / "dmf" / name, folder / "sweep/two" / name
    content = path.read_text()
    changed = content.replace("0", "1", 1)
    damaged = {"change": changed, "cut": content[:-5], "swap": other.read_text()}
    path.write_text(damaged[damage])
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert "dmf" not in names(run_list.find(str(folder)))
    assert f"dmf/{name}' " in caplog.text


def test_metrics_of_another_split_or_of_nothing_are_refused(folder: Path) -> None:
    metrics = folder / "sweep/two/metrics"
    (metrics / "validation.json").write_bytes((metrics / "test.json").read_bytes())
    with pytest.raises(UserInputError, match=r"another split or model.*--split validation"):
        run_metrics.read(str(folder / "sweep/two"))
    values = {"training": {}, "files": {}}
    manifest.write_manifest(str(folder / "dmf"), values)
    (folder / "dmf/metrics/validation.json").write_text("{}")
    with pytest.raises(UserInputError, match="another split or model"):
        run_metrics.read(str(folder / "dmf"))
