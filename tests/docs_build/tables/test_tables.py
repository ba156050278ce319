"""Tables of results."""

import importlib
import pkgutil

import pytest

from docs_build import registry, tables
from docs_build.tables import table

MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.iter_modules(tables.__path__, f"{tables.__name__}.")
    if not found.name.endswith(".table")
]


def test_every_module_is_registered():
    assert {name for module in MODULES for name in module.TABLES} == set(registry.TABLES)
    assert sum(len(module.TABLES) for module in MODULES) == len(registry.TABLES), "a name twice"


@pytest.mark.parametrize(
    "name",
    [name for name in registry.TABLES if not name.startswith(("flags.", "help.", "settings."))],
)
def test_table_has_rows(name):
    head, rule, *rows = registry.render(name, True).splitlines()
    assert head.startswith("| ")
    assert set(rule) <= set("|-:")
    assert rows


def test_a_data_set_of_the_study_is_in_order_of_rank_with_the_control_last():
    rows = registry.render("study.market_additive", True).splitlines()[2:]
    ranks = [row.split(" | ")[6].strip("* ") for row in rows]
    assert ranks == [*map(str, range(1, len(rows))), ""]
    assert "(control)" in rows[-1]


def test_a_long_cell_is_refused():
    with pytest.raises(ValueError, match="21 words in a cell, at most 20"):
        table.markdown(("a",), [["word " * 21]])


def test_a_short_row_is_refused():
    with pytest.raises(ValueError, match="1 cells under 2 titles"):
        table.markdown(("a", "b"), [["1"]])
