"""Tables and figures of a recorded study, by name."""

import pytest

from docs_build import results, study_figures
from docs_build.tables import study


def row(data, model, rank, auc, **more):
    difference = {f"relative_percent{end}": 1.5 for end in ("", "_low", "_high")}
    return {
        "data": data,
        "model": model,
        "rank": rank,
        "tied": rank == 1,
        "behind": 0.0,
        "calibrated": True,
        **{f"{name}_mean": auc for name in ("auc", "gauc", "ne")},
        **{f"{name}_std": 0.0 for name in ("auc", "gauc")},
        "calibration_mean": 1.01,
        "gauc_difference": difference,
        **more,
    }


@pytest.fixture
def held(monkeypatch):
    trained = {"unit": "passes", "amount": 4.0, "best": 2.5, "reasons": {"patience": 3}}
    rows = [
        row("clicks", "dmf", 1, 0.8, trained=trained),
        row("clicks", "dmf_shuffled", None, 0.6),
        row("clicks", "din", 2, 0.7),
    ]
    shares = {"share_tied": 1.0, "closed": None}
    summary = [
        {"model": "dmf", "mean_rank": 1.0, **shares},
        {"model": "din", "mean_rank": 2.0, **shares},
        {"model": "dmf_shuffled", "mean_rank": None, "share_tied": None, "closed": 0.054},
    ]
    data = [{"name": "clicks", "candidates": {"train": 900, "test": 250}}]
    study_held = {"data": data, "rows": rows, "summary": summary, "processor_hours": 1.25}
    monkeypatch.setattr(results, "load", lambda file: study_held)
    return study_held


def test_tables_of_all_data_sets_and_of_one(held):
    tables = study.tables_of(held)
    assert sorted(tables) == ["study.clicks", "study.ranks", "study.summary"]
    ranks = tables["study.ranks"]().splitlines()
    assert ranks[0] == "| model | mean rank | best or tied | of the distance | clicks |"
    assert ranks[2] == "| **DMF** | **1.0** | **100%** |  | **0.8000 / 0.8000 (1*)** |"
    models = tables["study.clicks"]().splitlines()[2:]
    assert [line.split(" | ")[0] for line in models] == [
        "| **DMF**",
        "| DIN",
        "| DMF, vectors shuffled (control)",
    ]
    assert "**2.5 of 4.0 passes (patience)**" in models[0]
    summary = tables["study.summary"]().splitlines()
    assert summary[0] == "| model | mean rank | best or tied | clicks |"
    assert summary[2:] == ["| **DMF** | **1.0** | **100%** | **+1.5** |"]


def test_figures_by_data_set_and_over_all(held):
    texts = {name: one.text() for name, one in study_figures.figures_of(held).items()}
    assert texts["study.clicks.dmf.auc"] == "0.8000"
    assert texts["study.clicks.din.gauc_gain"] == "+1.50"
    assert texts["study.dmf.mean_rank"] == "1.0"
    assert texts["study.dmf.tied_percent"] == "100"
    assert texts["study.clicks.din.gauc_gain_low"] == "+1.50"
    assert texts["study.clicks.candidates"] == "1,150"
    assert texts["study.clicks.dmf.behind"] == "0.0000"
    assert texts["study.dmf_shuffled.closed_percent"] == "5"
    assert "study.dmf_shuffled.mean_rank" not in texts
    assert "study.clicks.dmf_shuffled.behind" not in texts
