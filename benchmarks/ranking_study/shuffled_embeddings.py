"""The control: the same records with embeddings shuffled between items.

Ids, labels, histories and side features stay; similarity codes and candidates' vectors are
computed from the shuffled embeddings. An item without an embedding has none afterwards either, so
only the content's meaning is lost. A pipeline that gains from content must lose that gain.
"""

import dataclasses
import itertools
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from features.embeddings import embedding_set, similarity
from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.files import manifest
from features.records import record_files, tfrecord
from features.records.decoded_example import decode_request
from features.records.example import encode_request
from features.records.requests import RankingRequest
from features.schema import ExampleSchema, candidate_embedding_feature, similarity_feature
from models.inputs.example_set import ExampleSet
from pipeline.publishing.shards import HashedFile

_CHUNK = 256
_SEED = 0


def write_shuffled(examples: ExampleSet, locations: Mapping[str, str], folder: str) -> str:
    """Writes a data set with the content of other items, unless it is there already.

    Args:
      examples: the joined data set.
      locations: its embedding sets, by modality.
      folder: of the result, which is returned.

    Raises:
      UserInputError: an embedding set is missing.
    """
    if os.path.isfile(os.path.join(folder, manifest.FILE_NAME)):
        return folder
    missing = sorted(set(examples.schema.modality_names) - set(locations))
    if missing:
        raise UserInputError(
            f"The control with shuffled vectors needs the embedding sets {missing}: give "
            "--embeddings modality=DIR for each, or leave the _shuffled rows out of --models."
        )
    rng = np.random.default_rng(_SEED)
    sets = {
        name: shuffle(embedding_set.read_embedding_set(locations[name]), rng)
        for name in examples.schema.modality_names
    }
    os.makedirs(folder, exist_ok=True)
    values = {name: one for name, one in examples.manifest.items() if name != "code_version"}
    shards = dict(values["shards"])
    for split in [name for name, one in values["splits"].items() if one["shards"]]:
        for path in examples.shards(split):
            name = os.path.basename(path)
            written = os.path.join(folder, name)
            with HashedFile(written, name.endswith(tfrecord.GZIP_SUFFIX)) as file:
                records = record_files.read(path).as_numpy_iterator()
                for record in reencoded(examples.schema, records, sets):
                    file.write(tfrecord.frame(record))
            shards[name] = {**shards[name], "bytes": file.bytes, "sha256": file.sha256}
    vocabulary = os.path.join(examples.folder, "vocabulary")
    if os.path.isdir(vocabulary):
        shutil.copytree(vocabulary, os.path.join(folder, "vocabulary"), dirs_exist_ok=True)
    manifest.write_manifest(folder, {**values, "shards": shards, "shuffled": _SEED})
    return folder


def shuffle(original: EmbeddingSet, rng: np.random.Generator) -> EmbeddingSet:
    """Returns an embedding set with the vectors of other items."""
    order = rng.permutation(len(original.item_ids))
    return embedding_set.from_quantized(
        original.item_ids,
        original.quantized[order],
        original.norms[order],
        original.available_at[:-1],
    )


def reencoded(
    schema: ExampleSchema, records: Iterable[bytes], sets: Mapping[str, EmbeddingSet]
) -> Iterator[bytes]:
    """Yields serialized requests with the content of other embedding sets, by modality."""
    remaining = iter(records)
    while chunk := list(itertools.islice(remaining, _CHUNK)):
        requests = [decode_request(schema, record) for record in chunk]
        yield from (encode_request(schema, one) for one in _with_content(requests, sets))


def _with_content(
    requests: Sequence[RankingRequest], sets: Mapping[str, EmbeddingSet]
) -> Iterator[RankingRequest]:
    """Yields the requests with codes and vectors of other embedding sets."""
    shown_items = np.unique(np.concatenate([one.candidate_item_id for one in requests]))
    seen_items = np.unique(np.concatenate([one.history_item_id for one in requests]))
    vectors, codes = {}, {}
    for name, values in sets.items():
        rows, others = values.rows(shown_items), values.rows(seen_items)
        vectors[name] = values.quantized[rows]
        # Once for all pairs of the chunk's items: its requests share most of their histories.
        codes[name] = similarity.codes(
            vectors[name], values.norms[rows], values.quantized[others], values.norms[others]
        )
    for one in requests:
        shown = np.searchsorted(shown_items, one.candidate_item_id)
        seen = np.searchsorted(seen_items, one.history_item_id)
        # A pair or an item without content in the record has none afterwards either.
        features = dict(one.features)
        for name in sets:
            feature = similarity_feature(name)
            if feature in features:
                known = features[feature] != similarity.UNKNOWN_CODE
                features[feature] = codes[name][np.ix_(shown, seen)] * known
            feature = candidate_embedding_feature(name)
            if feature in features:
                known = features[feature].any(axis=1, keepdims=True)
                features[feature] = vectors[name][shown] * known
        yield dataclasses.replace(one, features=features)
