"""Differences are counted, whatever their kind."""

import numpy as np

from serving_signatures.skew.tally import Tally


def test_differences_that_a_float_cannot_show_count():
    tally = Tally()
    large = np.array([[2**62, 2**62]])
    tally.add("ids", large, large + np.array([0, 1]), ["a"])
    tally.add("nan", np.array([[0.5]]), np.array([[np.nan]]), ["b"], tolerance=1.0)
    tally.add("both nan", np.array([[np.nan]]), np.array([[np.nan]]), ["b"])
    tally.add("shape", np.zeros((1, 2)), np.zeros((1, 3)), ["c"])
    found = {one.feature: one for one in tally.worst_first()}
    assert found["ids"].different == 1
    assert found["ids"].worst["position"] == [1]
    assert found["nan"].different == 1
    assert not found["both nan"].different
    assert found["nan"].to_dict()["largest"] == "inf"
    assert found["shape"].different == 2


def test_what_is_not_counted_may_be_no_number():
    tally = Tally()
    values, padded = np.array([[0.5, 0.25]]), np.array([[0.75, np.nan]])
    tally.add("score", values, padded, ["a"], counted=np.array([[True, False]]))
    (found,) = tally.worst_first()
    assert (found.compared, found.different, found.largest) == (1, 1, 0.25)
