"""No job writes over its inputs, and no model goes where TensorFlow would not find it again."""

import hashlib
import importlib
import os
import subprocess
from pathlib import Path

import pytest

from features.errors import UserInputError
from pipeline.runtime import help_text, job_list, path_rules
from pipeline.runtime.path_rules import Place
from tests import quick_python
from tests.conftest import REPOSITORY

OUTPUTS = {
    "backfill": {"output"},
    "build_examples": {"output"},
    "build_vocabulary": {"output"},
    "check_skew": {"output"},
    "convert": {"output"},
    "doctor": {"json"},
    "evaluate": {"output"},
    "export": {"export_dir"},
    "gate": {"export_dir"},
    "ingest_embeddings": {"output"},
    "inspect_data": {"output"},
    "run": {"output"},
    "simulate": {"output"},
    "train": {"model_dir"},
}
# What each job needs besides the two flags of a case; none of it is there.
REQUIRED = {
    "backfill": {"saved_model": "model/1", "items": "items"},
    "build_examples": {"events": "log"},
    "check_skew": {"saved_model": "model/1", "examples": "examples"},
    "convert": {"dataset": "movielens", "input": "films"},
    "evaluate": {"examples": "examples", "model_dir": "model"},
    "export": {"model_dir": "model"},
    "gate": {"examples": "examples"},
    "ingest_embeddings": {"vectors": "vectors", "encoder": "e", "encoder_version": "1"},
    "train": {"examples": "examples"},
}
NAMED = ("embeddings", "label_logs")
# Read before anything is written, or only looked at: refused where they are the output itself.
SINGLE = ("config", "thresholds", "requests", "warmup_requests", "paths")


def _groups(job: str) -> help_text.Groups:
    return help_text.of_module(importlib.import_module(f"pipeline.{job}"))[1]


def _flags(job: str) -> dict[str, set[str]]:
    """Returns the names of the flags of paths, in the group of outputs and elsewhere."""
    found: dict[str, set[str]] = {"outputs": set(), "inputs": set()}
    for heading, group in _groups(job).items():
        for flag in group:
            if any(kind in help_text.value_of(flag) for kind in ("FOLDER", "FILE", "PLACE")):
                found["outputs" if heading == "Output" else "inputs"].add(flag.name)
    return found


def _cases() -> list[tuple[str, str, str]]:
    return [
        (job, output, given)
        for job, outputs in OUTPUTS.items()
        for output in sorted(outputs)
        for given in sorted(_flags(job)["inputs"])
    ]


def _run(job: str, arguments: dict[str, str]) -> subprocess.CompletedProcess:
    words = [f"--{name}={value}" for name, value in arguments.items()]
    return quick_python.run_job(f"pipeline.{job}", *words)


def _content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_job_that_writes_is_here():
    without = set(job_list.names()) - set(OUTPUTS)
    # The cycle's folder is in its configuration; a load writes into Redis.
    assert without == {"cycle", "load_projections", "models", "runs", "serve_local", "submit"}
    for job in job_list.names():
        assert _flags(job)["outputs"] == OUTPUTS.get(job, set()), job


@pytest.mark.slow(seconds=40)
@pytest.mark.parametrize(("job", "output", "given"), _cases())
def test_a_job_refuses_its_input_as_its_output(job, output, given, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "part.parquet").write_bytes(b"what is here stays")
    (source / "manifest.json").write_bytes(b"{}")
    before = _content(tmp_path)
    value = f"text={source}" if given in NAMED else str(source)
    done = _run(job, {**REQUIRED.get(job, {}), given: value, output: str(source)})
    assert done.returncode == 2, done.stderr
    assert f"--{output} {str(source)!r} is the same as --{given}" in done.stderr
    assert "Traceback" not in done.stderr
    assert _content(tmp_path) == before


@pytest.mark.parametrize(("job", "output", "given"), _cases())
@pytest.mark.parametrize("relation", ["inside", "around"])
def test_a_job_refuses_an_output_inside_or_around_an_input(job, output, given, relation):
    groups = _groups(job)
    by_name = {flag.name: flag for group in groups.values() for flag in group}
    inner, outer = "data/a/b", "data/a"
    written, read = (inner, outer) if relation == "inside" else (outer, inner)
    by_name[output].value = written
    named = f"text={read}" if given in NAMED else read
    by_name[given].value = [named] if help_text.is_repeatable(by_name[given]) else named
    if given in SINGLE:
        path_rules.check_flags(groups)
        return
    with pytest.raises(UserInputError, match=f"--{output}.*--{given}"):
        path_rules.check_flags(groups)


def test_run_leaves_the_inputs_of_its_configuration_alone(tmp_path):
    (tmp_path / "ratings.parquet").write_bytes(b"ratings")
    before = _content(tmp_path)
    for setting in ("data.source", "drift.baseline", "join.users"):
        done = _run("run", {"output": f"{tmp_path}/", "set": f"{setting}={tmp_path}"})
        assert done.returncode == 2, done.stderr
        assert f"is the same as {setting}" in done.stderr
    assert _content(tmp_path) == before


@pytest.mark.parametrize(
    ("output", "given"),
    [
        ("log", "log/"),
        ("log", "./x/../log"),
        ("log", "file://{here}/log"),
        ("{here}/log", "log"),
        ("link", "log"),
        ("log/deeper", "link"),
        ("link/deeper", "log"),
        ("s3://bucket/log/", "s3://bucket//log"),
        ("s3a://bucket/log/x", "s3://bucket/log"),
        ("gs://bucket/log", "gcs://bucket/log/day=1"),
        ("log/day=1", "log/*"),
        ("log/day=1/hour=2", "log/day=*/hour=?/*.parquet"),
        ("log/a/b/c", "log/**/*.parquet"),
        ("log", "log.building"),
        ("log", "log.rejected/quarantine"),
    ],
)
def test_one_place_is_known_by_all_its_names(output, given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log").mkdir()
    (tmp_path / "link").symlink_to("log")
    with pytest.raises(UserInputError, match="own input"):
        path_rules.check(
            [Place("--output", output.format(here=tmp_path))],
            [Place("--events", given.format(here=tmp_path))],
        )


@pytest.mark.parametrize(
    ("output", "given"),
    [
        ("log2", "log"),
        ("log", "log2"),
        ("s3://bucket/log", "s3://other/log"),
        ("s3://bucket/log", "gs://bucket/log"),
        ("s3://bucket/log", "bucket/log"),
        ("data/out", "data/*.parquet"),
        ("data/out", "data/day=*/*.parquet"),
        ("out", "building/out"),
    ],
)
def test_other_places_are_not_refused(output, given):
    path_rules.check([Place("--output", output)], [Place("--events", given)])


@pytest.mark.parametrize("path", ["lr=[0.001]", "a/[b]/c", "back\\slash"])
@pytest.mark.parametrize(
    ("job", "flag"), [("train", "model_dir"), ("export", "export_dir"), ("backfill", "saved_model")]
)
def test_a_path_that_tensorflow_reads_as_a_pattern_is_refused(job, flag, path):
    groups = _groups(job)
    by_name = {one.name: one for group in groups.values() for one in group}
    by_name[flag].value = path
    with pytest.raises(UserInputError, match="as a pattern"):
        path_rules.check_flags(groups)


def test_a_saved_model_is_read_by_its_absolute_path(tmp_path, monkeypatch):
    (tmp_path / "lr=[0.1]").mkdir()
    monkeypatch.chdir(tmp_path / "lr=[0.1]")
    path_rules.check_readable("--model_dir", "model")
    with pytest.raises(UserInputError, match="as a pattern"):
        path_rules.check_readable("--export_dir", "serving", saved_model=True)
    path_rules.check_readable("--export_dir", "s3://bucket/serving", saved_model=True)


def test_tensorflow_finds_what_is_not_refused_and_not_what_is(tmp_path):
    import tensorflow as tf

    for name in ("plain", "a*b", "a?b", "a{b,c}", "[x", "x]", "lr=[0.001]", "a\\b", "[!a]", "[]"):
        checkpoint = tf.train.Checkpoint(value=tf.Variable(1.0))
        path = str(tmp_path / name / "weights")
        checkpoint.write(path)
        try:
            path_rules.check_readable("--model_dir", path)
        except UserInputError:
            with pytest.raises(tf.errors.NotFoundError):
                checkpoint.read(path)
        else:
            checkpoint.read(path).assert_consumed()


def test_a_configuration_that_ships_may_have_the_name_of_the_output(tmp_path):
    arguments = ("--config=demo", "--output=demo", "--only_check_args")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = quick_python.run_job("pipeline.run", *arguments, cwd=tmp_path, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
