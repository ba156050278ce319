"""Ranks, ties and shares from rows whose figures are given."""

import pytest

from benchmarks.ranking_study import quality_protocol, quality_ranks, rank_report

TRUTH = {"item_rate": {"auc": 0.6}, "without_position": {"auc": 0.8}, "bayes": {"auc": 0.9}}


def row(model, aucs, gaucs=None, data="one", calibration=1.0):
    """A row as `quality_rows` makes it, as far as ranks need it."""
    gaucs = gaucs or aucs
    return {
        "data": data,
        "model": model,
        "auc_by_seed": aucs,
        "gauc_by_seed": gaucs,
        "auc_mean": sum(aucs) / len(aucs),
        "gauc_mean": None if None in gaucs else sum(gaucs) / len(gaucs),
        "calibration_mean": calibration,
    }


def by_model(rows):
    return {one["model"]: one for one in rows}


def test_rows_rank_by_the_mean_of_both_figures():
    rows = [row("a", [0.7], [0.6]), row("b", [0.6], [0.8]), row("c", [0.5], [0.5])]
    found = by_model(quality_ranks.ranked(rows, None))
    assert [found[name]["rank"] for name in "abc"] == [2, 1, 3]
    assert found["a"]["behind"] == pytest.approx(0.05)
    assert "closed" not in found["a"]


def test_a_row_within_the_spread_is_tied():
    rows = [
        row("best", [0.7000, 0.7000]),
        row("near", [0.6992, 0.6992]),  # Closer than .001.
        row("far", [0.6988, 0.6988]),
        row("wide", [0.6900, 0.7050]),  # Its own seeds differ by more.
    ]
    found = by_model(quality_ranks.ranked(rows, None))
    assert {name: one["tied"] for name, one in found.items()} == {
        "best": True,
        "near": True,
        "far": False,
        "wide": True,
    }
    assert found["far"]["spread"] == quality_protocol.LEAST_SPREAD
    assert found["wide"]["spread"] == pytest.approx(0.0106, abs=1e-4)
    # The spread of the best counts as well.
    rows[0] = row("best", [0.695, 0.706])
    assert by_model(quality_ranks.ranked(rows, None))["far"]["tied"]


def test_a_control_has_no_rank_and_takes_none():
    rows = [row("dmf", [0.7]), row("dmf_shuffled", [0.71]), row("din", [0.6])]
    found = by_model(quality_ranks.ranked(rows, None))
    assert [found[one]["rank"] for one in ("dmf", "dmf_shuffled", "din")] == [1, None, 2]
    assert found["dmf_shuffled"]["tied"] is None


def test_the_share_of_the_distance_is_between_item_rate_and_what_can_be_known():
    (found,) = quality_ranks.ranked([row("dmf", [0.75], [0.5])], TRUTH)
    assert found["closed"] == pytest.approx(0.75)
    # The row of the item's rate is where the distance begins, if there is one.
    rows = [row("dmf", [0.75]), row("popularity", [0.7])]
    found = by_model(quality_ranks.ranked(rows, TRUTH))
    assert found["dmf"]["closed"] == pytest.approx(0.5)
    assert found["popularity"]["closed"] == 0


def test_one_class_only_has_no_gauc_and_no_rank_lower_for_it():
    rows = [row("a", [0.7], [None]), row("b", [0.6], [0.6])]
    assert by_model(quality_ranks.ranked(rows, None))["a"]["rank"] == 1


def two_data_sets():
    one = [row("dmf", [0.7]), row("din", [0.6]), row("dmf_shuffled", [0.5])]
    two = [
        row("dmf", [0.70], data="two", calibration=1.04),
        row("din", [0.75], data="two"),
        row("dmf_shuffled", [0.5], data="two"),
    ]
    return quality_ranks.ranked(one, TRUTH) + quality_ranks.ranked(two, None)


def test_the_summary_is_over_data_sets():
    found = quality_ranks.summary(two_data_sets())
    assert [one["model"] for one in found] == ["dmf", "din", "dmf_shuffled"]
    dmf = found[0]
    assert dmf["ranks"] == {"one": 1, "two": 2}
    assert (dmf["mean_rank"], dmf["share_tied"], dmf["share_calibrated"]) == (1.5, 0.5, 0.5)
    assert dmf["closed"] == pytest.approx(0.5)
    assert found[2]["mean_rank"] is None


def test_the_table_shows_ranks_ties_and_calibration():
    rows = two_data_sets()
    result = {"rows": rows, "summary": quality_ranks.summary(rows)}
    head, _, dmf, din, control, *_ = rank_report.table(result).splitlines()
    assert head == "| model | mean rank | best or tied | of the distance | one | two |"
    assert dmf == "| DMF | 1.5 | 50% | 50% | 0.7000 / 0.7000 (1*) | 0.7000 / 0.7000 (2) ! |"
    assert din.startswith("| DIN | 1.5 |")
    assert din.endswith("(1*) |")
    title = "| DMF, vectors shuffled (control) | – | – |"
    assert control.startswith(title)
    assert control.endswith(" | 0.5000 / 0.5000 (–) | 0.5000 / 0.5000 (–) |")


def test_the_setting_of_the_best_mean_rank_is_chosen():
    # By setting, of three data sets: the second is best on two of them by little.
    assert quality_protocol.chosen([[0.90, 0.5, 0.5], [0.60, 0.6, 0.6]]) == 1
    # A tie goes to the setting that was tried first.
    assert quality_protocol.chosen([[0.7, 0.6], [0.6, 0.7]]) == 0
