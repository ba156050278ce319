"""The report's ledger: every row that was read is somewhere, label events and negatives too."""

import pytest

from pipeline.report.blocks import Ledger
from pipeline.report.sections import data_section

COUNTS = {
    "read": 100,
    "written": 70,
    "attributed": {"click": 12, "conversion": 3},
    "quarantined": {"user_id is null": 4},
    "dropped": {"duplicate": 5, "click_late": 6},
    "negatives": {"drawn": 280, "missing": 0},
}


def ledger(counts):
    (found,) = (
        block
        for block in data_section.section({"manifest": {"counts": counts}}).blocks
        if isinstance(block, Ledger)
    )
    return found


def test_label_events_are_accounted_for():
    found = ledger(COUNTS)
    assert ("15", "set a label") in found.terms
    assert found.adds_up
    assert "6 click late" in found.note
    assert "280 negatives drawn" in found.note


@pytest.mark.parametrize("lost", ["written", "attributed", "quarantined", "dropped"])
def test_a_lost_row_is_seen(lost):
    value = COUNTS[lost]
    fewer = value - 1 if isinstance(value, int) else {key: n - 1 for key, n in value.items()}
    assert not ledger({**COUNTS, lost: fewer}).adds_up
