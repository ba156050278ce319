"""Records through `serving_default` and `score_request`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from features.embeddings.item_vectors import ItemVectors
from features.errors import UserInputError
from features.records import example
from features.schema import (
    CANDIDATE_MASK,
    HISTORY_MASK,
    candidate_embedding_feature,
    similarity_feature,
)
from serving_signatures import names
from serving_signatures.export.recorded_requests import item_ids, recorded_requests
from serving_signatures.export.sample_requests import Arrays
from serving_signatures.skew import codes, content, records
from serving_signatures.skew.codes import Recomputed
from serving_signatures.skew.loaded_version import LoadedVersion, reason
from serving_signatures.skew.records import Record
from serving_signatures.skew.tally import Tally

SCORE_TOLERANCE = 1e-6
"""Largest difference of a probability that counts as none."""

_RECORDS_AT_ONCE = 8


def replay(
    model: LoadedVersion, drawn: Sequence[Record], folders: Mapping[str, str], tally: Tally
) -> dict[str, Any]:
    """Scores records as they are and by their ids, and compares all that both are computed from.

    Four things are compared for every record. What a client would send, decoded without
    TensorFlow's graph, with what `serving_default` parses. Similarity codes and candidates'
    vectors in the record with those of the items' own vectors. Embedding sets with the tables
    inside the model. The scores of both signatures.

    A vector that came after the request counts as none in the record, while a table inside the
    model has it: such pairs, and the scores of their requests, are set apart. A client that sends
    vectors leaves them out, so there the scores are compared.

    Args:
      model: what serves.
      drawn: the records.
      folders: embedding set by modality; others are taken from inside the model.
      tally: is added to.

    Returns:
      Of the distinct items of the records: how many there are, `items`, how many have a row of
      their own in the model, `known` (None where ids are hashed), and, by modality, how many have
      a vector, `with_vector`.

    Raises:
      UserInputError: a record is not of the model's schema, or vectors are missing.
    """
    requests = [records.decode(model.schema, record) for record in drawn]
    items = np.unique(
        np.concatenate([np.append(one.candidate_item_id, one.history_item_id) for one in requests])
    )
    vectors = content.read(model, folders, items)
    _compare_tables(model, {name: vectors[name] for name in folders}, items, tally)
    for start in range(0, len(drawn), _RECORDS_AT_ONCE):
        part = slice(start, start + _RECORDS_AT_ONCE)
        where = [
            f"{record.where} (request_id {request.request_id})"
            for record, request in zip(drawn[part], requests[part], strict=True)
        ]
        serialized = [record.data for record in drawn[part]]
        parsed = _parsed(model, serialized, where)
        timestamps = np.array([request.timestamp for request in requests[part]])
        ids = item_ids(requests[part])
        computed = {
            name: codes.compute(one, ids, timestamps, name) for name, one in vectors.items()
        }
        sent = {name: computed[name].vectors for name in model.wants_vectors}
        sample = recorded_requests(model.schema, serialized, requests[part], sent)
        inputs = sample.score_request(tables_inside=not sent)
        _compare_inputs(inputs, parsed, where, tally)
        for name, one in computed.items():
            _compare_content(name, one, parsed, where, tally)
        _compare_scores(model, serialized, inputs, computed, where, tally)
    vocabulary = model.vocabulary()
    return {
        "items": len(items),
        "known": None if vocabulary is None else int(np.isin(items, vocabulary).sum()),
        "with_vector": {name: len(one.item_ids) for name, one in vectors.items()},
    }


def _parsed(model: LoadedVersion, serialized: list[bytes], where: Sequence[str]) -> Arrays:
    """Parses records as `serving_default` does."""
    try:
        parsed = example.parse_examples(model.schema, tf.constant(serialized))
    except tf.errors.InvalidArgumentError as error:
        raise UserInputError(
            f"One of {list(where)} does not parse with the model's schema: {error.message}"
        ) from error
    return {name: tensor.numpy() for name, tensor in parsed.items()}


def _compare_tables(
    model: LoadedVersion, sets: Mapping[str, ItemVectors], items: np.ndarray, tally: Tally
) -> None:
    """Compares embedding sets with the tables inside the model, item by item."""
    inside = content.tables(model, items, [name for name in sets if name in model.holds_tables])
    where = [f"item {item}" for item in items]
    for name, held in inside.items():
        expected, received = (codes.quantized(one, items, name) for one in (sets[name], held))
        tally.add(f"embedding_{name}", expected, received, where)


def _compare_inputs(inputs: Arrays, parsed: Arrays, where: Sequence[str], tally: Tally) -> None:
    """Compares what a client sends with what the record parses to."""
    for side in ("history", "candidate"):
        expected, received = (one[f"{side}_mask"].sum(axis=1) for one in (parsed, inputs))
        tally.add(f"{side}_length", expected, received, where)
    for name, received in inputs.items():
        if name in parsed:
            tally.add(name, parsed[name], received, where)


def _compare_content(
    name: str, computed: Recomputed, parsed: Arrays, where: Sequence[str], tally: Tally
) -> None:
    """Compares a modality's codes and candidates' vectors with the record's."""
    candidates, history = parsed[CANDIDATE_MASK], parsed[HISTORY_MASK]
    recorded = parsed[similarity_feature(name)]
    late = computed.late_pairs
    tally.add(
        similarity_feature(name),
        recorded,
        np.where(late, 0, computed.codes).astype(np.uint8),
        where,
        counted=candidates[:, :, None] & history[:, None, :],
        set_apart=late & (computed.codes != 0) & (recorded == 0),
    )
    if candidate_embedding_feature(name) not in parsed:
        return
    recorded = parsed[candidate_embedding_feature(name)]
    late = computed.late["candidate"][:, :, None]
    tally.add(
        candidate_embedding_feature(name),
        recorded,
        np.where(late, 0, computed.quantized).astype(np.int8),
        where,
        counted=candidates[:, :, None],
        set_apart=late & (computed.quantized != 0) & (recorded == 0),
    )


def _compare_scores(
    model: LoadedVersion,
    serialized: list[bytes],
    inputs: Arrays,
    computed: Mapping[str, Recomputed],
    where: Sequence[str],
    tally: Tally,
) -> None:
    """Compares the outputs of both signatures, of the candidates that are no padding.

    Records that a signature refuses, though they were trained on, differ as `score:refused`.
    """
    examples = {names.EXAMPLES: np.array(serialized, object)}
    try:
        expected = model.call(names.SERVING_DEFAULT, examples)
        received = model.call(names.SCORE_REQUEST, inputs)
    except tf.errors.InvalidArgumentError as error:
        refusal = np.array([reason(error)], object)
        place = [f"{where[0]} or one of the next {len(where) - 1} drawn"]
        tally.add("score:refused", np.array([""], object), refusal, place)
        return
    mask = inputs[CANDIDATE_MASK]
    late = np.zeros((len(where), 1), bool)
    for name, one in computed.items():
        if name not in model.wants_vectors:
            late[:, 0] |= np.any(one.late["candidate"] & mask, axis=1)
            late[:, 0] |= np.any(one.late["history"] & inputs[HISTORY_MASK], axis=1)
    for output, values in expected.items():
        tally.add(
            f"score:{output}",
            values,
            received[output],
            where,
            tolerance=SCORE_TOLERANCE,
            counted=mask,
            set_apart=late if output != names.MASK else None,
        )
