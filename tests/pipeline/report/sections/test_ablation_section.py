"""What carries the model: bars that end at their loss, whiskers at their interval, findings."""

import re

import pytest

from pipeline.report.sections import ablation_section


def lost(value: float) -> dict:
    return {
        "gauc_loss": value,
        "gauc_loss_interval": [value - 0.01, value + 0.01],
        "auc_loss": None,
        "auc_loss_interval": None,
    }


@pytest.fixture
def data() -> dict:
    others = {"attention": lost(0.02), "content": lost(0.04), "id_only": lost(-0.02)}
    slices = [{"slice": "1-4", "candidates": 1200, "auc": 0.7, "others": {"content": lost(0.1)}}]
    figures = {
        "findings": ["Content <b>adds</b>."],
        "others": others,
        "slices": {"history_length": slices},
    }
    return {"metrics": {"dmf": {"auc": 0.8, "ablation": figures}, "id_only": {"auc": 0.7}}}


def test_bars_are_in_order_and_end_at_their_loss(data: dict) -> None:
    table, figure, details = ablation_section.section(data).blocks
    assert table.rows == [["1", "Content <b>adds</b>."]]
    drawn = str(figure.drawings[0].svg)
    names = re.findall(r'class="row"[^>]*>([^<]+)<', drawn)
    assert names == ["ID-only", "all content", "in attention"]
    bars = re.findall(r'<rect class="fill s1"[^>]* x="([\d.]+)"[^>]* width="([\d.]+)"', drawn)
    (zero,) = re.findall(r'<line class="zero" x1="([\d.]+)"', drawn)
    ends = [float(x) - float(zero) for x, _ in bars[:1]]
    ends += [float(x) + float(width) - float(zero) for x, width in bars[1:]]
    assert ends == pytest.approx([-ends[2], 2 * ends[2], ends[2]], abs=0.3)
    assert drawn.count('class="whisker"') == 3
    (row,) = details.table.rows
    assert row[:3] == ["1–4", "1,200", "0.7000"]


def test_a_page_shows_the_findings_as_text(page, data: dict) -> None:
    assert "Content <b>adds</b>." in page(data).text
    del data["metrics"]["dmf"]["ablation"]
    assert ablation_section.section(data) is None
