"""Latency of one request, compared between models."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

_WARM_UP = 5


def measure(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, dict[str, Any]]:
    """Times calls in turns, so that noise of the machine affects all of them alike.

    Args:
      calls: by model; each call scores the same request and waits for the result.
      repeats: timed calls per model.

    Returns:
      By model: `p50_ms`, `p99_ms` and `samples_ms`.
    """
    for call in calls.values():
        for _ in range(_WARM_UP):
            call()
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            samples[name].append(1e3 * (time.perf_counter() - started))
    return {
        name: {
            "p50_ms": float(np.percentile(values, 50)),
            "p99_ms": float(np.percentile(values, 99)),
            "samples_ms": values,
        }
        for name, values in samples.items()
    }
