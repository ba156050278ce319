"""The rule of --downsample_negatives."""

import pytest

from features.errors import UserInputError
from pipeline.join.rules import downsampling_rule


@pytest.mark.parametrize(
    "text", ["", "0.1", "click", "click=", "click=0", "click=1", "click=-0.1", "click=nan", "=0.1"]
)
def test_a_rule_that_is_none_is_refused(text):
    with pytest.raises(UserInputError, match=r"LABEL=SHARE with a share above 0 and below 1"):
        downsampling_rule.parse(text)


def test_a_small_share_and_blanks_are_taken():
    rule = downsampling_rule.parse(" click = 1e-3 ")
    assert (rule.label, rule.rate) == ("click", 0.001)
