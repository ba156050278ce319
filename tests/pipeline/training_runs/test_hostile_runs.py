"""A run folder of somebody else is listed, compared and repeated without running what it says."""

import json
import subprocess
from pathlib import Path

import pytest

from features.errors import UserInputError
from pipeline.runtime import environment
from pipeline.training_runs import reproduction, run_comparison, run_list
from tests.pipeline.hostile_text import HIDDEN, TEXTS, drawn
from tests.pipeline.training_runs.trained_runs import write_run

FIELDS = (
    *("label", "command", "directory", "arguments", "started", "finished", "examples"),
    *("data_fingerprint", "embeddings", "environment", "variables", "code"),
)
OTHER_TYPES = (None, True, 3, 1.5, 10**400, [], {}, [[]], [{}], {"a": {"b": 1}}, {"a": None}, "x")
# What record.sh is told: its words, NUL between them.
PYTHON = '#!/bin/sh\nprintf "%s\\0" "$PWD" "${TF_XLA_FLAGS-}" "$@" > "$RECORD"\n'


def texts(canary: Path) -> list[str]:
    """Texts that would make the file if a shell ran them."""
    run = f"touch {canary}"
    wrapped = (f"a\n{run}", f"a\r{run}", f"$({run})", f"`{run}`", f"';{run};'", f'";{run};"')
    return [*wrapped, f"a;{run};", f"#\n{run}", f"\\\n{run}\n", f"&&{run}", *HIDDEN, *TEXTS[::6]]


def change(folder: Path, **values: object) -> None:
    """Writes `run.json` as somebody who knows how would, or an earlier version."""
    path = folder / "run.json"
    changed = {**json.loads(path.read_text()), **values}
    for key in ("checksum", "manifest_version", "files"):
        changed.pop(key, None)
    path.write_text(json.dumps(changed))


def listed(folder: Path) -> run_list.ListedRun:
    return run_list.select(run_list.find(str(folder.parent)), folder.name)


def ran(script: str, folder: Path) -> list[str]:
    """Working directory, variable and arguments with which a shell starts `python`."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/python").write_text(PYTHON)
    (folder / "bin/python").chmod(0o755)
    record = folder / "record"
    path = f"{folder}/bin:/usr/bin:/bin"
    given = {"PATH": path, "RECORD": str(record)}
    subprocess.run(["sh", "-ec", script], env=given, check=True, capture_output=True)
    return record.read_bytes().decode().split("\0")[:-1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Git is not asked for each of a thousand scripts.
    monkeypatch.setattr(environment, "code", lambda: {"version": "1.2.3"})
    return write_run(tmp_path / "runs/a", directory=str(tmp_path))


def hostile(field: str, text: str) -> object:
    """A value of the field's own type that holds a text wherever one can stand."""
    if field == "arguments":
        return [f"--examples={text}", "--vocabulary=x"]
    if field == "variables":
        return {"TF_XLA_FLAGS": text, "TF_CONFIG": text}
    if field == "code":
        return {"version": text, "commit": text, text: text}
    if field in ("embeddings", "environment"):
        return {text: text}
    return text


@pytest.mark.parametrize("field", FIELDS)
def test_a_text_in_any_field_is_quoted_or_refused(folder, tmp_path, field):
    canary = tmp_path / "ran"
    scripts = []
    for text in texts(canary):
        change(folder, **{field: hostile(field, text)})
        try:
            scripts.append((text, reproduction.script(listed(folder))))
        except UserInputError as error:
            assert "run.json" in str(error) or "is no run" in str(error) or "No run" in str(error)
    for text, script in scripts:
        assert all(char.isprintable() or char in "\n\t\u00a0\ufeff" for char in script)
        directory, variable, *words = ran(script, tmp_path)
        assert directory == str(tmp_path)
        assert variable == (text if field == "variables" else "")
        given = hostile(field, text) if field == "arguments" else ["--examples=examples"]
        assert words[:2] == ["-m", "pipeline.train"] and words[2:-2] == given
        assert not canary.exists(), text
    # A directory is one of the texts only by chance, everything else is quoted or a comment.
    assert (len(scripts) == 0) == (field == "directory")


@pytest.mark.parametrize("field", FIELDS)
def test_a_value_of_any_type_is_read_or_refused(folder, field):
    for value in OTHER_TYPES:
        change(folder, **{field: value})
        try:
            run = listed(folder)
            reproduction.script(run)
            run_list.describe([run])
            run_comparison.describe([run, run])
        except UserInputError as error:
            assert str(error)


@pytest.mark.parametrize(
    "values",
    [
        {"variables": {"A=1;touch x;B": "x"}},
        {"variables": {"LD_PRELOAD": "/tmp/x.so"}},
        {"variables": {"PATH": "/tmp"}},
        {"arguments": ["--flagfile=/tmp/x"]},
        {"arguments": ["--", "--examples=a"]},
        {"arguments": ["x"]},
        {"arguments": ["-c"]},
        {"directory": "-"},
        {"directory": "relative"},
    ],
)
def test_what_no_training_records_is_refused(folder, values):
    change(folder, **values)
    with pytest.raises(UserInputError, match=r"run\.json' holds .*which no training records"):
        reproduction.script(listed(folder))


def test_a_folder_of_any_name_is_repeated_beside_itself(folder, tmp_path):
    names = [text.replace("/", "") for text in [*TEXTS[::3], *drawn(20)] if text.strip("./")]
    for index, name in enumerate(dict.fromkeys(names)):
        folder = write_run(tmp_path / str(index) / name, directory=str(tmp_path))
        (run,) = run_list.find(str(folder.parent))
        *_, last = ran(reproduction.script(run), tmp_path)
        assert last == f"--model_dir={folder}-reproduced"


@pytest.mark.parametrize("name", ["run.json", "run_config.json", "manifest.json", "metrics/a.json"])
@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", "3", '"a"', "{}", "[" * 100_000, '{"a": 1e999}', "\udcff", '{"auc": 1'
     + "0" * 400 + "}", '{"model": 1, "training": []}', '{"model": {}, "training": {}}'],
)  # fmt: skip
@pytest.mark.guarantee("damaged", "runs")
def test_files_that_are_not_of_a_run_are_left_out_or_read(folder, caplog, name, content):
    write_run(folder.parent / "other")
    (folder / name).write_bytes(content.encode("utf-8", "surrogateescape"))
    found = run_list.find(str(folder.parent))
    assert "other" in [one.name for one in found]
    assert len(found) == 2 or "Left out" in caplog.text
    assert "auc" in run_list.describe(found)
    run_comparison.describe([found[0], found[-1]])


def test_names_and_values_cannot_act_on_the_terminal(tmp_path):
    escape = "\x1b[2Ja\nb\x9b\u202e"
    folder = write_run(tmp_path / f"runs/{escape}", started=escape, data_fingerprint=escape)
    config = json.loads((folder / "run_config.json").read_text())
    config["model"]["name"] = config["training"][escape] = escape
    (folder / "run_config.json").write_text(json.dumps(config))
    change(folder)
    write_run(tmp_path / "runs/b")
    runs = run_list.find(str(tmp_path / "runs"))
    for text in (run_list.describe(runs), run_comparison.describe(runs)):
        table = text.partition("data sets:")[0].partition("Other data")[0]
        assert all(char.isprintable() or char == "\n" for char in table)
