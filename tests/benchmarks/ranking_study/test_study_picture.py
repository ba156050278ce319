"""The picture of the study says what its rows say."""

import re
from xml.etree import ElementTree

from benchmarks.ranking_study import study_picture


def row(data, model, rank, behind, tied):
    return {"data": data, "model": model, "rank": rank, "behind": behind, "tied": tied}


HELD = {
    "data": [{"name": "clicks"}, {"name": "market_none"}],
    "rows": [
        row("clicks", "dmf", 1, 0.0, True),
        row("market_none", "dmf", 2, 0.0004, True),
        row("clicks", "din", 2, 0.3, False),
        row("market_none", "din", 1, 0.0, True),
        row("clicks", "dmf_shuffled", None, None, None),
    ],
    "summary": [
        {"model": "dmf", "mean_rank": 1.5},
        {"model": "din", "mean_rank": 1.5},
        {"model": "dmf_shuffled", "mean_rank": None},
    ],
}


def test_a_cell_is_how_far_a_model_is_behind_and_rings_are_ties():
    drawn = study_picture.draw(HELD)
    root = ElementTree.fromstring(drawn)
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[:4] == ["mean rank", "clicks", "market", "none"]
    assert texts[4:12] == ["DMF", "1.5", "best", "−.0004", "DIN", "1.5", "−.3000", "best"]
    assert drawn.count("stroke-width") == 3
    # What is far behind is as light as it gets, and no cell is lighter.
    assert set(re.findall(r"rgb\(.*?\)", drawn)) == {
        "rgb(8, 81, 156)",
        "rgb(10, 82, 157)",
        "rgb(239, 246, 252)",
    }
