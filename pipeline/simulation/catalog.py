"""The items and users of a simulated marketplace, and the items that each request may show."""

import dataclasses

import numpy as np

from pipeline.simulation.settings import DAY, START, MarketplaceSettings

CATEGORIES = 32
COUNTRIES = ("BR", "DE", "FR", "GB", "ID", "IN", "JP", "MX", "TH", "US")
FACTORS = 8
"""The width of tastes and ID factors."""
CONTENT = 12
"""The width of the content behind all modalities."""
INTERESTS = 4
"""The categories that a user's interest goes through."""

_GATE_THRESHOLD = 0.3
_ADDITIVE_GATE = 1.0
_OWN_DIRECTION = 0.6
_POPULARITY_EXPONENT = 0.9
_ACTIVITY_EXPONENT = 0.7


@dataclasses.dataclass(frozen=True)
class Items:
    """Items in the order of their creation; the id is the row plus one.

    Attributes:
      created_at: `[N]` int64, milliseconds, ascending.
      category: `[N]` int32.
      price: `[N]` float32.
      popularity: `[N]` float64, the weight with which it is shown.
      quality: `[N]` float32; only the id tells.
      factor: `[N, FACTORS]` float32; only the id tells.
      gate: `[N]` float32, 1 where similarity attracts, -1 where it repels, 0 where it does
        nothing. In a market of `interaction` it follows from the first ID factor and content does
        not tell; in the others it is the same for all items.
      content: `[N + 1, CONTENT]` float32, of length one; the last row is zero, for no item.
    """

    created_at: np.ndarray
    category: np.ndarray
    price: np.ndarray
    popularity: np.ndarray
    quality: np.ndarray
    factor: np.ndarray
    gate: np.ndarray
    content: np.ndarray

    @classmethod
    def draw(cls, settings: MarketplaceSettings) -> "Items":
        """Draws the items of a marketplace."""
        N = settings.items
        rng = settings.generator("items")
        cold = N - settings.warm_items
        old = START - 1 - rng.integers(0, 365 * DAY, N - cold)
        new = START + rng.integers(0, settings.days * DAY * 9 // 10, cold)
        centers = _directions(rng.standard_normal((CATEGORIES, CONTENT), np.float32))
        typical_price = rng.normal(2.5, 0.8, CATEGORIES)
        category = _categories(rng, (N,))
        price = np.exp(typical_price[category] + 0.5 * rng.standard_normal(N))
        factor = rng.standard_normal((N, FACTORS), np.float32)
        content = np.zeros((N + 1, CONTENT), np.float32)
        own = rng.standard_normal((N, CONTENT), np.float32)
        content[:N] = _directions(
            centers[category] + np.float32(_OWN_DIRECTION / np.sqrt(CONTENT)) * own
        )
        return cls(
            created_at=np.concatenate([np.sort(old), np.sort(new)]),
            category=category,
            price=np.maximum(np.round(price, 2), 0.01).astype(np.float32),
            popularity=rng.permutation(_zipf(N, _POPULARITY_EXPONENT)),
            quality=cls.draw_quality(rng, N),
            factor=factor,
            gate=_gate(settings, factor[:, 0]),
            content=content,
        )

    @staticmethod
    def draw_quality(rng: np.random.Generator, items: int) -> np.ndarray:
        """Draws qualities, `[N]` float32."""
        return np.float32(0.7) * rng.standard_normal(items, np.float32)


@dataclasses.dataclass(frozen=True)
class Users:
    """Users; the id is the row plus one.

    Attributes:
      country: `[U]` int32, index into `COUNTRIES`.
      age: `[U]` int32, years.
      activity: `[U]` float64, the share of the requests.
      taste: `[U, FACTORS]` float32; leans towards that of the country.
      interests: `[U, INTERESTS]` int32: categories in the order in which interest drifts.
      interest_period: `[U]` float32, days until interest moves on.
      interest_phase: `[U]` float32, days.
    """

    country: np.ndarray
    age: np.ndarray
    activity: np.ndarray
    taste: np.ndarray
    interests: np.ndarray
    interest_period: np.ndarray
    interest_phase: np.ndarray

    @classmethod
    def draw(cls, settings: MarketplaceSettings) -> "Users":
        """Draws the users of a marketplace."""
        U = settings.users
        rng = settings.generator("users")
        country = rng.choice(len(COUNTRIES), U, p=_zipf(len(COUNTRIES), 0.8)).astype(np.int32)
        lean = rng.standard_normal((len(COUNTRIES), FACTORS), np.float32)
        own = rng.standard_normal((U, FACTORS), np.float32)
        period = rng.uniform(0.5, 3, U).astype(np.float32)
        return cls(
            country=country,
            age=np.clip(np.round(rng.normal(38, 13, U)), 16, 90).astype(np.int32),
            activity=rng.permutation(_zipf(U, _ACTIVITY_EXPONENT)),
            taste=np.float32(0.4) * lean[country] + np.float32(0.9) * own,
            interests=_categories(rng, (U, INTERESTS)),
            interest_period=period,
            interest_phase=INTERESTS * period * rng.random(U, np.float32),
        )

    def interest(self, users: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Returns the category that interests each user then, `[R]` int32.

        Given are `[R]` rows of users and `[R]` int64 milliseconds.
        """
        days = (times - START) / DAY + self.interest_phase[users]
        step = (days / self.interest_period[users]).astype(np.int64) % INTERESTS
        return self.interests[users, step]


def _gate(settings: MarketplaceSettings, factor: np.ndarray) -> np.ndarray:
    if settings.content == "additive":
        return np.full(len(factor), _ADDITIVE_GATE, np.float32)
    if settings.content == "none":
        return np.zeros(len(factor), np.float32)
    return (factor > _GATE_THRESHOLD).astype(np.float32) - (factor < -_GATE_THRESHOLD)


def _zipf(count: int, exponent: float) -> np.ndarray:
    """Returns weights that fall with the rank and add up to one."""
    weights = (np.arange(count) + 3.0) ** -exponent
    return weights / weights.sum()


def _categories(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.choice(CATEGORIES, shape, p=_zipf(CATEGORIES, 0.5)).astype(np.int32)


def _directions(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
