"""A filter rules out files by the keys of their folders, before anything is read."""

import ast
import dataclasses
import functools
import operator
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

from features.errors import UserInputError
from features.tables.expressions import Expression
from features.tables.listing import Listing, key_range
from features.tables.locations.hive_keys import Keys
from features.tables.names import feature_name

_Outcomes = frozenset[bool | None]
"""What a part of the filter may be for rows of a file; None is SQL's null."""

_Values = dict[str, str | None]
"""Of the keys of a file, by name."""

_ANY: _Outcomes = frozenset((True, False, None))
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def matching(
    listing: Listing, filter_expression: Expression, flag: str, columns: Collection[str] = ()
) -> Listing:
    """Returns a listing without the files of which no row can pass a filter.

    Only keys can rule out a file; what the filter says of other columns is left to the rows.
    A key has the name that a column of its name would have. It is compared with a quoted string as
    text, with a number as a number: `hour >= 5` is true of `hour=05`. A null passes no comparison.

    Args:
      listing: of a table.
      filter_expression: that its rows have to pass.
      flag: that named the table, for messages.
      columns: names that are those of columns of the files, whatever the keys are called.

    Raises:
      UserInputError: no file is left, or a key is no number that is compared with one.
    """
    try:
        kept = tuple(
            file
            for file in listing.files
            if True in _outcomes(filter_expression.tree, _named(file.keys, columns))
        )
    except UserInputError as error:
        raise UserInputError(f"--{flag}: --filter {filter_expression.text!r} {error}") from error
    if listing.files and not kept:
        raise UserInputError(
            f"--{flag}: --filter {filter_expression.text!r} rules out all {len(listing.files)} "
            f"files ({key_range(listing.files)}). Change the filter, or give other files."
        )
    pruned = listing.pruned + len(listing.files) - len(kept)
    return dataclasses.replace(listing, files=kept, pruned=pruned)


def _named(keys: Keys, columns: Collection[str]) -> _Values:
    named = {feature_name(name): value for name, value in keys}
    return {name: value for name, value in named.items() if name not in columns}


def _outcomes(node: ast.expr, keys: _Values) -> _Outcomes:
    if isinstance(node, ast.BoolOp):
        join = _and if isinstance(node.op, ast.And) else _or
        return _combined(join, (_outcomes(value, keys) for value in node.values))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return frozenset(
            None if value is None else not value for value in _outcomes(node.operand, keys)
        )
    if not isinstance(node, ast.Compare):
        return _ANY
    sides = [node.left, *node.comparators]
    pairs = zip(sides, node.ops, sides[1:], strict=False)
    return _combined(_and, (_compared(*pair, keys) for pair in pairs))


def _combined(
    join: Callable[[bool | None, bool | None], bool | None], parts: Iterable[_Outcomes]
) -> _Outcomes:
    return functools.reduce(
        lambda left, right: frozenset(join(a, b) for a in left for b in right), parts
    )


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left: bool | None, right: bool | None) -> bool | None:
    if left or right:
        return True
    return None if left is None or right is None else False


def _compared(left: ast.expr, comparison: ast.cmpop, right: ast.expr, keys: _Values) -> _Outcomes:
    names = [feature_name(side.id) for side in (left, right) if isinstance(side, ast.Name)]
    if not names or not keys.keys() >= set(names):
        return _ANY
    if any(keys[name] is None for name in names):
        return frozenset([None])
    first, second = (_value(side, keys) for side in (left, right))
    if isinstance(comparison, (ast.In, ast.NotIn)):
        if not isinstance(second, (tuple, list)):
            return _ANY
        found = any(operator.eq(*_alike(names[0], first, choice)) for choice in second)
        return frozenset([found == isinstance(comparison, ast.In)])
    first, second = _alike(names[0], first, second)
    return frozenset([_COMPARISONS[type(comparison)](first, second)])


def _value(node: ast.expr, keys: _Values) -> Any:
    if isinstance(node, ast.Name):
        return _Text(keys[feature_name(node.id)])
    return ast.literal_eval(node)


class _Text(str):
    """The text of a key."""


def _alike(name: str, first: Any, second: Any) -> tuple[Any, Any]:
    """Returns a key and a constant, or two keys, as values that compare."""
    if isinstance(first, str) and isinstance(second, str):
        return str(first), str(second)
    if isinstance(first, _Text):
        return _number(name, first, second), second
    return first, _number(name, second, first)


def _number(name: str, text: str, other: Any) -> float:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if not _NUMBER.fullmatch(text):
        raise UserInputError(
            f"compares {name} with the number {other!r}, but a folder is {name}={text}. Put the "
            f"value in quotes: '{other}'."
        )
    return int(text) if text.lstrip("+-").isdigit() else float(text)
