"""The attention's figures: lines lie where the bias of their bucket is."""

import re

import numpy as np
import pytest

from pipeline.report.sections import attention_section


@pytest.fixture
def known(data):
    """A run whose pairs were not counted, so that every known bucket is drawn."""
    del data["manifest"]["similarity"]
    return data


def heights(drawing, color):
    """Returns how far a line lies above zero in each known bucket, in units of the drawing."""
    svg = str(drawing.svg)
    (zero,) = re.findall(r'<line class="zero" x1="[^"]*" y1="([\d.]+)"', svg)
    (path,) = re.findall(rf'<path class="line {color}" d="M([^"]*)"', svg)
    ends = np.array([[float(one) for one in point.split()] for point in path.split("L")])
    assert (ends[0::2, 1] == ends[1::2, 1]).all(), "a bucket has one bias"
    assert (ends[1:-1:2, 0] == ends[2::2, 0]).all(), "a bucket begins where the last one ends"
    return float(zero) - ends[0::2, 1]


def assert_proportional(found, values):
    scale = found @ values / (np.array(values) @ values)
    np.testing.assert_allclose(found, scale * np.array(values), atol=0.11)
    assert scale > 0


def test_a_line_per_head(known):
    values = known["bucket_effect"]["text"]["bias"]
    bias, *_ = attention_section.section(known).blocks
    for head, color in enumerate(("s1", "s3")):
        found = heights(bias.drawings[0], color)
        assert_proportional(found, [row[head] for row in values[1:]])


def test_a_line_per_type_is_the_mean_of_heads(known):
    _, by_type, _ = attention_section.section(known).blocks
    assert_proportional(heights(by_type.drawings[0], "s1"), [0.2, 0.1, -0.1])
    assert_proportional(heights(by_type.drawings[0], "s3"), [-0.3, 0.0, 0.7])


def test_buckets_without_pairs_are_left_out(data):
    bias, *_ = attention_section.section(data).blocks
    # Codes 140 and 180 are cosines .09 and .41: the second and third of three buckets.
    assert len(heights(bias.drawings[0], "s1")) == 2
