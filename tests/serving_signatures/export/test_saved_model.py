"""What is published, what is not, and what lies beside it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from features.errors import UserInputError
from models.id_only import IdOnly
from serving_signatures.export import parity_process
from serving_signatures.export.saved_model import ExportRefusedError, export_saved_model
from serving_signatures.signatures import ServingSignatures
from serving_signatures.versions.exported_version import ExportedVersion
from tests import synthetic
from tests.serving_signatures import exports, serving


class DiffersBySignature(IdOnly):
    """Scores records otherwise than requests: only records hold a user id."""

    def logits_by_label(self, batch, training=False):
        logits = super().logits_by_label(batch, training)
        return {**logits, "click": logits["click"] + (1e-3 if "user_id" in batch else 0.0)}


class DiffersInConversions(IdOnly):
    """Scores conversions of records otherwise than those of requests."""

    def logits_by_label(self, batch, training=False):
        logits = super().logits_by_label(batch, training)
        shift = 1e-2 if "user_id" in batch else 0.0
        return {**logits, "conversion": logits["conversion"] + shift}


class CallsPython(IdOnly):
    """Runs Python in the graph."""

    def logits_by_label(self, batch, training=False):
        logits = super().logits_by_label(batch, training)["click"]
        doubled = tf.py_function(lambda x: 2 * x, [logits], tf.float32)
        return {"click": tf.ensure_shape(doubled, logits.shape)}


def of_class(kind, **changes):
    source = serving.random_model(name="id_only", **changes)
    model = kind(source.config, source.schema, synthetic.item_ids()[:-5])
    model.create_variables(serving.factory.zero_batch(source.schema))
    model.set_weights(source.get_weights())
    return model


def records(folder):
    path = os.path.join(folder, "assets.extra", "tf_serving_warmup_requests")
    for record in tf.data.TFRecordDataset(path):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        yield log.predict_log.request


def test_warmup_records_score_through_the_reloaded_signatures(published):
    sizes = {}
    for request in records(published.exported.folder):
        assert request.model_spec.name == "ctr"
        name = request.model_spec.signature_name
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        (rows,) = {len(value) for value in inputs.values()}
        outputs = parity_process.call(published.signatures[name], inputs)
        for output in outputs.values():
            assert len(output) == rows
            assert output.dtype.kind != "f" or np.isfinite(output).all()
        sizes.setdefault(name, []).append(rows)
    assert sizes == {name: [1, 2, 4, 8] for name in published.signatures}


def test_manifest_says_what_was_exported(published):
    with open(os.path.join(published.exported.folder, "assets.extra", "manifest.json")) as file:
        values = json.load(file)
    assert values["tags"] == dict(published.exported.tags)
    assert values["schema"] == synthetic.SCHEMA.to_dict()
    assert values["parity"]["max_abs_diff"] <= serving.TOLERANCE
    assert values["parity"]["warmup"] == {name: [1, 2, 4, 8] for name in published.signatures}
    assert published.exported.caches == tuple(
        f"{tag}_tag is new: fill {tag}_projections" for tag in ("id", "target_aware")
    )
    assert ExportedVersion.read(published.exported.folder).damage() == []
    inside = published.embeddings if published.tables_inside else {}
    assert values["embeddings"] == {name: values.fingerprint for name, values in inside.items()}


def test_only_the_version_is_in_the_models_folder(published):
    folder = os.path.dirname(published.exported.folder)
    assert os.path.basename(published.exported.folder) == "1"
    assert sorted(os.listdir(folder)) == [".lock", "1"]


@pytest.mark.parametrize(
    ("kind", "conversion_label"),
    [
        (DiffersBySignature, None),
        pytest.param(DiffersInConversions, "conversion", marks=pytest.mark.slow),
    ],
)
def test_a_model_whose_signatures_differ_replaces_no_good_one_and_leaves_nothing(
    tmp_path, kind, conversion_label
):
    good = exports.publish(tmp_path / "ctr")
    model = of_class(kind, conversion_label=conversion_label)
    with pytest.raises(ExportRefusedError, match=r"differ from serving_default.*score_request/"):
        export_saved_model(model, str(tmp_path / "ctr"))
    assert sorted(os.listdir(tmp_path / "ctr")) == [".lock", "1"]
    assert good.damage() == []


@pytest.mark.slow
def test_a_model_that_calls_python_is_not_published_and_leaves_nothing(tmp_path):
    with pytest.raises(ExportRefusedError, match=r"not published(.|\n)*pyfunc"):
        export_saved_model(of_class(CallsPython), str(tmp_path / "ctr"))
    assert os.listdir(tmp_path / "ctr") == [".lock"]


def test_python_in_the_graph_is_a_foreign_op_and_the_rest_is_not(tmp_path, published):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def calls_python(x):
        return {"y": tf.py_function(lambda x: 2 * x, [tf.sqrt(x)], tf.float32)}

    module = tf.Module()
    module.f = calls_python
    tf.saved_model.save(module, str(tmp_path), {"serving_default": calls_python})
    assert parity_process.foreign_ops(str(tmp_path)) == ["EagerPyFunc"]
    assert parity_process.foreign_ops(published.exported.folder) == []


@pytest.mark.slow
def test_the_next_export_is_the_next_version_and_the_first_stays(tmp_path):
    model = serving.random_model(name="id_only")
    folder = str(tmp_path / "ctr")
    first = export_saved_model(model, folder, batch_sizes=(1,))
    sample = serving.requests((2, 5, 4), {})
    before = serving.oracle(model, sample)
    model.head.trainable_variables[-1].assign_add([1.0])
    second = export_saved_model(model, folder, batch_sizes=(1,))
    assert [os.path.basename(version.folder) for version in (first, second)] == ["1", "2"]
    assert sorted(os.listdir(folder)) == [".lock", "1", "2"]
    assert first.tags == second.tags == {}
    assert set(first.signatures) == {"serving_default", "score_request"}
    for version, expected in ((first, before), (second, serving.oracle(model, sample))):
        loaded = tf.saved_model.load(version.folder)
        for name in version.signatures:
            serving.assert_same(serving.score(loaded.signatures, name, sample), expected)
    assert np.abs(before["click"] - serving.oracle(model, sample)["click"]).max() > 0.01


@pytest.mark.slow
def test_a_process_without_this_project_scores_the_same(published, tmp_path):
    sample = serving.requests((2, 5, 4), published.embeddings)
    np.savez(tmp_path / "inputs.npz", **serving.inputs(sample, published.tables_inside))
    code = (
        "import sys, numpy as np, tensorflow as tf\n"
        "loaded = tf.saved_model.load(sys.argv[1])\n"
        "inputs = {k: tf.constant(v) for k, v in np.load(sys.argv[2]).items()}\n"
        "np.save(sys.argv[3], loaded.signatures['score_request'](**inputs)['click'].numpy())\n"
        "assert not {'features', 'models', 'serving_signatures'} & set(sys.modules)\n"
    )
    paths = [published.exported.folder, tmp_path / "inputs.npz", tmp_path / "click.npy"]
    subprocess.run([sys.executable, "-c", code, *map(str, paths)], check=True, cwd=tmp_path)
    expected = serving.oracle(published.model, sample)["click"]
    np.testing.assert_allclose(np.load(paths[2]), expected, atol=serving.TOLERANCE)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("text",), r"are \{'text': 12\}.*trained with \{'text': 12, 'image': 9\}"),
        (("text", "image", "audio"), "audio"),
    ],
)
def test_embedding_sets_of_other_modalities_are_refused(model, embeddings, given, message):
    sets = {name: embeddings.get(name, embeddings["text"]) for name in given}
    with pytest.raises(UserInputError, match=message):
        ServingSignatures(model, sets)


def test_embedding_sets_of_another_width_are_refused(model, embeddings):
    with pytest.raises(UserInputError, match=r"'image': 12"):
        ServingSignatures(model, dict.fromkeys(embeddings, embeddings["text"]))
