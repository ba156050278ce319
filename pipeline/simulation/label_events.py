"""Clicks and conversions as rows of their own that arrive late, sometimes twice."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from pipeline.simulation.marketplace import BLOCK
from pipeline.simulation.settings import MarketplaceSettings

SCHEMA = pa.schema(
    [BLOCK.field(name) for name in ("request_id", "user_id", "item_id", "timestamp")]
)
_LATE = 30 * 60_000
"""Milliseconds; a usual attribution window."""

_LONGEST = 6 * 3_600_000
_DUPLICATED = 0.02
_ORDER = ("timestamp", "request_id", "item_id")


class LabelEvents:
    """Turns labeled impressions into label events in the order in which they arrive.

    About one event in fifty is logged twice, half of those up to a minute apart. Events that
    have not arrived yet are kept, at most six hours of them.

    Args:
      settings: of the simulation.
    """

    def __init__(self, settings: MarketplaceSettings):
        self._settings = settings
        self._blocks = 0
        self._pending = {name: SCHEMA.empty_table() for name in ("click", "conversion")}

    def arrive(self, block: pa.Table | None) -> Mapping[str, pa.Table]:
        """Returns the events that arrive until a block's end, sorted, by label.

        Args:
          block: the next impressions; None for all events after the last block.
        """
        if block is None:
            return self._split(np.iinfo(np.int64).max)
        rng = self._settings.generator("label_events", self._blocks)
        self._blocks += 1
        times = block["timestamp"].to_numpy()
        clicked = np.flatnonzero(block["click"])
        clicks = times[clicked] + _delays(rng, len(clicked), median=15_000, late=0.03)
        bought = block["conversion"].to_numpy()[clicked] == 1
        after_click = _delays(rng, int(bought.sum()), median=300_000, late=0.1)
        self._add("click", rng, block, clicked, clicks)
        self._add("conversion", rng, block, clicked[bought], clicks[bought] + after_click)
        return self._split(int(times[-1]))

    def _add(
        self,
        name: str,
        rng: np.random.Generator,
        block: pa.Table,
        rows: np.ndarray,
        times: np.ndarray,
    ) -> None:
        """Adds a block's events, some of them twice, to those that have not arrived."""
        twice = np.flatnonzero(rng.random(len(rows)) < _DUPLICATED)
        apart = rng.integers(1, 60_000, len(twice)) * (rng.random(len(twice)) < 0.5)
        impressions = block.select(SCHEMA.names).take(pa.array(np.append(rows, rows[twice])))
        logged = pa.array(np.append(times, times[twice] + apart))
        events = impressions.set_column(SCHEMA.get_field_index("timestamp"), "timestamp", logged)
        self._pending[name] = pa.concat_tables([self._pending[name], events]).combine_chunks()

    def _split(self, now: int) -> dict[str, pa.Table]:
        """Removes the events that arrive until now and returns them sorted."""
        arrived = {}
        for name, events in self._pending.items():
            times = events["timestamp"].to_numpy()
            due = events.filter(pa.array(times <= now))
            arrived[name] = due.sort_by([(key, "ascending") for key in _ORDER])
            self._pending[name] = events.filter(pa.array(times > now))
        return arrived


def _delays(rng: np.random.Generator, count: int, median: float, late: float) -> np.ndarray:
    """Returns `[count]` int64 milliseconds; a share of `late` is above `_LATE`."""
    prompt = np.minimum(median * np.exp(1.0 * rng.standard_normal(count)), _LATE)
    delayed = _LATE * (1 + rng.exponential(2.0, count))
    delay = np.where(rng.random(count) < late, delayed, prompt)
    return np.clip(delay, 1, _LONGEST).astype(np.int64)
