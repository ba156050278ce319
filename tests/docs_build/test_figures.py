"""Every figure comes from its file."""

import json

import pytest

from docs_build import results
from docs_build.figures import FIGURES
from tests.conftest import REPOSITORY


@pytest.mark.parametrize("file", sorted({figure.file for figure in FIGURES.values()}))
def test_every_figure_of_a_file_is_a_number(file):
    for name, figure in FIGURES.items():
        if figure.file == file:
            text = figure.text()
            assert float(text.replace(",", "").replace("−", "-")) is not None, name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("join.rowwise_ratio", "54"),
        ("join.rowwise_bytes_ratio", "127"),
        ("join.limit_ratio", "0.63"),
        ("join.seconds", "5.9"),
        ("training.head_limit_ratio", "7.1"),
        ("optimizers.adam.10000000_ms", "1,068.4"),
        ("daily.cycle.processor_seconds", "542"),
        ("content_lookup.buckets_bytes_per_item", "12.2"),
    ],
)
def test_a_figure_as_the_pages_show_it(name, text):
    assert FIGURES[name].text() == text


def test_a_figure_follows_its_file(monkeypatch):
    path = REPOSITORY / "benchmarks/results/join.json"
    changed = {**json.loads(path.read_text(encoding="utf-8")), "ratio_rowwise": 61.7}
    monkeypatch.setattr(results, "load", lambda file: changed)
    assert FIGURES["join.rowwise_ratio"].text() == "62"


def _served(**values):
    return {"candidates": 1200, "concurrency": 1, "signature": "score_request", **values}


SERVING = {
    "rows": [
        _served(model="dmf", history_length=200, candidates=100, p50_ms=1.0),
        _served(model="dmf", history_length=200, p50_ms=10.84),
        _served(model="dmf", history_length=1000, signature="score_cached", p50_ms=28.16),
        _served(model="id_only", history_length=1000, signature="score_cached", p50_ms=2.0),
    ],
    "ratios": [
        {
            "history_length": 200,
            "concurrency": concurrency,
            "signature": signature,
            "qps_over_early_fusion": 4.0 * concurrency + (signature == "score_cached"),
            "latency_over_id_only": 3.1 * concurrency,
        }
        for concurrency in (1, 4)
        for signature in ("score_request", "score_cached")
    ],
}
"""As `benchmarks.serving` writes it, with times that name the row that they are of."""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("serving.dmf.200_ms", "10.8"),
        ("serving.dmf_cached.1000_ms", "28.2"),
        ("serving.over_early_fusion.200", "4.0"),
        ("serving.over_early_fusion.cached.200_at_4", "17.0"),
        ("serving.over_id_only.200", "3.1"),
    ],
)
def test_a_figure_of_serving_is_of_its_row(name, text, monkeypatch):
    monkeypatch.setattr(results, "load", {"serving.json": SERVING}.__getitem__)
    assert FIGURES[name].text() == text
