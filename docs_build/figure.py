"""A figure of `benchmarks/results/`: a file, a function of what it holds, a format."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from docs_build import results

MIB = 2**20
MILLION = 1_000_000

Value = Callable[[Mapping[str, Any]], float]


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure of a results file.

    Attributes:
      file: in `benchmarks/results/`.
      value: of what the file holds.
      form: a format specification: `.2f` for 0.63, `,.0f` for 1,068, `+.1f` for a difference.
    """

    file: str
    value: Value
    form: str = ".0f"

    def text(self) -> str:
        """Returns the figure as the pages show it."""
        return format(self.value(results.load(self.file)), self.form).replace("-", "−")


def of_field(file: str, name: str, form: str) -> Figure:
    """Returns a field of what a file holds."""
    return Figure(file, lambda result: result[name], form)


def of_row(file: str, name: str, form: str, scale: float = 1, **values: Any) -> Figure:
    """Returns a field of the first of `rows` that has these values."""
    return Figure(file, lambda held: results.pick(held["rows"], **values)[name] * scale, form)
