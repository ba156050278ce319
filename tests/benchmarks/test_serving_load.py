"""A short load: the server answers, and its memory stays."""

import os
import shutil

import numpy as np
import pytest

from benchmarks import serving_load
from features.errors import UserInputError
from serving_signatures.export.saved_model import export_saved_model
from tests import synthetic
from tests.serving_signatures import serving


@pytest.mark.slow(seconds=20)
def test_memory_stays_under_load(tmp_path):
    exported = export_saved_model(
        serving.random_model(), str(tmp_path / "ctr"), synthetic.embedding_sets(), batch_sizes=(1,)
    )
    report = serving_load.measure(os.path.dirname(exported.folder), seconds=20, concurrency=2)
    assert report["requests"] > 10
    assert report["refused"] > 0
    assert set(report["latency_ms"]) == {"score_request", "score_cached"}
    assert report["counts"]["id_projections.hits"] > 0
    assert report["counts"]["id_projections.misses"] > 0
    rss = report["rss_mib"]
    # A leak of one request's tensors, about a mebibyte, would be ten times as much.
    assert report["growth_mib"] < 0.1 * rss["after_warmup"], rss
    assert np.ptp(rss["samples"][len(rss["samples"]) // 2 :]) < 0.1 * rss["end"], rss


def test_a_folder_without_a_model_is_refused(tmp_path):
    shutil.rmtree(tmp_path)
    with pytest.raises(UserInputError, match="nothing to serve"):
        serving_load.measure(str(tmp_path), seconds=1, concurrency=1)
