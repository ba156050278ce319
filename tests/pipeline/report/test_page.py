"""The report: complete, self-contained and escaped."""

import copy
import json
import re

import pytest

from features.embeddings.similarity import CODES
from pipeline.report.page import SECTIONS as SECTIONS_BY_NAME
from pipeline.report.page import render
from tests.pipeline.report import report_page

SECTIONS = [
    "data", "similarity", "training", "quality", "slices", "calibration", "latency", "attention",
    "request", "facts",
]  # fmt: skip


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


def test_any_value_may_be_none(data, tmp_path, caplog):
    for path in leaves(data):
        if path.count("id_only") and path[-1] != "id_only":
            continue
        broken = copy.deepcopy(data)
        owner = broken
        for key in path[:-1]:
            owner = owner[key]
        owner[path[-1]] = None
        try:
            render(broken, str(tmp_path / "report.html"), report_page.readers(path[0]))
        except Exception as error:
            raise AssertionError(f"None at {path}") from error
        assert not caplog.records, f"None at {path}"


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


def test_label_is_called_by_its_name(data, page):
    assert not re.search(r"\bclick|\bCTR\b", page(data).text, flags=re.IGNORECASE)


def test_a_second_label_has_a_table_of_its_own(data, page):
    assert "Held-out metrics of" not in page(data).text
    for name, auc in (("dmf", 0.71), ("id_only", 0.68)):
        data["metrics"][name]["labels"] = {"conversion": report_page.evaluation(auc)}
    text = page(data).text
    assert "Held-out metrics of conversion" in text
    assert "AUC0.71000.6800+0.0300" in text.replace(" ", "")


def test_data_survives_json(data, page):
    assert page(json.loads(json.dumps(data))).sections == SECTIONS


def test_a_section_that_fails_is_left_out_and_named(data, tmp_path, caplog):
    def failing(values):
        raise ZeroDivisionError("no candidate")

    path = tmp_path / "report.html"
    render(data, str(path), {**SECTIONS_BY_NAME, "attention": failing})
    html = path.read_text()
    assert 'id="attention"' not in html and 'id="quality"' in html and 'id="facts"' in html
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith("Left out: the report's attention section (ZeroDivisionError in ")
    assert message.endswith(": no candidate).")
