"""Small expressions over the columns of the log: `rating >= 4 and source in ("web", "app")`.

The text is parsed with Python's grammar and translated to Arrow; nothing of it is run. pyarrow has
no parser of expressions, and DuckDB's takes "web" in double quotes for a column. Allowed are
comparisons (`==`, `!=`, `<`, `<=`, `>`, `>=`, chained too), `in`, `not in`, `and`, `or`, `not`,
brackets, column names, numbers, strings, True and False.
"""

import ast
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Booleans
from features.errors import UserInputError
from features.tables.names import feature_name

_COMPARISONS = {
    ast.Eq: pc.equal,
    ast.NotEq: pc.not_equal,
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
}
_ALLOWED = 'comparisons such as "rating >= 4", in, and, or, not, numbers and quoted strings'


@dataclasses.dataclass(frozen=True)
class Expression:
    """A parsed expression that is true or false for every row.

    Attributes:
      text: as the user wrote it.
      tree: its syntax, checked.
      columns: the columns that it reads, sorted.
    """

    text: str
    tree: ast.expr = dataclasses.field(compare=False, repr=False)
    columns: tuple[str, ...]

    def evaluate(self, columns: Mapping[str, pa.Array]) -> Booleans:
        """Evaluates the expression.

        Args:
          columns: `[N]` by name, without nulls.

        Returns:
          `[N]` bool.

        Raises:
          UserInputError: a column is not there, or is compared with a value of another type.
        """
        try:
            value = self._evaluate(self.tree, columns)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OverflowError) as error:
            raise self._error(f"does not fit the columns' types ({error})") from error
        if not isinstance(value, pa.Array) or not pa.types.is_boolean(value.type):
            raise self._error("must be true or false for every row")
        result: Booleans = value.to_numpy(zero_copy_only=False)
        return result

    def _evaluate(self, node: ast.AST, columns: Mapping[str, pa.Array]) -> Any:
        if isinstance(node, ast.BoolOp):
            values = [self._boolean(value, columns) for value in node.values]
            return functools.reduce(pc.and_ if isinstance(node.op, ast.And) else pc.or_, values)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return pc.invert(self._boolean(node.operand, columns))
        if isinstance(node, ast.Compare):
            return self._compare(node, columns)
        if isinstance(node, ast.Name):
            name = _column(node)
            if name not in columns:
                raise self._error(f"reads column {node.id!r}; the table has {sorted(columns)}")
            return columns[name]
        return ast.literal_eval(node)

    def _boolean(self, node: ast.AST, columns: Mapping[str, pa.Array]) -> pa.Array:
        value = self._evaluate(node, columns)
        if not isinstance(value, pa.Array) or not pa.types.is_boolean(value.type):
            raise self._error(
                f"{ast.unparse(node)!r} is not true or false; compare it to something"
            )
        return value

    def _compare(self, node: ast.Compare, columns: Mapping[str, pa.Array]) -> pa.Array:
        left_node, left, result = node.left, self._evaluate(node.left, columns), None
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            right = self._evaluate(right_node, columns)
            step = self._compare_two(operator, (left_node, left), (right_node, right))
            result = step if result is None else pc.and_(result, step)
            left_node, left = right_node, right
        return result

    def _compare_two(
        self, operator: ast.cmpop, left: tuple[ast.AST, Any], right: tuple[ast.AST, Any]
    ) -> pa.Array:
        (left_node, left_value), (right_node, right_value) = left, right
        if isinstance(operator, (ast.In, ast.NotIn)):
            if not isinstance(left_value, pa.Array) or not isinstance(right_value, (tuple, list)):
                raise self._error("`in` takes a column and a list: genre in ('a', 'b')")
            if not right_value:
                raise self._error("has an empty list after `in`")
            choices = [self._literal(left_node, left_value.type, choice) for choice in right_value]
            same = [pc.equal(_widen(left_value), _widen(choice)) for choice in choices]
            found = functools.reduce(pc.or_, same)
            return pc.invert(found) if isinstance(operator, ast.NotIn) else found
        if isinstance(left_value, pa.Array) and isinstance(right_value, pa.Array):
            if _family(left_value.type) != _family(right_value.type):
                raise self._mismatch(left_node, left_value.type, f"a {right_value.type} column")
        elif isinstance(left_value, pa.Array):
            right_value = self._literal(left_node, left_value.type, right_value)
        elif isinstance(right_value, pa.Array):
            left_value = self._literal(right_node, right_value.type, left_value)
        else:
            raise self._error("compares two constants; name a column")
        left_value, right_value = _widen(left_value), _widen(right_value)
        return _COMPARISONS[type(operator)](left_value, right_value)

    def _literal(self, node: ast.AST, column: pa.DataType, value: Any) -> pa.Scalar:
        """Returns a constant in the type that a column is compared in."""
        family = _family(column)
        if family == "string" and isinstance(value, str):
            return pa.scalar(value, column)
        if family == "number" and isinstance(value, (int, float)):
            # A float32 column never equals 3.3 as a double.
            kind = column if pa.types.is_floating(column) else None
            return pa.scalar(float(value), kind) if kind else pa.scalar(value)
        raise self._mismatch(node, column, repr(value))

    def _mismatch(self, node: ast.AST, column: pa.DataType, value: str) -> UserInputError:
        expected = {"string": "a quoted string", "number": "a number"}.get(
            _family(column), "a column of numbers or strings"
        )
        return self._error(
            f"compares {ast.unparse(node)!r}, a {column} column, with {value}, expected "
            f"{expected}. Change the expression or the column's type"
        )

    def _error(self, problem: str) -> UserInputError:
        return UserInputError(f"Expression {self.text!r} {problem}.")


def parse(text: str) -> Expression:
    """Parses an expression.

    >>> parse("rating >= 4 and not returned == 1").columns
    ('rating', 'returned')

    Raises:
      UserInputError: the text is not an expression, or uses something that is not allowed.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise UserInputError(
            f"Expression {text!r} cannot be parsed ({error}). Allowed are {_ALLOWED}."
        ) from error
    _check(tree, text)
    expression = of_tree(text.strip(), tree)
    if not expression.columns:
        raise UserInputError(f"Expression {text!r} names no column.")
    return expression


def of_tree(text: str, tree: ast.expr) -> Expression:
    """Returns the expression of a checked tree, or of a part of one."""
    names = {_column(node) for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return Expression(text=text, tree=tree, columns=tuple(sorted(names)))


def parse_assignment(text: str) -> tuple[str, Expression]:
    """Parses `name = expression`.

    >>> parse_assignment("liked = rating >= 4")[0]
    'liked'

    Raises:
      UserInputError: there is no name, or the expression is not allowed.
    """
    name, separator, expression = text.partition("=")
    if not separator or not name.strip().isidentifier() or expression.startswith("="):
        raise UserInputError(f"{text!r} is not of the form 'name = expression'.")
    return feature_name(name.strip()), parse(expression)


def _column(node: ast.Name) -> str:
    """Returns the name of a column under which tables are read: `isClick` is `is_click`."""
    return feature_name(node.id) or node.id


def _check(node: ast.AST, text: str) -> None:
    """Refuses everything but the allowed nodes."""
    if isinstance(node, ast.BoolOp):
        children = node.values
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        children = [node.operand]
    elif isinstance(node, ast.Compare):
        children = [node.left, *node.comparators]
    elif isinstance(node, ast.Name) or _is_literal(node):
        children = []
    else:
        raise UserInputError(
            f"Expression {text!r} may not hold {ast.unparse(node)!r}. Allowed are {_ALLOWED}."
        )
    for child in children:
        _check(child, text)


def _is_literal(node: ast.AST) -> bool:
    if isinstance(node, (ast.Tuple, ast.List)):
        return all(_is_literal(element) for element in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
        return isinstance(node, ast.Constant) and type(node.value) in (int, float)
    return isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float, str))


def _family(kind: pa.DataType) -> str:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "string"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return "number"
    return "other"


def _widen(value: pa.Array | pa.Scalar) -> pa.Array | pa.Scalar:
    """Turns booleans and half floats into what Arrow compares with numbers."""
    if pa.types.is_boolean(value.type):
        return value.cast(pa.int8())
    if pa.types.is_float16(value.type):
        return value.cast(pa.float32())
    return value
