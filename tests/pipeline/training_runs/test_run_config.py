"""Configuration: what is given wins over the default, and nothing unknown slips through."""

import json

import pytest

from features.errors import UserInputError
from models.model_config import ModelConfig
from pipeline.training_runs import run_config


def test_defaults_need_no_file() -> None:
    assert run_config.load(None).model == ModelConfig()


def test_a_shipped_configuration_is_found_by_name_in_any_folder(tmp_path, monkeypatch) -> None:
    by_path = run_config.load("pipeline/configs/demo.py")
    monkeypatch.chdir(tmp_path)
    assert run_config.load("demo") == by_path
    with pytest.raises(UserInputError, match=r"'dmeo' is neither a file nor .* ships: demo\."):
        run_config.load("dmeo")
    with pytest.raises(UserInputError, match="ships: demo"):
        run_config.check("dmeo", [])
    # A file of the user comes first, and a path is never a name.
    (tmp_path / "demo").write_text("def get_config():\n    return {'title': 'mine'}\n")
    assert run_config.load("demo").title == "mine"
    with pytest.raises(UserInputError, match="cannot be read"):
        run_config.load("demo.py")


def test_a_folder_is_no_configuration(tmp_path, monkeypatch) -> None:
    by_name = run_config.load("demo")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    assert run_config.load("demo") == by_name
    with pytest.raises(UserInputError, match=r"--config './demo' is a folder"):
        run_config.load("./demo")


def test_override_wins_over_file() -> None:
    path = "pipeline/configs/demo.py"
    config = run_config.load(path, ["join.history_length=7", "model.hidden=(8, 4)"])
    assert config.join["history_length"] == 7
    assert config.join["behavior_rule"] == "all"
    assert config.model.hidden == (8, 4)


def test_the_last_override_wins_in_how_training_is_executed() -> None:
    given = ("intra_op_threads=3", "mixed_precision=True", "intra_op_threads=1", "jit_compile=True")
    found = run_config.load(None, [f"training.{one}" for one in given]).training
    names = run_config.FORMER_FLAGS
    assert tuple(getattr(found, name) for name in names) == (True, True, 1, 0)


def test_a_value_that_is_no_literal_is_a_string() -> None:
    assert run_config.load(None, ["data.source=../some/folder"]).data.source == "../some/folder"


def test_resolved_configuration_reads_back() -> None:
    config = run_config.load("pipeline/configs/demo.py", ["training.seed=3"])
    assert run_config.to_dict(config)["training"]["seed"] == 3


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("model.haeds=2", "model.haeds"),
        ("model.heads=0", "greater than 0"),
        ("training.learning_rate=fast", "training.learning_rate"),
        ("model.name=dien", "'dien'"),
        ("title.font=large", "'title'"),
        ("model.heads", "key=value"),
    ],
)
def test_wrong_override_is_named(override: str, expected: str) -> None:
    overrides = [override] if not override.startswith("title") else ["title=T", override]
    with pytest.raises(UserInputError, match=expected):
        run_config.load(None, overrides)


def test_file_without_get_config_is_refused(tmp_path) -> None:
    path = tmp_path / "config.py"
    path.write_text("CONFIG = {}\n")
    with pytest.raises(UserInputError, match="get_config"):
        run_config.load(str(path))
    with pytest.raises(UserInputError, match="cannot be read"):
        run_config.load(str(tmp_path / "absent.py"))


def test_unknown_baseline_is_named() -> None:
    with pytest.raises(UserInputError, match="'dien'"):
        run_config.with_name(ModelConfig(), "dien")


def test_a_written_configuration_is_a_configuration(tmp_path) -> None:
    config = run_config.load("pipeline/configs/demo.py", ["model.hidden=(8, 4)", "training.seed=3"])
    path = tmp_path / "run_config.json"
    path.write_text(json.dumps(run_config.to_dict(config)))
    again = run_config.load(str(path))
    assert (again.model, again.training, again.title) == (
        config.model,
        config.training,
        config.title,
    )
    assert run_config.load(str(path), ["training.seed=4"]).training.seed == 4
    for text, problem in (("[1]", "must hold an object"), ("{", "cannot be read")):
        path.write_text(text)
        with pytest.raises(UserInputError, match=problem):
            run_config.load(str(path))


def test_what_is_not_the_default_is_named() -> None:
    config = run_config.to_dict(run_config.load(None, ["model.hidden=(8, 4)", "training.seed=3"]))
    assert run_config.changed({name: config[name] for name in ("model", "training")}) == {
        "model.hidden": [8, 4],
        "training.seed": 3,
    }
