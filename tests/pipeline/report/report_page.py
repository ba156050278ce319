"""A small run's values as the report takes them, and the page that it makes of them."""

import functools
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

from features.embeddings.similarity import CODES
from pipeline.report.page import SECTIONS, Maker, render

METRICS = {"auc": 0.8, "gauc": 0.7, "logloss": 0.5, "ne": 0.75, "calibration": 0.98}


def codes(*counts: tuple[int, int]) -> list[int]:
    histogram = [0] * CODES
    for code, count in counts:
        histogram[code] = count
    return histogram


def evaluation(auc: float) -> dict:
    return {
        **METRICS,
        "auc": auc,
        "candidates": 900,
        "positives": 400,
        "gauc_users": {"scored": 31, "left_out": 5},
        "calibration_curve": [
            {"predicted": 0.2, "observed": 0.25, "count": 450},
            {"predicted": 0.8, "observed": 0.74, "count": 450},
        ],
        "slices": {
            "history_length": [
                {"slice": "0", "candidates": 77, "auc": None, "gauc": None},
                {"slice": "1-4", "candidates": 123, "auc": auc - 0.1, "gauc": 0.6},
                {"slice": "5+", "candidates": 700, "auc": 0.78, "gauc": 0.65},
            ],
            "item_train_count": [{"slice": "0", "candidates": 40, "auc": auc, "gauc": None}],
            "similarity_text": [
                {"slice": "known", "candidates": 800, "auc": auc, "gauc": 0.7},
                {"slice": "unknown", "candidates": 60, "auc": 0.6, "gauc": None},
            ],
        },
    }


def split(requests: int) -> dict:
    return {
        "requests": requests,
        "candidates": 2 * requests,
        "positives": {"liked": requests},
        "candidates_per_request": {"1": requests - 1, str(requests + 1): 1},
        "history_length": {"0": 3, "50": requests - 3},
        "time_range": [789652009000000, 1239571315000000],
    }


def training(loss: float) -> dict:
    return {
        "steps": 20,
        "seconds": 2.0,
        "candidates_per_second": 4321.0,
        "history": [
            {"step": 10, "loss": 0.7, "logloss": 0.7, "auc": 0.6, "val_logloss": loss,
             "val_auc": 0.65},
            {"step": 20, "loss": 0.6, "logloss": 0.6, "auc": None, "val_logloss": loss + 0.01,
             "val_auc": 0.7},
        ],
        "stopped": {
            "reason": "max_seconds", "passes": 0.5, "best_step": 20, "best_passes": 0.5,
            "sentence": "Stopped after 0.5 passes: training.max_seconds=9 is over",
        },
    }  # fmt: skip


def run_values() -> dict:
    return {
        "title": "A small run",
        "label": "liked",
        "summary": {
            "join": {
                "events_read": 1000, "requests_written": 450, "candidates_written": 980,
                "quarantined": 15, "dropped": 5, "seconds": 1.5,
            },
            "train": {"candidates_per_second": 4321.0, "steps": 20, "seconds": 2.0},
            "metrics": {"dmf": METRICS, "id_only": METRICS},
            "export": {
                "saved_model": "/m/1",
                "signatures": ["serving_default"],
                "parity_max_abs_diff": 1e-7,
            },
            "serving": {
                "candidates": 1200,
                "history_length": 50,
                "latency_ms": {"id_only": 5.0, "dmf": 10.0, "early_fusion": 30.0},
            },
            "phases": {"join": 1.5, "train_dmf": 2.0},
        },
        "manifest": {
            "counts": {
                "read": 1000,
                "written": 980,
                "quarantined": {"null_id": 15},
                "dropped": {"duplicate": 5, "outside_splits": 0},
            },
            "parameters": {"history_length": 50, "labels": ["liked"]},
            "splits": {"test": split(90), "train": split(400)},
            "embedding_sets": {"text": {"coverage": 0.91, "dimension": 8, "items": 55}},
            "similarity": {
                "text": {
                    "label_0": codes((0, 50), (140, 5000), (180, 3000)),
                    "label_1": codes((0, 50), (140, 2000), (180, 6000)),
                }
            },
        },
        "training": {"dmf": training(0.55), "id_only": training(0.58)},
        "metrics": {"dmf": evaluation(0.82), "id_only": evaluation(0.8)},
        "latency": {
            "candidates": 1200,
            "history_length": 50,
            "models": {
                "id_only": {"p50_ms": 5.0, "p99_ms": 6.0, "samples_ms": [5.0, 4.9, 5.2]},
                "dmf": {"p50_ms": 10.0, "p99_ms": None, "samples_ms": []},
                "early_fusion": {"p50_ms": 30.0, "p99_ms": 33.0, "samples_ms": [30.0]},
            },
        },
        "bucket_effect": {
            "text": {
                "edges": [0.0, 0.3],
                "bias": [[0.0, 0.0], [-0.2, 0.1], [0.1, 0.0], [0.4, 0.2]],
                "bias_by_type": [
                    [[0.0, 0.0], [0.1, 0.3], [0.2, 0.0], [-0.3, 0.1]],
                    [[0.0, 0.0], [-0.5, -0.1], [0.0, 0.0], [1.1, 0.3]],
                ],
            }
        },
        "attention_mass": {
            "text": {
                "edges": [0.0, 0.3],
                "mass": [[0.0, 0.1, 0.1, 0.1], [0.05, 0.1, 0.15, 0.4]],
                "behaviors": [[0.05, 0.2, 0.1, 0.05], [0.05, 0.2, 0.15, 0.2]],
            }
        },
        "scored": {
            "user": "17",
            "history": [{"title": "Heat", "type": "liked"}, {"title": "Up", "type": "not liked"}],
            "top": [{"title": "Alien", "probability": 0.91}, {"title": "Fargo"}],
            "candidates": 1200,
        },
        "tags": {"id_tag": "abc", "target_aware_tag": "def"},
        "parity": {
            "differences": {"score_request R=1": 1e-7},
            "max_abs_diff": 1e-7,
            "foreign_ops": [],
            "wrong_tags_refused": True,
            "signatures": ["serving_default", "score_request"],
        },
        "config": {"model": {"name": "dmf", "seed": None}},
        "environment": {"python": "3.11"},
        "command": "python -m pipeline.run",
    }  # fmt: skip


class Page(HTMLParser):
    """Tags, anchors of sections, and what a reader reads."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data

    @property
    def sections(self) -> list[str | None]:
        return [attrs.get("id") for tag, attrs in self.tags if tag == "section"]


class Reads(Mapping):
    """Values of a run that know which of them were read."""

    def __init__(self, values: dict):
        self._values, self.read = values, set()

    def __getitem__(self, key):
        self.read.add(key)
        return self._values[key]

    def __iter__(self):
        raise AssertionError("A section reads what it names.")

    def __len__(self):
        return len(self._values)


@functools.cache
def readers(key: str) -> dict[str, Maker]:
    """Makers of the sections that read one of a run's values: a change of it changes no other."""
    found = {}
    for name, make in SECTIONS.items():
        reads = Reads(run_values())
        make(reads)
        if key in reads.read:
            found[name] = make
    return found


def rendered(values: dict, folder: Path, sections: Mapping[str, Maker] = SECTIONS) -> Page:
    """Renders the page into an empty folder, or again, and reads it."""
    path = folder / "report.html"
    render(values, str(path), sections)
    assert [one.name for one in folder.iterdir()] == ["report.html"]
    return Page(path.read_text(encoding="utf-8"))
