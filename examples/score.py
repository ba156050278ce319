"""Ranks candidates through a served model, by ids and from caches.

    python -m pipeline.serve_local --saved_model serving/dmf --port 8500 &
    python examples/score.py --server localhost:8500 --model dmf --examples examples \
        --projections projections

Users and histories are those of records of the test split, the latest of each user; the items of
such records are the candidates of all users. Without `--projections`, what `pipeline.backfill`
wrote, the client fills the caches as it goes.
"""

import dataclasses
import itertools

import grpc
import numpy as np
from absl import app, flags

from features.records import record_files
from features.records.decoded_example import decode_request
from features.records.requests import RankingRequest
from models.inputs.example_set import ExampleSet
from serving_signatures import client as ranking

_SERVER = flags.DEFINE_string("server", "localhost:8500", "Host and port.")
_MODEL = flags.DEFINE_string("model", "dmf", "The model's name on the server.")
_EXAMPLES = flags.DEFINE_string("examples", None, "Folder that the join wrote.", required=True)
_PROJECTIONS = flags.DEFINE_string("projections", None, "Output of pipeline.backfill.")
_REQUESTS = flags.DEFINE_integer("requests", 3, "How many users.", lower_bound=1)
_CANDIDATES = flags.DEFINE_integer("candidates", 20, "Items to rank.", lower_bound=1)

_BEST = 3
_RECORDS = 2000
"""Of the test split, to take users and items from."""
_WAIT_SECONDS = 300


def read_records(folder: str) -> list[RankingRequest]:
    """Returns decoded records of the test split, by user and ascending in time."""
    examples = ExampleSet.open(folder)
    records = record_files.read_all(examples.shards("test")).as_numpy_iterator()
    return [decode_request(examples.schema, one) for one in itertools.islice(records, _RECORDS)]


def client_requests(records: list[RankingRequest], candidates: int) -> list[RankingRequest]:
    """Returns the latest request of each user, all with the same candidates.

    Args:
      records: decoded; what only training needs of them is left out.
      candidates: how many distinct items to take from the records.
    """
    ids = np.concatenate([record.candidate_item_id for record in records])
    _, first = np.unique(ids, return_index=True)
    kept = np.sort(first)[:candidates]
    pool = {
        name: np.concatenate([record.features[name] for record in records])[kept]
        for name in records[0].features
        if name.startswith("candidate_")
    }
    requests = []
    for record in {record.user_id: record for record in records}.values():
        own = {
            name: value
            for name, value in record.features.items()
            if name.startswith(("context_", "history_"))
        }
        one = dataclasses.replace(record, candidate_item_id=ids[kept], features={**pool, **own})
        requests.append(dataclasses.replace(one, labels={}))
    return requests


def main(_: list[str]) -> None:
    """Prints the best candidates of each user, then what the caches did."""
    records = read_records(_EXAMPLES.value)
    requests = client_requests(records, _CANDIDATES.value)[: _REQUESTS.value]

    catalogs = {}
    if _PROJECTIONS.value:
        names = ("id_projections", "target_aware_projections")
        catalogs = {name: ranking.ProjectionCache.open(_PROJECTIONS.value, name) for name in names}
    # What the catalogs lack, and all of it without them, is kept for as long as this process lives.
    store = ranking.CatalogStore(catalogs, ranking.LruProjectionStore(100_000))
    channel = ranking.open_channel(_SERVER.value, timeout_seconds=5)
    # The server may still be loading the model.
    grpc.channel_ready_future(channel).result(timeout=_WAIT_SECONDS)
    client = ranking.RankingClient(ranking.RemoteModel(channel, _MODEL.value), store)

    for request in requests:
        by_ids = client.score_request([request])
        cached = client.score_cached([request])
        print(
            f"user {request.user_id}, {len(request.history_item_id)} behaviors: "
            f"version {cached.version}, {cached.signature}"
        )
        for label, (scores,) in cached.probabilities.items():
            difference = abs(scores - by_ids.probabilities[label][0]).max()
            best = np.argsort(-scores)[:_BEST]
            ranked = ", ".join(f"{request.candidate_item_id[at]} ({scores[at]:.4f})" for at in best)
            print(f"  {label}: best of {len(scores)} items {ranked}")
            print(f"  largest difference to the scores by ids {difference:.0e}")
    print(client.counts())


if __name__ == "__main__":
    app.run(main)
