"""A share near zero stops a job, with what was counted; any other is logged."""

import logging

import pytest

from features.errors import UserInputError
from features.ids import coverage


@pytest.mark.parametrize(
    ("found", "total", "least", "text"),
    [
        (400, 2000, 0.01, "--embeddings text: 400 of 2,000 items have a vector (20.0%)."),
        (20, 2000, 0.01, "--embeddings text: 20 of 2,000 items have a vector (1.0%)."),
        (0, 2000, 0.0, "--embeddings text: 0 of 2,000 items have a vector (0.0%)."),
        (0, 0, 0.01, "--embeddings text: 0 of 0 items have a vector (100.0%)."),
    ],
)
def test_a_share_is_logged(caplog, found, total, least, text):
    with caplog.at_level(logging.INFO, logger="absl"):
        share = coverage.check("--embeddings text", found, total, "items have a vector", least)
    assert [record.getMessage() for record in caplog.records] == [text]
    assert share == (found / total if total else 1)


def test_a_share_near_zero_is_refused_and_says_how_to_go_on():
    with pytest.raises(UserInputError) as caught:
        coverage.check("--embeddings text", 19, 2000, "items have a vector", 0.01)
    assert str(caught.value) == (
        "--embeddings text: 19 of 2,000 items have a vector (0.9%), less than --min_coverage 0.01: "
        "the ids do not meet. Give what belongs together, with ids that are written alike, or "
        "--min_coverage 0 to do without."
    )
