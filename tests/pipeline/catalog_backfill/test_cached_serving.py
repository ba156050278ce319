"""From a backfill to the client: scores from its files are those of `score_request`."""

import numpy as np
import pytest

from features.schema import ITEM_AXES
from pipeline.catalog_backfill.backfill import backfill
from serving_signatures.client.catalog_store import CatalogStore
from serving_signatures.client.projection_cache import ProjectionCache
from serving_signatures.client.projection_store import LruProjectionStore
from serving_signatures.client.ranking_client import RankingClient
from serving_signatures.client.remote_model import RemoteModel
from serving_signatures.export import sample_requests
from serving_signatures.names import CACHES
from tests import synthetic
from tests.pipeline.catalog_backfill import projection_data
from tests.serving_signatures.client import local_server


@pytest.mark.parametrize("kind", ["plain", "tables"])
def test_a_client_scores_from_what_a_backfill_wrote(kind, request, tmp_path):
    saved = request.getfixturevalue(kind)
    sets = synthetic.embedding_sets() if kind == "tables" else {}
    sample = sample_requests.sample_requests(
        synthetic.SCHEMA, synthetic.item_ids(), sets, (2, 7, 8), seed=3
    )
    item_ids = np.unique(np.concatenate([sample[axis.item_id].ravel() for axis in ITEM_AXES]))
    embeddings = {}
    if kind == "plain":
        vectors = projection_data.vectors(item_ids)
        embeddings = projection_data.write_embeddings(tmp_path, item_ids, vectors)
        for name, values in vectors.items():
            for axis in ITEM_AXES:
                rows = np.searchsorted(item_ids, sample[axis.item_id])
                sample[axis.feature(f"vector_{name}")] = values[rows]
    items = projection_data.write_items(tmp_path / "items.parquet", item_ids)
    backfill(saved.folder, items, str(tmp_path / "out"), embeddings)
    catalogs = {cache: ProjectionCache.open(str(tmp_path / "out"), cache) for cache in CACHES}
    requests = local_server.ranking_requests(sample, kind == "tables")
    with (
        local_server.served(saved.folder, model_name="ctr") as (_, address),
        local_server.channel_to(address) as channel,
    ):
        store = CatalogStore(catalogs, LruProjectionStore())
        client = RankingClient(RemoteModel(channel, "ctr"), store, local_server.SIZES)
        by_ids, cached = client.score_request(requests), client.score_cached(requests)
    assert (by_ids.signature, cached.signature) == ("score_request", "score_cached")
    for label, expected in by_ids.probabilities.items():
        for one, other in zip(expected, cached.probabilities[label], strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6, rtol=0)
    counts = client.counts()
    for cache in CACHES:
        assert counts[f"{cache}.hits"] > 0
        assert counts.get(f"{cache}.misses", 0) == 0
        assert counts.get(f"{cache}.calls", 0) == 0
