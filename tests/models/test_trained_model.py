"""A model's folder is whole or none, and a damaged file is named instead of read."""

import dataclasses
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from features.files import manifest
from models import factory, trained_model
from models.model_config import ModelConfig
from models.ranking_model import RankingModel
from tests import synthetic

CONFIG = ModelConfig(hidden=(8,), embedding_width=4, head_width=4, cross_layers=0)
WEIGHTS = "weights/checkpoint.data-00000-of-00001"


def built(name: str = "id_only") -> RankingModel:
    vectors = None
    if factory.MODELS[name].reads_vectors == "always":
        vectors = synthetic.embedding_sets()
    config = dataclasses.replace(CONFIG, name=name)
    return factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids(), vectors)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two models with files of the same names and sizes."""
    paths = [tmp_path_factory.mktemp(f"model-{seed}") for seed in range(2)]
    model = built("raw_vectors")
    for seed, path in enumerate(paths):
        rng = np.random.default_rng(seed)
        for variable in model.trainable_variables:
            variable.assign(rng.standard_normal(variable.shape))
        trained_model.write_trained_model(str(path), model, {})
    return paths


@pytest.fixture
def folder(folders: list[Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folders[0], tmp_path / "model"))


def files(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def of_an_earlier_version(folder: Path) -> None:
    values = manifest.read_manifest(str(folder))
    for key in ("files", "checksum", "manifest_version"):
        del values[key]
    (folder / manifest.FILE_NAME).write_text(json.dumps(values))


def test_the_manifest_has_every_file_of_the_model(folder: Path) -> None:
    listed = manifest.read_manifest(str(folder))["files"]
    assert set(listed) == set(files(folder)) - {manifest.FILE_NAME}
    assert {"content/text/manifest.json", "vocabulary/item_id.txt", WEIGHTS} <= set(listed)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "swap"])
@pytest.mark.guarantee("damaged", "evaluate", "export")
def test_damage_to_any_file_is_named(folders, folder: Path, damage: str) -> None:
    rng = random.Random(damage)
    whole, other = files(folder), files(folders[1])
    for name, data in whole.items():
        path = folder / name
        if damage == "flip":
            place = rng.randrange(len(data))
            path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        elif damage == "cut":
            path.write_bytes(data[: rng.randrange(len(data))])
        elif damage == "remove":
            path.unlink()
        else:
            path.write_bytes(other[name])
        if files(folder) != whole:
            # The manifest of another model is intact, and describes other weights.
            named = WEIGHTS if (name, damage) == (manifest.FILE_NAME, "swap") else name
            with pytest.raises(UserInputError, match=rf"{named}.*\. [A-Z]"):
                trained_model.check_files(str(folder))
        path.write_bytes(data)
    trained_model.check_files(str(folder))


def test_weights_of_another_model_are_refused_when_it_is_read(folders, folder: Path) -> None:
    for name in (WEIGHTS, "weights/checkpoint.index"):
        assert (folder / name).stat().st_size == (folders[1] / name).stat().st_size
        (folder / name).write_bytes((folders[1] / name).read_bytes())
    with pytest.raises(UserInputError, match=r"weights/checkpoint.*another file.*Copy the model"):
        trained_model.read_trained_model(str(folder))


@pytest.mark.parametrize("place", ["configuration", "weights", "manifest"])
@pytest.mark.guarantee("killed", "train")
def test_a_model_that_is_killed_while_it_is_written_is_none(folder, monkeypatch, place) -> None:
    """Over an earlier model; an exception leaves at this point what a kill leaves."""
    owner, method = {
        "configuration": (trained_model, "_write_json"),
        "weights": (tf.train.Checkpoint, "write"),
        "manifest": (manifest, "write_manifest"),
    }[place]

    def kill(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(owner, method, kill)
        trained_model.write_trained_model(str(folder), built(), {})
    with pytest.raises(UserInputError, match=r"has no manifest\.json"):
        trained_model.read_trained_model(str(folder))


def test_a_model_replaces_all_of_an_earlier_one(folder: Path, tmp_path: Path) -> None:
    for path in (folder, tmp_path / "fresh"):
        trained_model.write_trained_model(str(path), built(), {})
    assert set(files(folder)) == set(files(tmp_path / "fresh"))
    assert trained_model.read_trained_model(str(folder)).config.name == "id_only"


def test_a_model_of_an_earlier_version_is_read(folders, folder: Path) -> None:
    of_an_earlier_version(folder)
    again = trained_model.read_trained_model(str(folder))
    expected = trained_model.read_trained_model(str(folders[0]))
    for one, other in zip(expected.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_setting_that_an_earlier_version_did_not_have_is_as_it_was(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, name="dmf", similarity_windows=())
    model = factory.build_model(config, synthetic.SCHEMA, synthetic.item_ids())
    trained_model.write_trained_model(str(tmp_path), model, {})
    of_an_earlier_version(tmp_path)
    values = json.loads((tmp_path / "model.json").read_text())
    del values["similarity_windows"]
    (tmp_path / "model.json").write_text(json.dumps(values))
    again = trained_model.read_trained_model(str(tmp_path))
    assert again.config == config
    assert len(again.weights) == len(model.weights)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("damage", [cut, Path.unlink])
@pytest.mark.parametrize("name", ["model.json", "schema.json", WEIGHTS, "weights/checkpoint.index"])
def test_one_of_an_earlier_version_is_refused_too(
    folder: Path, name: str, damage: Callable[[Path], None]
) -> None:
    of_an_earlier_version(folder)
    damage(folder / name)
    place = name.partition(".")[0]
    with pytest.raises(UserInputError, match=rf"{place}.*train it again with --overwrite"):
        trained_model.read_trained_model(str(folder))


def test_one_with_an_empty_vocabulary_is_refused_too(folder: Path) -> None:
    of_an_earlier_version(folder)
    (folder / trained_model.VOCABULARY).write_text("")
    with pytest.raises(UserInputError, match=r"vocabulary is empty.*--overwrite"):
        trained_model.read_trained_model(str(folder))
