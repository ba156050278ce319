"""The rule of --negatives."""

import pytest

from features.errors import UserInputError
from pipeline.join.rules import negatives_rule


@pytest.mark.parametrize("text", ["4", "popularity", "popularity:0", "often:3", "uniform:-1", ""])
def test_a_rule_that_is_none_is_refused(text):
    with pytest.raises(UserInputError, match="popularity:K or uniform:K"):
        negatives_rule.parse(text)
