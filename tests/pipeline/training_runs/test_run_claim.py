"""A training takes a folder that is free or its own, and nothing goes without being told."""

import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from features.errors import UserInputError
from features.files import locks, manifest
from models.inputs.example_set import ExampleSet
from pipeline.training_runs import run_claim, run_config, run_folder
from pipeline.training_runs.run_claim import claim
from tests import quick_python, synthetic
from tests.pipeline.training_runs.trained_runs import RUN, write_run

CONFIG = run_config.load(None, ["model.heads=2"])
QUICK = (
    "--set=model.name=id_only",
    "--set=model.hidden=(16,)",
    "--set=model.embedding_width=8",
    "--set=model.head_width=8",
    "--set=training.batch_candidates=64",
    "--set=training.epochs=1",
)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> ExampleSet:
    folder = str(tmp_path_factory.mktemp("claim") / "examples")
    synthetic.write_example_set(folder)
    return ExampleSet.open(folder)


def _wanted(examples: ExampleSet, *overrides: str, **changes) -> dict:
    config = run_config.load(None, ["model.heads=2", *overrides])
    return {**run_claim.identity(examples, config, {}), **changes}


def _finish(folder: Path, wanted: dict) -> Path:
    """Leaves what a finished training leaves, as far as a claim looks at it."""
    assert not claim(str(folder), wanted, overwrite=False)
    (folder / "model.json").write_text("{}")
    manifest.write_manifest(str(folder), {"training": {}})
    (folder / run_folder.FILE_NAME).write_text("{}")
    (folder / "tensorboard").mkdir()
    (folder / "notes.txt").write_text("mine")
    return folder


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_same_training_is_done_once(examples, tmp_path):
    folder = _finish(tmp_path / "model", _wanted(examples))
    before = _names(folder)
    assert claim(str(folder), _wanted(examples), overwrite=False)
    assert _names(folder) == before


@pytest.mark.parametrize(
    ("overrides", "changes", "difference"),
    [
        (["model.heads=4"], {}, "heads was 2, now 4"),
        (["training.seed=7"], {}, "seed was 1, now 7"),
        ([], {"data": "other"}, "now 'other'"),
        ([], {"start": "abc"}, "start was None, now 'abc'"),
        ([], {"vocabulary": "abc"}, "vocabulary was None, now 'abc'"),
        ([], {"embeddings": {"text": "abc"}}, "text was None, now 'abc'"),
    ],
)
def test_another_training_is_refused_with_what_differs(
    examples, tmp_path, overrides, changes, difference
):
    folder = _finish(tmp_path / "model", _wanted(examples))
    before = _names(folder)
    with pytest.raises(UserInputError, match="holds a finished training") as error:
        claim(str(folder), _wanted(examples, *overrides, **changes), overwrite=False)
    assert difference in str(error.value) and "--overwrite" in str(error.value)
    assert _names(folder) == before


@pytest.mark.parametrize("override", ["model.heads=2", "model.heads=4"])
@pytest.mark.guarantee("foreign", "train")
def test_when_told_it_is_removed_and_nothing_else(examples, tmp_path, override):
    folder = _finish(tmp_path / "model", _wanted(examples))
    assert not claim(str(folder), _wanted(examples, override), overwrite=True)
    assert _names(folder) == {run_claim.FILE_NAME, "notes.txt"}
    kept = json.loads((folder / run_claim.FILE_NAME).read_text())
    assert kept == _wanted(examples, override)


def test_a_worker_that_does_not_write_removes_nothing(examples, tmp_path):
    folder = _finish(tmp_path / "model", _wanted(examples))
    before = _names(folder)
    assert not claim(str(folder), _wanted(examples), overwrite=True, write=False)
    assert _names(folder) == before


def test_a_stopped_training_goes_on_told_or_not_and_another_is_refused(examples, tmp_path):
    folder = tmp_path / "model"
    assert not claim(str(folder), _wanted(examples), overwrite=False)
    (folder / "backup" / "0123").mkdir(parents=True)
    for overwrite in (False, True):
        assert not claim(str(folder), _wanted(examples), overwrite)
        assert (folder / "backup" / "0123").is_dir()
    other = _wanted(examples, "training.seed=7")
    with pytest.raises(UserInputError, match="holds an unfinished training"):
        claim(str(folder), other, overwrite=False)
    assert not claim(str(folder), other, overwrite=True)
    assert _names(folder) == {run_claim.FILE_NAME}


def test_a_training_that_never_took_a_step_leaves_the_folder_free(examples, tmp_path):
    assert not claim(str(tmp_path), _wanted(examples), overwrite=False)
    assert not claim(str(tmp_path), _wanted(examples, "training.seed=7"), overwrite=False)


def test_a_data_set_is_refused_even_when_told(examples, tmp_path):
    manifest.write_manifest(str(tmp_path), {"shards": {}})
    for overwrite in (False, True):
        with pytest.raises(UserInputError, match="data set that is no model"):
            claim(str(tmp_path), _wanted(examples), overwrite)
    assert _names(tmp_path) == {"manifest.json"}


def test_a_run_of_an_earlier_version_is_known_by_its_own_files(examples, tmp_path):
    folder = write_run(tmp_path / "model", ["model.heads=2"], data_fingerprint=examples.fingerprint)
    (folder / "model.json").write_text("{}")
    assert claim(str(folder), _wanted(examples), overwrite=False)
    with pytest.raises(UserInputError, match="heads was 2, now 4"):
        claim(str(folder), _wanted(examples, "model.heads=4"), overwrite=False)
    warm = dataclasses.replace(RUN, arguments=("--warm_start=last",))
    changes = {**dataclasses.asdict(warm), "data_fingerprint": examples.fingerprint}
    folder = write_run(tmp_path / "warm", ["model.heads=2"], **changes)
    (folder / "model.json").write_text("{}")
    with pytest.raises(UserInputError, match="start was 'unknown"):
        claim(str(folder), _wanted(examples), overwrite=False)


def test_a_model_without_a_run_is_not_taken(examples, tmp_path):
    (tmp_path / "model.json").write_text("{}")
    manifest.write_manifest(str(tmp_path), {"training": {}})
    with pytest.raises(UserInputError, match="data was 'unknown"):
        claim(str(tmp_path), _wanted(examples), overwrite=False)


@pytest.mark.slow(seconds=60)
def test_the_command_trains_once_refuses_and_trains_anew_when_told(examples, tmp_path):
    def train(*arguments: str) -> subprocess.CompletedProcess:
        words = [f"--examples={examples.folder}", f"--model_dir={tmp_path}/model", *QUICK]
        return quick_python.run_job("pipeline.train", *words, *arguments)

    def events() -> set[str]:
        return {path.name for path in (tmp_path / "model/tensorboard").rglob("events*")}

    def content() -> dict[str, bytes]:
        files = sorted((tmp_path / "model").rglob("*"))
        return {str(path): path.read_bytes() for path in files if path.is_file()}

    first = train()
    assert first.returncode == 0, first.stderr
    left, curves = content(), events()
    again = train()
    assert again.returncode == 0, again.stderr
    assert "nothing to do" in again.stderr
    other = train("--set=training.seed=5")
    assert other.returncode == 2, other.stderr
    assert "seed was 1, now 5" in other.stderr and "--overwrite" in other.stderr
    assert content() == left
    told = train("--set=training.seed=5", "--overwrite")
    assert told.returncode == 0, told.stderr
    assert len(events()) == len(curves) and not events() & curves
    run = json.loads((tmp_path / "model/run.json").read_text())
    assert not [argument for argument in run["arguments"] if "overwrite" in argument]


def test_one_training_at_a_time_writes_a_folder(examples, tmp_path):
    folder, wanted = str(tmp_path / "model"), _wanted(examples)
    with run_claim.claimed(folder, wanted, overwrite=False) as finished:
        assert not finished
        for overwrite in (False, True):
            with (
                pytest.raises(
                    UserInputError, match=r"written by process \d+ .*another --model_dir"
                ),
                run_claim.claimed(folder, wanted, overwrite),
            ):
                pass
        with run_claim.claimed(folder, wanted, overwrite=False, write=False) as finished:
            assert not finished, "the other workers of the same training"
    assert not (tmp_path / "model.lock").exists()
    _finish(tmp_path / "model", wanted)
    with locks.locked(folder), run_claim.claimed(folder, wanted, overwrite=False) as finished:
        assert finished, "reading takes no lock"


@pytest.mark.parametrize("job", ["train", "run"])
@pytest.mark.guarantee("two at once", "train")
def test_a_second_job_in_the_same_folder_ends_with_a_sentence(examples, tmp_path, job):
    output = tmp_path / "output"
    arguments = {
        "train": [f"--examples={examples.folder}", f"--model_dir={output}"],
        "run": [f"--output={output}"],
    }
    with locks.locked(str(output)):
        run = quick_python.run_job(f"pipeline.{job}", *arguments[job])
    assert run.returncode == 2, run.stderr
    assert "is being written by process" in run.stderr and "Traceback" not in run.stderr
    assert not output.exists()


def _finished_run(folder: Path, wanted: dict) -> Path:
    """Leaves all that a finished training leaves beside the weights."""
    write_run(folder, started=f"2026-05-0{wanted['training']['seed']}")
    (folder / "model.json").write_text("{}")
    (folder / run_claim.FILE_NAME).write_text(json.dumps(wanted))
    manifest.write_manifest(str(folder), {"training": {"steps": wanted["training"]["seed"]}})
    config = run_config.load(None, [f"training.seed={wanted['training']['seed']}"])
    run_folder.write(str(folder), run_folder.read(str(folder)), config, {}, {}, {})
    return folder


@pytest.mark.parametrize("name", ["run.json", "training.json", "manifest.json", "run_config.json"])
@pytest.mark.parametrize("damage", ["change", "cut", "remove", "swap"])
def test_a_finished_training_with_a_damaged_file_is_not_done(examples, tmp_path, name, damage):
    wanted = _wanted(examples)
    folder = _finished_run(tmp_path / "model", wanted)
    other = _finished_run(tmp_path / "other", _wanted(examples, "training.seed=2"))
    assert claim(str(folder), wanted, overwrite=False)
    path = folder / name
    content = path.read_bytes()
    place = content.index(b":") + 3
    changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    path.write_bytes({"change": changed, "swap": (other / name).read_bytes()}.get(damage, b"{"))
    if damage == "remove":
        path.unlink()
    if (name, damage) == ("run.json", "remove"):
        assert not claim(str(folder), wanted, overwrite=False), "not finished: it is trained again"
        return
    # A record of another run is intact; what it lists first is not what is here.
    named = run_claim.FILE_NAME if (name, damage) == ("run.json", "swap") else name
    with pytest.raises(UserInputError, match=named):
        claim(str(folder), wanted, overwrite=False)
    assert not claim(str(folder), wanted, overwrite=True)
    assert _names(folder) == {run_claim.FILE_NAME}
