"""The client of a serving deployment, in one import.

    from serving_signatures.client import ProjectionCache, RankingClient, RankingRequest
    from serving_signatures.client import RemoteModel, open_channel

- `ranking_client`: `RankingClient`, scores of requests by ids or from cached projections.
- `remote_model`, `channel`, `channels`: signatures of a served model, with retries and TLS.
- `deadlines`, `hedging`: the deadline of a whole request; late calls that are sent again.
- `proxy_errors`: names the proxy that caught a call.
- `projections`: the projections of one request's items, of one version.
- `projection_store`, `redis_store`, `catalog_store`: where a client keeps projections.
- `projection_cache`: `ProjectionCache`, what a backfill wrote.
- `cache_version`, `cache_parts`: its manifest and its files, opened with their checks.
- `counts`, `metrics`: what happened, and for Prometheus.
- `item_kind_of`: whether an exported model's item ids are integers or strings.

Names are imported when they are first used: `ProjectionCache` alone needs no TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from features.records.requests import PaddedSizes, RankingRequest
    from serving_signatures.client.catalog_store import CatalogStore
    from serving_signatures.client.channel import open_channel
    from serving_signatures.client.hedging import Hedging
    from serving_signatures.client.projection_cache import ProjectionCache
    from serving_signatures.client.projection_store import LruProjectionStore
    from serving_signatures.client.ranking_client import RankingClient
    from serving_signatures.client.redis_store import RedisProjectionStore
    from serving_signatures.client.remote_model import RemoteModel
    from serving_signatures.versions.exported_version import item_kind_of

__all__ = [
    "CatalogStore",
    "Hedging",
    "LruProjectionStore",
    "PaddedSizes",
    "ProjectionCache",
    "RankingClient",
    "RankingRequest",
    "RedisProjectionStore",
    "RemoteModel",
    "item_kind_of",
    "open_channel",
]

_MODULES = {
    "CatalogStore": "serving_signatures.client.catalog_store",
    "Hedging": "serving_signatures.client.hedging",
    "LruProjectionStore": "serving_signatures.client.projection_store",
    "PaddedSizes": "features.records.requests",
    "ProjectionCache": "serving_signatures.client.projection_cache",
    "RankingClient": "serving_signatures.client.ranking_client",
    "RankingRequest": "features.records.requests",
    "RedisProjectionStore": "serving_signatures.client.redis_store",
    "RemoteModel": "serving_signatures.client.remote_model",
    "item_kind_of": "serving_signatures.versions.exported_version",
    "open_channel": "serving_signatures.client.channel",
}


def __getattr__(name: str) -> Any:
    """Imports a public name from the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
