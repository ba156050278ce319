"""Scores requests through a served model, by ids and from caches.

    python -m pipeline.serve_local --saved_model serving/dmf --port 8500 &
    python examples/score.py --server localhost:8500 --model dmf --examples examples \
        --projections projections

The requests are records of the test split, as a client would send them. Without `--projections`,
what `pipeline.backfill` wrote, the client fills the caches as it goes. In a checkout that is not
installed, set `PYTHONPATH=.` so that the script finds the packages.
"""

import tensorflow as tf
from absl import app, flags

from features.records.decoded_example import decode_request
from models.inputs.example_set import ExampleSet
from serving_signatures import client as ranking

_SERVER = flags.DEFINE_string("server", "localhost:8500", "Host and port.")
_MODEL = flags.DEFINE_string("model", "dmf", "The model's name on the server.")
_EXAMPLES = flags.DEFINE_string("examples", None, "Folder that the join wrote.", required=True)
_PROJECTIONS = flags.DEFINE_string("projections", None, "Output of pipeline.backfill.")
_REQUESTS = flags.DEFINE_integer("requests", 3, "How many.", lower_bound=1)


def main(_: list[str]) -> None:
    """Prints the scores of each request, then what the caches did."""
    examples = ExampleSet.open(_EXAMPLES.value)
    records = tf.data.TFRecordDataset(examples.shards("test")).take(_REQUESTS.value)
    requests = [decode_request(examples.schema, record) for record in records.as_numpy_iterator()]

    catalogs = {}
    if _PROJECTIONS.value:
        names = ("id_projections", "target_aware_projections")
        catalogs = {name: ranking.ProjectionCache.open(_PROJECTIONS.value, name) for name in names}
    # What the catalogs lack, and all of it without them, is kept for as long as this process lives.
    store = ranking.CatalogStore(catalogs, ranking.LruProjectionStore(100_000))
    channel = ranking.open_channel(_SERVER.value, timeout_seconds=5)
    client = ranking.RankingClient(ranking.RemoteModel(channel, _MODEL.value), store)

    for request in requests:
        by_ids = client.score_request([request])
        cached = client.score_cached([request])
        print(f"version {cached.version}, {cached.signature}")
        for label, (scores,) in cached.probabilities.items():
            difference = abs(scores - by_ids.probabilities[label][0]).max()
            best = scores.argmax()
            print(
                f"  {label}: item {request.candidate_item_id[best]} is best of {len(scores)} with "
                f"{scores[best]:.4f}; largest difference to the score by ids {difference:.0e}"
            )
    print(client.counts())


if __name__ == "__main__":
    app.run(main)
