"""What was compared, and what differed most."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

_NUMBERS = "buif"  # NumPy's kinds of bool, unsigned, int and float.


@dataclasses.dataclass
class Comparison:
    """The values of one feature, computed in two ways.

    Attributes:
      feature: what was compared, such as `similarity_text`.
      compared: how many values.
      different: how many of them differ by more than the tolerance.
      set_apart: how many were not compared, because they differ for a known reason.
      largest: the largest difference, infinite where one of two is not a number.
      worst: the place of the largest difference: record, position in it, and both values.
    """

    feature: str
    compared: int = 0
    different: int = 0
    set_apart: int = 0
    largest: float = 0.0
    worst: dict[str, Any] | None = None

    @property
    def share(self) -> float:
        """The share of the compared values that differ."""
        return self.different / self.compared if self.compared else 0.0

    def worst_line(self) -> str:
        """Returns where the largest difference is, for a person."""
        worst = self.worst or {}
        return (
            f"{self.feature}: {worst.get('record')}, at {worst.get('position')}: "
            f"{worst.get('expected')} became {worst.get('received')}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON values."""
        largest = self.largest if np.isfinite(self.largest) else str(self.largest)
        return {**dataclasses.asdict(self), "largest": largest}


class Tally:
    """Comparisons by feature, in the order in which they were first made."""

    def __init__(self) -> None:
        self._comparisons: dict[str, Comparison] = {}

    @property
    def skew(self) -> bool:
        """Whether anything differs."""
        return any(one.different for one in self._comparisons.values())

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON values: whether anything differs, and what was compared."""
        return {"skew": self.skew, "comparisons": [one.to_dict() for one in self.worst_first()]}

    def worst_first(self) -> list[Comparison]:
        """Returns what differs, the largest share first, and then the rest."""
        found = self._comparisons.values()
        return sorted(found, key=lambda one: (-one.share, -one.largest))

    def add(
        self,
        feature: str,
        expected: np.ndarray,
        received: np.ndarray,
        where: Sequence[str],
        tolerance: float = 0.0,
        counted: np.ndarray | None = None,
        set_apart: np.ndarray | None = None,
    ) -> None:
        """Compares two arrays, element by element.

        Args:
          feature: what they are.
          expected: `[R, ...]`: of training, or of the log.
          received: of serving; of another shape, all of it differs.
          where: R records, for a person to find them.
          tolerance: largest difference of numbers that counts as none.
          counted: what to compare, broadcast to the shape; None for everything.
          set_apart: what is known to differ, which is only counted.
        """
        one = self._comparisons.setdefault(feature, Comparison(feature))
        if expected.shape != received.shape:
            one.compared += expected.size
            one.different += max(expected.size, 1)
            one.largest = np.inf
            shapes = {"expected": list(expected.shape), "received": list(received.shape)}
            one.worst = {"record": where[0], "position": "shape", **shapes}
            return
        every = np.ones(expected.shape, bool)
        counted = every if counted is None else counted & every
        if set_apart is not None:
            one.set_apart += int(np.sum(counted & set_apart))
            counted = counted & ~set_apart
        distance = np.where(counted, _distance(expected, received), 0.0)
        one.compared += int(np.sum(counted))
        one.different += int(np.sum(distance > tolerance))
        if not distance.size or distance.max() <= one.largest:
            return
        one.largest = float(distance.max())
        place = np.unravel_index(np.argmax(distance), distance.shape)
        one.worst = {
            "record": where[int(place[0])],
            "position": [int(number) for number in place[1:]],
            "expected": _plain(expected[place]),
            "received": _plain(received[place]),
        }


def _distance(expected: np.ndarray, received: np.ndarray) -> np.ndarray:
    """Returns how far apart values are, float64; 0 only where they are equal, or both NaN."""
    if expected.dtype.kind not in _NUMBERS or received.dtype.kind not in _NUMBERS:
        return (expected != received).astype(np.float64)
    numbers = [values.astype(np.float64) for values in (expected, received)]
    with np.errstate(invalid="ignore"):
        distance = np.abs(numbers[0] - numbers[1])
    distance[~np.isfinite(distance)] = np.inf
    equal = (expected == received) | (np.isnan(numbers[0]) & np.isnan(numbers[1]))
    # Integers may be too large for a float to show that they differ.
    return np.where(equal, 0.0, np.where(distance == 0, 1.0, distance))


def _plain(value: Any) -> Any:
    """Returns a value that JSON has."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bytes):
        return plain.decode(errors="replace")
    return str(plain) if isinstance(plain, float) and not np.isfinite(plain) else plain
