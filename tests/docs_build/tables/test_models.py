"""The tables that compare the models."""

from docs_build import results
from docs_build.tables.models import TABLES
from models.factory import MODELS


def rows(name):
    """Returns the cells of a table's rows, without its head."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TABLES[name]().splitlines()[2:]
    ]


def test_every_model_is_compared_and_only_the_baseline_has_no_gain():
    found = rows("models.comparison")
    assert sorted(row[0] for row in found) == sorted(f"[`{name}`](#{name})" for name in MODELS)
    assert [row[0] for row in found if not row[3]] == ["[`id_only`](#id_only)"]
    ranks = [float(row[2]) for row in found]
    assert ranks == sorted(ranks, reverse=True)


def test_cost_is_a_multiple_of_id_only(monkeypatch):
    rate = {
        ("dmf", "score_request"): 1 / 3.1,
        ("dmf", "score_cached"): 1 / 2.9,
        ("dmf_materialized", "score_request"): 1 / 13,
        ("early_fusion", "score_request"): 1 / 22.2,
    }
    held = [
        {
            "model": model,
            "signature": signature,
            "candidates": candidates,
            "concurrency": concurrency,
            "history_length": length,
            # Every other row would show another number.
            "rate_to_id_only": ratio / (length / 200) * (candidates / 1200) / concurrency,
        }
        for (model, signature), ratio in rate.items()
        for candidates in (100, 1200)
        for concurrency in (1, 4)
        for length in (50, 200, 1000)
    ]
    monkeypatch.setattr(results, "load", {"serving.json": {"rows": held}}.__getitem__)
    assert rows("models.cost")[1] == ["200", "3.1", "2.9", "13.0", "22.2"]
    assert rows("models.cost")[2][:2] == ["1,000", "15.5"]
