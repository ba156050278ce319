"""Records through `serving_default` and `score_request`, and logged calls once more."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from features.embeddings.item_vectors import ItemVectors
from features.errors import UserInputError
from features.records import example, requests
from features.records.requests import Arrays, RankingRequest
from features.schema import (
    BEHAVIORS,
    CANDIDATES,
    ITEM_AXES,
    REQUEST_ID,
    USER_ID,
    candidate_embedding_feature,
    similarity_feature,
)
from features.tables.options import DEFAULT, TableOptions
from serving_signatures import names
from serving_signatures.request_logs.logged_call import LoggedCall
from serving_signatures.skew import content, drawing
from serving_signatures.skew.content import Recomputed
from serving_signatures.skew.drawing import Record
from serving_signatures.skew.tally import Tally
from serving_signatures.versions.loaded_version import LoadedVersion, inputs_of, reason

SCORE_TOLERANCE = 1e-6
"""Largest difference of a probability that counts as none."""

_RECORDS_AT_ONCE = 8
_NEVER_READ = frozenset((USER_ID, REQUEST_ID))
"""Features of records that no model reads."""


def replay_records(
    model: LoadedVersion,
    drawn: Sequence[Record],
    locations: Mapping[str, str | Sequence[str]],
    tally: Tally,
    options: TableOptions = DEFAULT,
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
      locations: embedding set by modality; others are taken from inside the model.
      tally: is added to.
      options: of the sets' tables.

    Returns:
      Of the distinct items of the records: how many there are, `items`, how many have a row of
      their own in the model, `known` (None where ids are hashed), and, by modality, how many have
      a vector, `with_vector`.

    Raises:
      UserInputError: a record is not of the model's schema, or vectors are missing.
    """
    decoded = [drawing.decode(model.schema, record) for record in drawn]
    items = np.unique(
        np.concatenate([np.append(one.candidate_item_id, one.history_item_id) for one in decoded])
    )
    vectors = content.read(model, locations, items, options)
    _compare_tables(model, {name: vectors[name] for name in locations}, items, tally)
    for start in range(0, len(drawn), _RECORDS_AT_ONCE):
        part = slice(start, start + _RECORDS_AT_ONCE)
        _replay_batch(model, drawn[part], decoded[part], vectors, tally)
    vocabulary = model.vocabulary()
    return {
        "items": len(items),
        "known": None if vocabulary is None else int(np.isin(items, vocabulary).sum()),
        "with_vector": {name: len(one.item_ids) for name, one in vectors.items()},
    }


def replay_calls(model: LoadedVersion, calls: Sequence[LoggedCall], tally: Tally) -> None:
    """Calls the logged signatures with the logged inputs and compares the outputs.

    Numbers may differ by `SCORE_TOLERANCE`, everything else not at all. A call that the model
    refuses, though it was answered, differs as `<signature>:refused`. Of a call whose inputs were
    redacted, all but the mask is set apart.

    Args:
      model: what is to answer as was logged.
      calls: with their responses.
      tally: is added to.
    """
    for call in calls:
        where = [call.where]
        answer = _answer(model, call)
        apart = is_set_apart(call)
        refusal = answer if isinstance(answer, str) else ""
        _add_refusal(tally, f"{call.signature}:refused", refusal, where, apart)
        if isinstance(answer, str):
            continue
        for name, logged in call.outputs.items():
            received = answer.get(name, np.zeros(0))
            tolerance = SCORE_TOLERANCE if logged.dtype.kind == "f" else 0.0
            feature = f"{call.signature}:{name}"
            set_apart = np.array(apart and name != names.MASK)
            tally.add(feature, logged[None], received[None], where, tolerance, set_apart=set_apart)


def is_set_apart(call: LoggedCall) -> bool:
    """Whether a call lacks values that its scores were computed from."""
    return bool(call.redacted - _NEVER_READ)


def _replay_batch(
    model: LoadedVersion,
    drawn: Sequence[Record],
    decoded: Sequence[RankingRequest],
    vectors: Mapping[str, ItemVectors],
    tally: Tally,
) -> None:
    where = [
        f"{record.where} (request_id {request.request_id})"
        for record, request in zip(drawn, decoded, strict=True)
    ]
    serialized = [record.data for record in drawn]
    parsed = _parsed(model, serialized, where)
    batch = requests.pad(decoded)
    timestamps = np.array([request.timestamp for request in decoded])
    computed = {
        name: content.recompute(one, batch, timestamps, name) for name, one in vectors.items()
    }
    for name in model.wants_vectors:
        for axis in ITEM_AXES:
            batch[axis.feature(names.vector(name))] = computed[name].vectors[axis]
    inputs = inputs_of(model.signatures[names.SCORE_REQUEST], batch)
    _compare_inputs(inputs, parsed, where, tally)
    for name, one in computed.items():
        _compare_content(name, one, parsed, where, tally)
    _compare_scores(model, serialized, inputs, computed, where, tally)


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
        expected, received = (content.quantized(one, items, name) for one in (sets[name], held))
        tally.add(f"embedding_{name}", expected, received, where)


def _compare_inputs(inputs: Arrays, parsed: Arrays, where: Sequence[str], tally: Tally) -> None:
    """Compares what a client sends with what the record parses to."""
    for axis in reversed(ITEM_AXES):
        expected, received = (one[axis.mask].sum(axis=1) for one in (parsed, inputs))
        tally.add(axis.feature("length"), expected, received, where)
    for name, received in inputs.items():
        if name in parsed:
            tally.add(name, parsed[name], received, where)


def _compare_content(
    name: str, computed: Recomputed, parsed: Arrays, where: Sequence[str], tally: Tally
) -> None:
    """Compares a modality's codes and candidates' vectors with the record's."""
    candidates, history = parsed[CANDIDATES.mask], parsed[BEHAVIORS.mask]
    pairs = candidates[:, :, None] & history[:, None, :]
    compared = [(similarity_feature(name), computed.codes, computed.late_pairs, pairs)]
    if candidate_embedding_feature(name) in parsed:
        late = computed.late[CANDIDATES][:, :, None]
        compared.append(
            (
                candidate_embedding_feature(name),
                computed.quantized,
                late,
                candidates[:, :, None],
            )
        )
    for feature, values, late, counted in compared:
        recorded = parsed[feature]
        received = np.where(late, 0, values).astype(values.dtype)
        set_apart = late & (values != 0) & (recorded == 0)
        tally.add(feature, recorded, received, where, counted=counted, set_apart=set_apart)


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
        place = [f"{where[0]} or one of the next {len(where) - 1} drawn"]
        _add_refusal(tally, "score:refused", reason(error), place)
        return
    late = np.zeros((len(where), 1), bool)
    for name, one in computed.items():
        if name not in model.wants_vectors:
            for axis in ITEM_AXES:
                late[:, 0] |= np.any(one.late[axis] & inputs[axis.mask], axis=1)
    for output, values in expected.items():
        tally.add(
            f"score:{output}",
            values,
            received[output],
            where,
            tolerance=SCORE_TOLERANCE,
            counted=inputs[CANDIDATES.mask],
            set_apart=late if output != names.MASK else None,
        )


def _answer(model: LoadedVersion, call: LoggedCall) -> Arrays | str:
    """Returns the outputs, or why there are none."""
    called = f"model {call.model!r} was called, and this one"
    if call.signature not in model.signatures:
        return f"{called} has no such signature, only {sorted(model.signatures)}"
    expected = model.inputs(call.signature)
    if expected.keys() != call.inputs.keys():
        other = sorted(expected.keys() ^ call.inputs.keys())
        return f"{called} takes other inputs; only one of request and model has {other}"
    try:
        return model.call(call.signature, call.inputs)
    except (tf.errors.InvalidArgumentError, TypeError, ValueError) as error:
        return reason(error)


def _add_refusal(
    tally: Tally, feature: str, refusal: str, where: Sequence[str], set_apart: bool = False
) -> None:
    """Counts a refusal as a difference from none."""
    none, received = np.array([""], object), np.array([refusal], object)
    tally.add(feature, none, received, where, set_apart=np.array(set_apart))
