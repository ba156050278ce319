"""Whole models with kernels beside the same on stock ops: scores, training, resuming, exports."""

import dataclasses
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from features.errors import UserInputError
from kernels import library
from models.model_config import ModelConfig
from models.training import execution, fit
from models.training.config import TrainingConfig
from models.training.loop import StoppedError
from pipeline.releases import version_list
from pipeline.releases.model_versions import ModelVersions
from serving_signatures import names
from serving_signatures.export import saved_model
from serving_signatures.versions import exported_version
from serving_signatures.versions.exported_version import ExportedVersion
from serving_signatures.versions.loaded_version import LoadedVersion
from serving_signatures.versions.rollout import Rollout
from tests import synthetic
from tests.conftest import REPOSITORY
from tests.models import test_model_zoo as zoo

MODEL = ModelConfig(
    name="dmf", hidden=(8,), embedding_width=4, head_width=4, cross_layers=0, id_dropout=0.0
)
TRAINING = TrainingConfig(
    batch_candidates=64,
    epochs=20,
    max_steps=200,
    patience=0,
    optimizer="lazy_adam",
    learning_rate=0.01,
    shuffle_buffer=100,
)


def kernels_of(function):
    """The kernels in the graph of a function without arguments."""
    graph = tf.function(function, autograph=False).get_concrete_function().graph
    return {node.op for node in graph.as_graph_def().node} & set(library.OPS)


def single(batch):
    """A batch of the first candidates, as training mixes them: attention takes another form."""
    first = {}
    for name, value in batch.items():
        per_candidate = name.startswith(("candidate_", "similarity_")) or name in ("click",)
        first[name] = value[:, :1] if per_candidate else value
    return first


@pytest.mark.parametrize("take", [dict, single], ids=["requests", "single candidates"])
@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("id_only", {"DmfBucketSoftmax"}),
        ("dta", {"DmfBucketSoftmax", "DmfContentRows"}),
        ("dmf", {"DmfBucketSoftmax", "DmfCodeSums", "DmfContentRows"}),
        ("dmf_paper", {"DmfBucketSoftmax", "DmfCodeSums"}),
        ("simtier", {"DmfBucketSoftmax", "DmfCodeSums"}),
        ("sa_ta_tiers", {"DmfCodeSums"}),
    ],
)
def test_logits_are_those_of_stock_ops(kernels, name, used, take):
    model, batch = zoo.random_model(name), take(zoo.drawn_batch())
    assert kernels_of(lambda: model(batch)) - {"DmfNewestCodes"} == used
    received = model(batch)
    with library.use("off"):
        assert not kernels_of(lambda: model(batch))
        np.testing.assert_allclose(received, model(batch), atol=2e-5)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    return synthetic.write_example_set(str(tmp_path_factory.mktemp("examples") / "set"))


def trained(examples, folder, stop_requested=lambda: False, **changes):
    config = dataclasses.replace(TRAINING, **changes)
    vectors = synthetic.embedding_sets()
    model, figures = fit.train(examples, MODEL, config, str(folder), vectors, stop_requested)
    return [variable.numpy() for variable in model.trainable_variables], figures


def test_weights_after_200_steps_are_those_of_stock_ops(kernels, examples, tmp_path):
    (stock, figures), (native, _) = (
        trained(examples, tmp_path / mode, kernels=mode) for mode in ("off", "on")
    )
    assert figures["steps"] == 200
    for one, other in zip(stock, native, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert any((one != other).any() for one, other in zip(stock, native, strict=True))


def test_a_stopped_training_ends_with_the_bits_of_an_uninterrupted_one(kernels, examples, tmp_path):
    settings = {"kernels": "on", "max_steps": 60}
    straight, _ = trained(examples, tmp_path / "straight", **settings)
    asked = iter(range(1, 10**6))
    with pytest.raises(StoppedError):
        trained(examples, tmp_path / "stopped", lambda: next(asked) == 30, **settings)
    resumed, _ = trained(examples, tmp_path / "stopped", **settings)
    for one, other in zip(straight, resumed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_stock_ops_do_not_resume_a_training_of_kernels(kernels, examples, tmp_path, monkeypatch):
    settings = {"kernels": "auto", "max_steps": 40}
    monkeypatch.setenv(library.VARIABLE, "on")
    asked = iter(range(1, 10**6))
    with pytest.raises(StoppedError):
        trained(examples, tmp_path, lambda: next(asked) == 20, **settings)
    monkeypatch.setenv(library.VARIABLE, "off")
    mixed, _ = trained(examples, tmp_path, **settings)
    stock, _ = trained(examples, tmp_path / "stock", **settings)
    for one, other in zip(stock, mixed, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def exported(kernels_built, tmp_path_factory):
    """A version with kernels and one on stock ops, of one model with the vectors inside."""
    folder = tmp_path_factory.mktemp("serving") / "ctr"
    model, sets = zoo.random_model("dmf"), synthetic.embedding_sets()
    return [
        saved_model.export_saved_model(model, str(folder), sets, kernels=native)
        for native in (True, False)
    ]


@pytest.fixture
def versions(kernels, exported):
    return [ExportedVersion.read(one.folder) for one in exported]


def test_an_export_names_the_ops_that_a_server_needs(versions):
    native, stock = versions
    wanted = ("DmfBucketSoftmax", "DmfCodeSums", "DmfContentRows", "DmfSimilarityCodes")
    assert set(wanted) <= set(native.foreign_ops) <= set(library.OPS)
    assert stock.foreign_ops == ()
    table = version_list.describe(
        {one.number: one for one in versions}, Rollout("ctr", "/models/ctr", {}, frozenset()),
        {1: "-", 2: "-"}, contents=True,
    ).splitlines()  # fmt: skip
    assert "ops" in table[0].split()
    assert "stock" in table[1]
    assert "kernels" in table[2]


def test_a_promotion_says_which_ops_a_server_needs(versions, exported, tmp_path):
    folder = shutil.copytree(os.path.dirname(exported[0].folder), tmp_path / "ctr")
    native, stock = (ModelVersions(str(folder)).promote(one.number) for one in versions)
    assert "Version 1 contains native kernels: a server needs the ops DmfBucketSoftmax" in native
    assert "native kernels" not in stock


def test_caches_of_one_are_those_of_the_other(versions):
    native, stock = versions
    assert native.tags == stock.tags


def test_scores_of_both_agree(versions):
    native, stock = (LoadedVersion.open(one.folder) for one in versions)
    sample = saved_model.sample_requests(
        native.schema, synthetic.item_ids(), synthetic.embedding_sets(), (2, 9, 5), seed=0
    )
    received, expected = (one.call(names.SCORE_REQUEST, sample) for one in (native, stock))
    np.testing.assert_allclose(received["click"], expected["click"], atol=1e-6)


def test_other_scores_than_those_of_stock_ops_are_not_published(kernels, tmp_path, monkeypatch):
    lookup = library.load().dmf_newest_codes

    def wrong(**inputs):
        return tf.bitwise.invert(lookup(**inputs))

    module = library.load()
    own = {name: staticmethod(getattr(module, name)) for name in dir(module) if "dmf" in name}
    patched = type("Ops", (), own)
    patched.dmf_newest_codes = staticmethod(wrong)
    monkeypatch.setattr(library, "_loaded", lambda: patched)
    with pytest.raises(saved_model.ExportRefusedError, match="native kernels score click up to"):
        saved_model.export_saved_model(
            zoo.random_model("dmf", attention_length=3),
            str(tmp_path / "ctr"),
            synthetic.embedding_sets(),
            kernels=True,
        )
    assert not os.path.exists(tmp_path / "ctr" / "1")


def test_a_server_without_the_ops_is_told(versions, monkeypatch):
    monkeypatch.setattr(library, "_loaded", lambda: None)
    with pytest.raises(UserInputError, match="Native kernels are needed, and their library"):
        LoadedVersion.open(versions[0].folder)
    LoadedVersion.open(versions[1].folder)


def test_ops_of_a_later_release_are_named(versions, monkeypatch):
    monkeypatch.setattr(library, "OPS", ("DmfCodeSums",))
    with pytest.raises(UserInputError, match=r"needs the ops .*'DmfBucketSoftmax'.*does not have"):
        exported_version.load_ops(versions[0].folder)


def test_a_server_that_serves_a_version_has_loaded_the_ops(versions):
    program = (
        "import sys; from pipeline.local_serving.servable import Servable; "
        "print(sorted(Servable(sys.argv[1]).signatures))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, versions[0].folder],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "score_request" in done.stdout, done.stderr


def test_kernels_that_are_required_and_not_there_are_named(monkeypatch, examples, tmp_path):
    monkeypatch.setattr(library, "_loaded", lambda: None)
    with pytest.raises(UserInputError, match="Build it with 'make kernels'"):
        trained(examples, tmp_path, kernels="on")
    assert not os.listdir(tmp_path)


def test_the_environment_says_what_auto_is(monkeypatch):
    monkeypatch.setattr(library, "_loaded", lambda: "the ops")
    for value, expected in (("off", None), ("on", "the ops"), ("auto", "the ops")):
        monkeypatch.setenv(library.VARIABLE, value)
        assert library.ops() == expected
        with library.use("off"):
            assert library.ops() is None
        with library.use("on"):
            assert library.ops() == "the ops"
    monkeypatch.delenv(library.VARIABLE)
    assert library.ops() == "the ops"
    monkeypatch.setenv(library.VARIABLE, "yes")
    with pytest.raises(UserInputError, match="DMF_KERNELS is 'yes', expected auto, on or off"):
        library.ops()


def test_parameter_servers_have_none(monkeypatch):
    monkeypatch.setattr(library, "_loaded", lambda: "the ops")
    strategy = object.__new__(tf.distribute.ParameterServerStrategy)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
    with execution.kernels(TrainingConfig(kernels="auto")):
        assert library.ops() is None
    with (
        pytest.raises(UserInputError, match=r"training.strategy=parameter_server"),
        execution.kernels(TrainingConfig(kernels="on")),
    ):
        pass
