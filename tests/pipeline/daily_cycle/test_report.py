"""The pages of the cycle: one per part, and one over all, made of the ledger's records."""

import pytest

from pipeline.daily_cycle import ledger, report
from pipeline.daily_cycle.config import CycleConfig
from pipeline.daily_cycle.cycle import LEDGER
from pipeline.daily_cycle.ledger import Done, Ledger

STEPS = ("inspect_log", "load", "promote")
PARTS = ("2026-05-01", "2026-05-02", "2026-05-03")


@pytest.fixture
def config(tmp_path):
    return CycleConfig(
        work=str(tmp_path / "work"),
        events="log/{part}",
        join={"splits": "train:..2030-01-01,test:2030-01-01.."},
    )


def finish(config, part, version, **loaded):
    """Writes the records of a part that was promoted."""
    records = Ledger(config.folder(LEDGER), part)
    outcomes = ({}, {"loaded": loaded}, {"version": version, "label": "stable"})
    for step, outcome in zip(STEPS, outcomes, strict=True):
        records.write_done(step, Done("key", outcome, ledger.now(), 61.0))


def index(config):
    with open(config.folder(report.FOLDER, report.INDEX), encoding="utf-8") as page:
        return page.read()


def test_parts_link_to_their_pages_and_say_what_became_of_them(config):
    finish(config, PARTS[0], 7)
    report.write(config, PARTS[0], STEPS)
    stopped = Ledger(config.folder(LEDGER), PARTS[1])
    stopped.write_stopped("inspect_log", "half of the rows <are> missing")
    report.write(config, PARTS[1], STEPS)
    finish(config, PARTS[2], 8)  # Killed before its page was written.
    report.write(config, PARTS[1], STEPS)
    page = index(config)
    for part in PARTS[:2]:
        assert f'<a href="{part}.html">{part}</a>' in page
        with open(config.folder(report.FOLDER, f"{part}.html"), encoding="utf-8") as own:
            assert part in own.read()
    assert PARTS[2] in page and f"{PARTS[2]}.html" not in page
    assert "7 stable" in page and "8 stable" in page
    assert "stopped at inspect_log" in page and "half of the rows &lt;are&gt; missing" in page


def test_what_was_loaded_is_said_and_amounts_begin_at_zero(config):
    finish(config, PARTS[0], 7)
    finish(config, PARTS[1], 8, id_projections={"rows": 1200, "tag": "0123abcd"})
    for part, expected in (
        (PARTS[0], "no store is configured"),
        (PARTS[1], "id_projections: 1,200 rows of tag 0123abcd"),
    ):
        report.write(config, part, STEPS)
        with open(config.folder(report.FOLDER, f"{part}.html"), encoding="utf-8") as own:
            assert expected in own.read()
    seconds = index(config).split('aria-label="Seconds of all steps')[1].split("</svg>")[0]
    assert ">0<" in seconds  # Both took 183 s.


def test_a_name_cannot_leave_its_link(config):
    part = 'a"b %41#c'
    finish(config, part, 1)
    report.write(config, part, STEPS)
    assert '<a href="a%22b%20%2541%23c.html">a&#34;b %41#c</a>' in index(config)
