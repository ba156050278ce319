"""The report: complete, self-contained, escaped, and saying what the data says."""

import copy
import json
import re
from html.parser import HTMLParser

import pytest

from features.similarity import CODES
from pipeline.report.page import render

METRICS = {"auc": 0.8, "gauc": 0.7, "logloss": 0.5, "ne": 0.75, "calibration": 0.98}
SECTIONS = [
    "data", "similarity", "training", "quality", "slices", "calibration", "latency", "attention",
    "request", "facts",
]  # fmt: skip


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
    }  # fmt: skip


@pytest.fixture
def data() -> dict:
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


@pytest.fixture
def page(tmp_path):
    def rendered(values: dict) -> Page:
        path = tmp_path / "report.html"
        render(values, str(path))
        assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
        return Page(path.read_text(encoding="utf-8"))

    return rendered


def test_every_section_is_there(data, page):
    found = page(data)
    assert found.sections == SECTIONS
    assert found.open == [], "an element is not closed"


@pytest.mark.parametrize("key", ["summary", "manifest", "training", "metrics", "latency",
                                 "bucket_effect", "attention_mass", "scored", "tags", "parity",
                                 "config", "environment", "command", "title", "label"])  # fmt: skip
@pytest.mark.parametrize("value", ["absent", None])
def test_any_part_may_be_missing(data, page, key, value):
    if value == "absent":
        del data[key]
    else:
        data[key] = value
    gone = {"training": "training", "latency": "latency",
            "scored": "request", "manifest": "similarity", "metrics": "calibration"}  # fmt: skip
    assert gone.get(key) not in page(data).sections


def test_attention_is_left_out_where_neither_bias_nor_mass_is_known(data, page):
    del data["bucket_effect"]
    assert "attention" in page(data).sections
    del data["attention_mass"]
    assert "attention" not in page(data).sections


def test_nothing_at_all(page):
    assert page({}).sections == []


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, one in value.items():
            yield (*path, key)
            yield from leaves(one, (*path, key))
    elif isinstance(value, list) and len(value) < CODES:
        for index, one in enumerate(value):
            yield (*path, index)
            yield from leaves(one, (*path, index))


def test_any_value_may_be_none(data, tmp_path):
    for path in leaves(data):
        if path.count("id_only") and path[-1] != "id_only":
            continue
        broken = copy.deepcopy(data)
        owner = broken
        for key in path[:-1]:
            owner = owner[key]
        owner[path[-1]] = None
        try:
            render(broken, str(tmp_path / "report.html"))
        except Exception as error:
            raise AssertionError(f"None at {path}") from error


def test_not_a_number_is_a_dash(data, page):
    data["metrics"]["dmf"]["auc"] = float("nan")
    data["latency"]["models"]["dmf"]["p50_ms"] = float("inf")
    found = page(data)
    assert not re.search(r"\b(nan|inf|None)\b", found.text)
    assert "AUC–0.8000–higher" in found.text.replace(" ", "")


def test_page_needs_nothing_else(data, page, tmp_path):
    found = page(data)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "http://" not in html and "https://" not in html
    assert "@import" not in html and "url(" not in html
    assert not {"script", "img", "iframe", "object"} & {tag for tag, _ in found.tags}
    for tag, attrs in found.tags:
        for name in ("src", "href"):
            target = attrs.get(name)
            assert target is None or target.startswith(("#", "data:")), (tag, target)


def test_every_drawing_says_what_is_seen(data, page):
    panels = [attrs for tag, attrs in page(data).tags if attrs.get("class") == "panel"]
    assert len(panels) == 19
    for attrs in panels:
        assert attrs["role"] == "img" and len(attrs["aria-label"]) > 20


@pytest.mark.parametrize(
    "path",
    [
        ("title",),
        ("label",),
        ("scored", "top", 0, "title"),
        ("scored", "history", 0, "title"),
        ("command",),
        ("tags", "id_tag"),
        ("config", "model", "name"),
    ],
)
def test_text_is_escaped(data, page, path):
    owner = data
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = '<script>alert("1")</script>\'&'
    found = page(data)
    assert "script" not in {tag for tag, _ in found.tags}
    assert '<script>alert("1")</script>\'&' in found.text


def test_modality_and_model_names_are_escaped(data, page):
    evil = '"><b onclick=1>x</b>'
    for owner in (data["manifest"]["similarity"], data["bucket_effect"]):
        owner[evil] = owner["text"]
    for owner in (data["latency"]["models"], data["training"], data["metrics"]):
        owner[evil] = owner["dmf"]
    assert all("onclick" not in attrs for _, attrs in page(data).tags)


def set_auc(data):
    data["metrics"]["dmf"]["slices"]["history_length"][1]["auc"] = 0.9


def set_latency(data):
    data["latency"]["models"]["early_fusion"]["p50_ms"] = 45.0


def set_quarantine(data):
    data["manifest"]["counts"]["quarantined"] = {"null_id": 14}


def set_similarity(data):
    similarity = data["manifest"]["similarity"]["text"]
    similarity["label_0"], similarity["label_1"] = similarity["label_1"], similarity["label_0"]


def set_history(data):
    data["manifest"]["splits"]["test"]["history_length"] = {"0": 9, "50": 81}


def set_curve(data):
    data["training"]["dmf"]["history"][1]["val_logloss"] = 0.5


def set_calibration(data):
    data["metrics"]["dmf"]["calibration_curve"][1]["observed"] = 0.5


def set_bias(data):
    data["bucket_effect"]["text"]["bias"][1] = [0.9, 0.7]


def set_type_bias(data):
    data["bucket_effect"]["text"]["bias_by_type"][1][1] = [2.0, 1.0]


def set_mass(data):
    data["attention_mass"]["text"]["mass"][1][3] = 0.15


def set_unknown(data):
    data["metrics"]["dmf"]["slices"]["similarity_text"][1]["auc"] = 0.55


def set_top(data):
    data["scored"]["top"][0]["probability"] = 0.5


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (set_auc, "at 1–4 (+0.0200, 123 candidates)", "at 1–4 (+0.2000, 123 candidates)"),
        (set_latency, "Early fusion 30.0 ms (3.00 times DMF)", "45.0 ms (4.50 times DMF)"),
        (set_quarantine, "= 980 written", "≠ 980 written"),
        # .75 * .625 + (.25 * .625 + .75 * .375) / 2
        (set_similarity, "the higher in 68.8% of draws", "the higher in 31.2% of draws"),
        # .4 + .1 of attention over .2 + .05 of behaviors
        (
            set_mass,
            "cosines 0.30 to 1.00 (2.00 times the share of behaviors)",
            "cosines 0.00 to 0.30 (1.00 times the share of behaviors)",
        ),
        (
            set_type_bias,
            "type 1 from −0.300 to +0.700, highest for cosines 0.30 to 1.00",
            "type 1 from 0.000 to +1.500, highest for cosines −1.00 to 0.00",
        ),
        (
            set_unknown,
            "smallest at unknown (0.0000, 60)",
            "smallest at unknown (−0.0500, 60)",
        ),
        (set_history, "no history: 1% of train and 3% of test", "1% of train and 10% of test"),
        (set_curve, "DMF: lowest validation log loss 0.5500 at step 10 (0.5600 at the end",
         "DMF: lowest validation log loss 0.5000 at step 20 (the end)"),
        (set_calibration, "DMF is 5.5 points off on average, most at a predicted 80%",
         "DMF is 17.5 points off on average"),
        (set_bias, "highest, +0.300 for cosines 0.30 to 1.00", "highest, +0.800"),
        (set_top, "“Alien” comes first with a predicted 91.0%", "a predicted 50.0%"),
    ],
)  # fmt: skip
def test_captions_follow_the_data(data, page, change, before, after):
    # The bias is told of buckets that have pairs; without counts, of all.
    if change is set_bias:
        del data["manifest"]["similarity"]
    text = page(data).text
    assert before in text and after not in text
    change(data)
    text = page(data).text
    assert after in text and before not in text


def test_headline_compares_with_the_baseline(data, page):
    assert "0.8200 +0.0200 against ID-only" in page(data).text
    data["metrics"]["dmf"]["auc"] = 0.79
    found = page(data)
    assert "0.7900 −0.0100 against ID-only" in found.text
    assert "note bad" in {attrs.get("class") for _, attrs in found.tags}


def test_label_is_called_by_its_name(data, page):
    assert not re.search(r"\bclick|\bCTR\b", page(data).text, flags=re.IGNORECASE)


def test_a_second_label_has_a_table_of_its_own(data, page):
    assert "Held-out metrics of" not in page(data).text
    for name, auc in (("dmf", 0.71), ("id_only", 0.68)):
        data["metrics"][name]["labels"] = {"conversion": evaluation(auc)}
    text = page(data).text
    assert "Held-out metrics of conversion" in text
    assert "AUC0.71000.6800+0.0300" in text.replace(" ", "")


def test_data_survives_json(data, page):
    assert page(json.loads(json.dumps(data))).sections == SECTIONS
