"""A marketplace whose click probabilities are known.

    logit of a click = base + quality[item, day] + taste[user] . factor[item]
                     + position + device + STRENGTH * gate[item] * similarity

    similarity = mean cosine between the candidate's content and that of the user's last
                 RECENT clicked items, 0 before the first click

The gate is 1, 0 or -1 and belongs to the id: it follows from the ID factor and content does not
show it. On average over items it is about 0, so similarity by itself says little; it matters
through its interaction with the id. With `content` `additive` the gate is 1 for every item, with
`none` it is 0. A click enters the user's history at the time of its
request. `P(conversion | click)` falls with the price, more so for the young.

Requests are drawn in blocks. Within a block, round r holds every user's r-th request, so that a
round has distinct users, is computed at once, and sees exactly the clicks before it.
"""

import itertools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipeline.simulation.candidate_source import CandidateSource
from pipeline.simulation.catalog import CONTENT, Items, Users
from pipeline.simulation.settings import DAY, START, MarketplaceSettings

DEVICES = ("desktop", "phone", "tablet")
RECENT = 5
STRENGTH = 4.0

_BASE = -2.3
_TASTE = 0.3
_DEVICE_EFFECT = np.asarray([0.15, 0.0, -0.1], np.float32)
_DEVICE_SHARE = (0.3, 0.6)
_REQUESTS_PER_BLOCK = 16_384

BLOCK = pa.schema(
    {
        "request_id": pa.int64(),  # Ascending from 0 over the log.
        "user_id": pa.int64(),
        "item_id": pa.int64(),
        "timestamp": pa.int64(),  # Milliseconds; no two requests share one.
        "position": pa.int32(),  # From 0.
        "device": pa.string(),
        "click": pa.int8(),
        "conversion": pa.int8(),  # 1 only where there is a click.
        "click_probability": pa.float32(),
        "conversion_probability": pa.float32(),  # Given a click.
        "similarity": pa.float32(),
    }
)
"""Columns of impressions, whose rows are in the order of time, then of position."""


class Marketplace:
    """Simulates requests in the order of time; what it keeps grows with users and items only.

    Args:
      settings: what to simulate.

    Attributes:
      items: the catalog.
      users: who sends requests.
    """

    def __init__(self, settings: MarketplaceSettings):
        self._settings = settings
        self.items = Items.draw(settings)
        self.users = Users.draw(settings)
        drift = settings.generator("drift")
        self._other_quality = Items.draw_quality(drift, settings.items)
        self._source = CandidateSource(self.items)
        self._activity = np.cumsum(self.users.activity)
        self._day = _daily_rhythm()
        self._last_time = START - 1
        # Item N stands for no click yet; its content is zero.
        self._clicked = np.full((settings.users, RECENT), settings.items, np.int32)
        self._clicks = np.zeros(settings.users, np.int64)
        self._profile_sum = np.zeros((settings.users, CONTENT), np.float32)
        self._requests = np.zeros(settings.users, np.int64)

    def blocks(self) -> Iterator[pa.Table]:
        """Yields the whole log once, as tables `BLOCK` of 16,384 requests."""
        shown = requests = 0
        for block in itertools.count():
            rng = self._settings.generator("requests", block)
            sizes = self._sizes(rng, self._settings.events - shown)
            yield self._block(rng, requests, shown, sizes)
            requests += len(sizes)
            shown += int(sizes.sum())
            if shown == self._settings.events:
                return

    def mean_profiles(self) -> np.ndarray:
        """Returns `[U, CONTENT]` float32: mean content of the recent clicks, over past requests."""
        return self._profile_sum / np.maximum(self._requests, 1)[:, None].astype(np.float32)

    def _sizes(self, rng: np.random.Generator, left: int) -> np.ndarray:
        """Draws the numbers of candidates of a block's requests, `left` at most in all."""
        sizes = rng.integers(1, self._settings.largest_request + 1, _REQUESTS_PER_BLOCK)
        total = np.cumsum(sizes)
        if total[-1] <= left:
            return sizes
        last = int(np.searchsorted(total, left))
        sizes[last] -= total[last] - left
        return sizes[: last + 1]

    def _block(
        self, rng: np.random.Generator, first_request: int, shown: int, sizes: np.ndarray
    ) -> pa.Table:
        """Simulates consecutive requests."""
        users = np.searchsorted(self._activity, rng.random(len(sizes)), "right")
        users = np.minimum(users, self._settings.users - 1)
        times = self._times(rng, shown, sizes)
        order, rounds = _rounds(users)
        users, times, sizes = users[order], times[order], sizes[order]
        request = np.repeat(np.arange(len(sizes)), sizes)
        ends = np.cumsum(sizes)
        position = np.arange(len(request)) - (ends - sizes)[request]
        devices = np.searchsorted(
            np.cumsum(_DEVICE_SHARE), rng.random(len(sizes), np.float32), "right"
        )
        item = self._source.draw(rng, times, self.users.interest(users, times), request)
        if self._settings.order == "price":
            item = item[np.lexsort((-self.items.price[item], request))]
        quality = self._quality(item, times[request])
        logit = self._logit_without_similarity(users, item, quality, request, position, devices)
        luck = rng.random(len(request), np.float32)
        probability = np.empty(len(request), np.float32)
        similarity = np.empty(len(request), np.float32)
        bounds = np.concatenate([[0], ends])
        for first, last in rounds:
            part = slice(bounds[first], bounds[last])
            similarity[part] = self._compare(users[first:last], item[part], request[part] - first)
            gated = self.items.gate[item[part]] * similarity[part]
            probability[part] = _sigmoid(logit[part] + np.float32(STRENGTH) * gated)
            clicked = luck[part] < probability[part]
            self._remember(users[request[part][clicked]], item[part][clicked])
        click = luck < probability
        buys = self._conversion_probability(users, item, request)
        conversion = click & (rng.random(len(request), np.float32) < buys)
        columns = {
            "request_id": first_request + order[request],
            "user_id": users[request] + 1,
            "item_id": item + 1,
            "timestamp": times[request],
            "position": position.astype(np.int32),
            "device": pa.array(DEVICES).take(pa.array(devices[request])),
            "click": click.astype(np.int8),
            "conversion": conversion.astype(np.int8),
            "click_probability": probability,
            "conversion_probability": buys,
            "similarity": similarity,
        }
        by_time = np.argsort(columns["request_id"], kind="stable")
        return pa.table(columns, schema=BLOCK).take(pa.array(by_time))

    def _times(self, rng: np.random.Generator, shown: int, sizes: np.ndarray) -> np.ndarray:
        """Returns `[R]` int64 milliseconds, ascending, after all that were returned before.

        A request moves within the room that its impressions take in the log.
        """
        offset = shown + np.cumsum(sizes) - sizes * rng.random(len(sizes))
        day, rest = np.divmod(offset / self._settings.events * self._settings.days, 1)
        days = day + np.interp(rest, *self._day) / 24
        times = START + (days * DAY).astype(np.int64)
        steps = np.arange(len(times))
        times = np.maximum.accumulate(np.maximum(times - steps, self._last_time + 1)) + steps
        self._last_time = int(times[-1])
        return times

    def _quality(self, item: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Returns the qualities of items, `[I]`, at times, `[I]` milliseconds; `[I]` float32."""
        quality = self.items.quality[item]
        if not self._settings.quality_turn:
            return quality
        angle = np.radians(self._settings.quality_turn * (times - START) / DAY)
        turned = np.cos(angle) * quality + np.sin(angle) * self._other_quality[item]
        return turned.astype(np.float32)

    def _logit_without_similarity(
        self,
        users: np.ndarray,
        item: np.ndarray,
        quality: np.ndarray,
        request: np.ndarray,
        position: np.ndarray,
        devices: np.ndarray,
    ) -> np.ndarray:
        taste = self.users.taste[users][request]
        match = np.einsum("id,id->i", taste, self.items.factor[item])
        return (
            np.float32(_BASE)
            + quality
            + np.float32(_TASTE) * match
            + position_effect(self._settings, position)
            + _DEVICE_EFFECT[devices][request]
        )

    def _compare(self, users: np.ndarray, item: np.ndarray, request: np.ndarray) -> np.ndarray:
        """Returns the similarity of candidates; counts a request for their users, all distinct."""
        recent = self.items.content[self._clicked[users]].sum(axis=1)
        known = np.clip(self._clicks[users], 1, RECENT).astype(np.float32)
        profile = recent / known[:, None]
        self._profile_sum[users] += profile
        self._requests[users] += 1
        return np.einsum("id,id->i", self.items.content[item], profile[request])

    def _remember(self, users: np.ndarray, item: np.ndarray) -> None:
        """Puts clicks into their users' histories; a user's clicks follow each other."""
        if not len(users):
            return
        starts, counts, nth = _runs(users)
        # Of more than RECENT clicks at once the last are kept: a later assignment wins.
        self._clicked[users, (self._clicks[users] + nth) % RECENT] = item
        self._clicks[users[starts]] += counts

    def _conversion_probability(
        self, users: np.ndarray, item: np.ndarray, request: np.ndarray
    ) -> np.ndarray:
        frugal = np.float32(0.7) - np.float32(0.006) * self.users.age[users].astype(np.float32)
        price = np.log(self.items.price[item])
        logit = np.float32(-1.8) + np.float32(0.5) * self.items.quality[item]
        return _sigmoid(logit - frugal[request] * (price - np.float32(2.5)))


def position_effect(settings: MarketplaceSettings, position: np.ndarray) -> np.ndarray:
    """Returns what positions, `[I]` from 0, add to the logit; `[I]` float32."""
    return -np.float32(settings.position_effect) * np.log2(position.astype(np.float32) + 1)


def _rounds(users: np.ndarray) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Returns an order of requests by round, and the rounds' bounds in it.

    Round r holds every user's r-th request, in the order of time.
    """
    by_user = np.argsort(users, kind="stable")
    nth = np.empty(len(users), np.int64)
    nth[by_user] = _runs(users[by_user])[2]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(nth))]).tolist()
    return np.argsort(nth, kind="stable"), list(itertools.pairwise(bounds))


def _runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns where runs of equal values start, their lengths, and each value's place in its run.

    For example `[7, 7, 4]` gives `[0, 2]`, `[2, 1]` and `[0, 1, 0]`.
    """
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    counts = np.diff(np.append(starts, len(values)))
    return starts, counts, np.arange(len(values)) - np.repeat(starts, counts)


def _daily_rhythm() -> tuple[np.ndarray, np.ndarray]:
    """Returns shares of a day's requests, ascending, and the hours until which they come."""
    hours = np.linspace(0, 24, 24 * 60 + 1)
    rate = 1 - 0.55 * np.cos((hours - 3) * np.pi / 12) + 0.25 * np.sin(hours * np.pi / 6)
    mass = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2)])
    return mass / mass[-1], hours


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logit))
