"""Runs the examples in docstrings: an example that is wrong is worse than none."""

import doctest
import importlib

import pytest

from tests import layout

WITH_EXAMPLES = [
    layout.relative(path).removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    for path in layout.sources(*layout.PACKAGES)
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0, "see the captured output"
