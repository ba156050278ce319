"""TensorFlow's C++ loader and session, without Python's TensorFlow, score the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from serving_signatures.export import parity_process
from tests.serving_signatures import serving
from tests.serving_signatures.export import c_session

STALE = b"deadbeef00000000"


def signature_defs(folder):
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString(Path(folder, "saved_model.pb").read_bytes())
    (meta,) = proto.meta_graphs
    assert list(meta.meta_info_def.tags) == ["serve"]
    return {name: one for name, one in meta.signature_def.items() if not name.startswith("__")}


def calls_of(published):
    """Inputs by call: each signature once, and `score_cached` once with a stale tag."""
    sample = serving.requests((3, 7, 8), published.embeddings)
    inputs = serving.inputs(sample, published.tables_inside)
    cached = parity_process.cached_inputs(published.signatures, inputs)
    stale = np.array([*cached["id_tag"][:2], STALE], object)
    return {
        "serving_default": {"examples": sample["examples"]},
        "score_request": inputs,
        "score_cached": cached,
        **parity_process.projection_inputs(inputs, "candidate_"),
        "score_cached-stale": {**cached, "id_tag": stale},
    }


@pytest.mark.slow(seconds=30)
def test_the_c_loader_scores_as_the_reloaded_signatures(published, tmp_path):
    calls = calls_of(published)
    definitions = signature_defs(published.exported.folder)
    for name, inputs in calls.items():
        definition = definitions[name.split("-")[0]]
        tensors = {
            "inputs": {key: info.name for key, info in definition.inputs.items()},
            "outputs": {key: info.name for key, info in definition.outputs.items()},
        }
        assert inputs.keys() == tensors["inputs"].keys()
        (tmp_path / f"{name}.json").write_text(json.dumps(tensors))
        np.savez(tmp_path / f"{name}.npz", **inputs)
    (library,) = Path(tf.__file__).parent.glob("libtensorflow_cc.so*")
    command = [sys.executable, "-I", c_session.__file__, library, published.exported.folder]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [*map(str, command), str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    for name in definitions:
        with np.load(tmp_path / f"{name}.out.npz", allow_pickle=True) as arrays:
            received = dict(arrays)
        expected = parity_process.call(published.signatures[name], calls[name])
        assert received.keys() == expected.keys()
        for output, value in expected.items():
            if value.dtype.kind == "f":
                np.testing.assert_allclose(received[output], value, atol=1e-6, err_msg=name)
            else:
                np.testing.assert_array_equal(received[output], value, err_msg=name)
    refused = (tmp_path / "score_cached-stale.error").read_text()
    assert refused.startswith("code 3: "), "INVALID_ARGUMENT"
    assert published.exported.tags["id_tag"] in refused and STALE.decode() in refused
