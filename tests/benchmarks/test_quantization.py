"""The measured error of quantization is what the definition of the code says."""

import json
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from benchmarks import quantization
from features.embeddings import similarity
from features.embeddings.embedding_set import write_embedding_set
from tests.conftest import REPOSITORY

_HALF_A_CODE = 0.5 / 127


def _vectors(count: int, width: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((count, width)).astype(np.float32)


def test_vectors_of_int8_lose_only_the_rounding_of_the_code():
    vectors = np.random.default_rng(1).integers(-126, 127, (50, 16)).astype(np.float32)
    vectors[:, 0] = 127
    found = quantization.measure(vectors)
    assert found["quantized_largest_error"] < 1e-12
    assert 0 < found["code_largest_error"] <= _HALF_A_CODE + 1e-7
    assert found["pairs"] == 50 * 49 / 2


def test_errors_and_ranks_are_those_of_each_pair():
    vectors = _vectors(30, 8)
    found = quantization.measure(vectors)
    quantized, norms = similarity.quantize(vectors)
    codes = similarity.codes(quantized, norms, quantized, norms)
    errors, correlations = [], []
    for one in range(30):
        others = [other for other in range(30) if other != one]
        exact = [
            float(np.dot(vectors[one], vectors[other].astype(np.float64)))
            / np.linalg.norm(vectors[one].astype(np.float64))
            / np.linalg.norm(vectors[other].astype(np.float64))
            for other in others
        ]
        errors += list(abs(similarity.cosine_of_code(codes[one, others]) - exact))
        correlations.append(stats.spearmanr(exact, codes[one, others]).statistic)
    assert found["code_mean_error"] == pytest.approx(np.mean(errors))
    assert found["code_largest_error"] == pytest.approx(np.max(errors))
    assert found["mean_rank_correlation"] == pytest.approx(np.mean(correlations))
    assert found["least_rank_correlation"] == pytest.approx(np.min(correlations))
    assert 0 < found["other_bucket"] < 0.2


def test_command_leaves_zero_vectors_out(tmp_path):
    vectors = _vectors(20, 8)
    vectors[4] = 0
    write_embedding_set(str(tmp_path / "set"), np.arange(20), vectors, "encoder", "1")
    output = tmp_path / "quantization.json"
    command = [sys.executable, "-m", "benchmarks.quantization", "--items=10"]
    command += [f"--embeddings=random={tmp_path / 'set'}", f"--output={output}"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(output.read_text())
    (row,) = result["rows"]
    assert (row["set"], row["set_items"], row["items"]) == ("random", 19, 10)
    assert {"command", "environment"} <= set(result)
