"""When the requests of a simulated log happen."""

import numpy as np

from benchmarks.marketplace.settings import DAY, START, MarketplaceSettings


class Clock:
    """Spreads a log over its days with a daily rhythm; every request has a time of its own.

    Args:
      settings: of the simulation.
    """

    def __init__(self, settings: MarketplaceSettings):
        self._settings = settings
        hours = np.linspace(0, 24, 24 * 60 + 1)
        rate = 1 - 0.55 * np.cos((hours - 3) * np.pi / 12) + 0.25 * np.sin(hours * np.pi / 6)
        mass = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2)])
        self._hours = hours
        self._mass = mass / mass[-1]
        self._last = START - 1

    def times(self, rng: np.random.Generator, shown: int, sizes: np.ndarray) -> np.ndarray:
        """Returns `[R]` int64 milliseconds, ascending, after all that were returned before.

        Args:
          rng: moves a request within the room that its impressions take in the log.
          shown: impressions before the first of these requests.
          sizes: `[R]` numbers of candidates.
        """
        offset = shown + np.cumsum(sizes) - sizes * rng.random(len(sizes))
        day, rest = np.divmod(offset / self._settings.events * self._settings.days, 1)
        days = day + np.interp(rest, self._mass, self._hours) / 24
        times = START + (days * DAY).astype(np.int64)
        steps = np.arange(len(times))
        times = np.maximum.accumulate(np.maximum(times - steps, self._last + 1)) + steps
        self._last = int(times[-1])
        return times
