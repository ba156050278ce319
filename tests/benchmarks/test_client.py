"""Three real servers: calls are spread, and none fails when one is killed."""

import os

import pytest

from benchmarks import client
from serving_signatures.export.saved_model import export_saved_model
from tests import synthetic
from tests.serving_signatures import serving


@pytest.mark.slow(seconds=40)
def test_servers_hedging_metrics_and_a_kill_are_measured(tmp_path):
    folder, sets = str(tmp_path / "ctr"), synthetic.embedding_sets()
    exported = export_saved_model(serving.random_model(), folder, sets, batch_sizes=(1,))
    report = client.measure(os.path.dirname(exported.folder), 1.5, rounds=1, concurrency=2)
    assert list(report["servers"]) == ["1", "2", "3"]
    for count, rounds in report["servers"].items():
        (one,) = rounds
        assert one["failed"] == {} and len(one["calls"]) == int(count)
        assert sum(one["calls"]) == one["requests"]
        assert 0 < one["p50_ms"] <= one["p99_ms"]
    assert report["spread"] < 0.1
    assert report["kill"]["failed"] == {} and "calls" not in report["kill"]
    assert report["hedging"]["on"][0]["hedges"]
    assert 0 < report["metrics"]["recording_share_of_p50"] < 0.1
