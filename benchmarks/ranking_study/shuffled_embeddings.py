"""The control: the same records with embeddings dealt to other items.

Ids, labels, histories and side features stay; similarity codes and candidates' vectors are
computed anew from the shuffled embeddings. What had no embedding has none afterwards, so that
only the content's meaning is lost. A pipeline that gains from content must lose that gain.
"""

import itertools
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from features.embeddings import embedding_set, similarity
from features.embeddings.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.files import manifest
from features.records import tfrecord
from features.schema import (
    CANDIDATE_ITEM_ID,
    HISTORY_ITEM_ID,
    ExampleSchema,
    candidate_embedding_feature,
    similarity_feature,
)
from models.inputs.example_set import ExampleSet

_CHUNK = 256


def write_shuffled(
    examples: ExampleSet, locations: Mapping[str, str], folder: str, seed: int = 0
) -> str:
    """Writes a data set whose content is of other items; does nothing where it is there.

    Args:
      examples: the joined data set.
      locations: its embedding sets, by modality.
      folder: of the result.
      seed: of the permutation.

    Returns:
      The folder.

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
    rng = np.random.default_rng(seed)
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
            with open(written, "wb") as file:
                records = tf.data.TFRecordDataset(path).as_numpy_iterator()
                for record in reencoded(examples.schema, records, sets):
                    file.write(tfrecord.frame(record))
            changed = {"bytes": os.path.getsize(written), "sha256": manifest.file_sha256(written)}
            shards[name] = {**shards[name], **changed}
    vocabulary = os.path.join(examples.folder, "vocabulary")
    if os.path.isdir(vocabulary):
        shutil.copytree(vocabulary, os.path.join(folder, "vocabulary"), dirs_exist_ok=True)
    manifest.write_manifest(folder, {**values, "shards": shards, "shuffled": seed})
    return folder


def shuffle(original: EmbeddingSet, rng: np.random.Generator) -> EmbeddingSet:
    """Returns an embedding set with the vectors of other items.

    Args:
      original: the embedding set.
      rng: draws the permutation.
    """
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
    """Yields records whose content is that of other embedding sets.

    Args:
      schema: of the records.
      records: serialized requests.
      sets: embedding set by modality.
    """
    remaining = iter(records)
    while chunk := list(itertools.islice(remaining, _CHUNK)):
        parsed = [tf.train.Example.FromString(record) for record in chunk]
        _replace_content(schema, parsed, sets)
        yield from (one.SerializeToString(deterministic=True) for one in parsed)


def _replace_content(
    schema: ExampleSchema,
    parsed: Sequence[tf.train.Example],
    sets: Mapping[str, EmbeddingSet],
) -> None:
    shown_items, shown = _distinct(parsed, CANDIDATE_ITEM_ID)
    seen_items, seen = _distinct(parsed, HISTORY_ITEM_ID)
    for modality in schema.modalities:
        values = sets[modality.name]
        rows, others = values.rows(shown_items), values.rows(seen_items)
        vectors = values.quantized[rows]
        # Once for all pairs of the chunk's items, whose requests share most of their histories.
        codes = similarity.codes(
            vectors, values.norms[rows], values.quantized[others], values.norms[others]
        )
        for index, one in enumerate(parsed):
            feature = one.features.feature
            stored = feature[similarity_feature(modality.name)].bytes_list.value
            # An embedding that came later than the request stays unknown.
            known = np.frombuffer(stored[0], np.uint8) != similarity.UNKNOWN_CODE
            stored[0] = (codes[np.ix_(shown[index], seen[index])].reshape(-1) * known).tobytes()
            if modality.candidate_embedding:
                stored = feature[candidate_embedding_feature(modality.name)].bytes_list.value
                present = (
                    np.frombuffer(stored[0], np.int8).reshape(len(shown[index]), -1).any(axis=1)
                )
                stored[0] = (vectors[shown[index]] * present[:, None]).astype(np.int8).tobytes()


def _distinct(parsed: Sequence[tf.train.Example], name: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Returns the distinct ids of a feature, and each record's as positions among them."""
    ids = [np.array(one.features.feature[name].int64_list.value, np.int64) for one in parsed]
    items, place = np.unique(np.concatenate(ids), return_inverse=True)
    return items, np.split(place, np.cumsum([len(one) for one in ids])[:-1])
