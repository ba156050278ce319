"""The demo: who will like which film.

python -m pipeline.run --config demo --output build/demo
"""

from typing import Any


def get_config() -> dict[str, Any]:
    """Returns the demo's settings; everything else is the default."""
    return {
        "title": "Will this user like this film?",
        "join": {
            "derive_label": ("liked = rating >= 4",),
            "behavior_rule": "all",
            "behavior_type": "rating >= 4",
            "timestamp_unit": "s",
            "history_length": 50,
            "statistics": ("liked", "rating"),
            "split_fractions": (0.7, 0.1, 0.2),
        },
        # The best pass of this log is the first; the demo does not wait to find that out.
        "training": {"epochs": 1},
        # A pass is too short to learn what vectors say beyond similarity.
        "model": {"content_width": 0},
    }
