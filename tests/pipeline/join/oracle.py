"""The join once more, a row at a time in plain Python: slow, and written without the job's code."""

import collections
import glob
import json
import os

import farmhash
import numpy as np
import tensorflow as tf


def int64(value):
    """An id as the record holds it."""
    if isinstance(value, str):
        unsigned = farmhash.Fingerprint64(value)
        return unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned
    return value


def code(a, b):
    """The similarity code of two quantized vectors, by integers."""
    if a is None or b is None or not any(a) or not any(b):
        return 0
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    norms = [np.float32(np.sqrt(np.float64(sum(x * x for x in one)))) for one in (a, b)]
    cosine = np.float32(dot) / np.float32(norms[0] * norms[1])
    return int(np.float32(1) + np.rint((cosine + np.float32(1)) * np.float32(127)))


def quantize(vector):
    largest = max(abs(float(value)) for value in vector)
    if not largest:
        return [0] * len(vector)
    return [
        int(np.rint(np.float32(127) * np.float32(value) / np.float32(largest))) for value in vector
    ]


def join(
    rows,
    embeddings,
    *,
    length,
    delay=0,
    fractions=(0.7, 0.1, 0.2),
    by="global",
    most=128,
    unread=(),
):
    """Joins rows.

    Args:
      rows: dicts with user_id, item_id, timestamp (s), click, is_behavior, type and optionally
        request_id, in the order of the log.
      embeddings: by modality, item id to (vector, available_at in microseconds or None).
      length: L.
      delay: seconds.
      fractions: train, validation, test.
      by: global or user.
      most: candidates per record.
      unread: columns that the join does not read, so that they make no row another one.

    Returns:
      By split, a Counter of records as comparable tuples; and the number of duplicates.
    """
    kept = distinct(rows, unread)
    bounds = [round(sum(fractions[: n + 1]) * len(rows)) for n in range(2)]
    times = sorted(row["timestamp"] for row in rows)
    cuts = [times[bound] if bound < len(times) else float("inf") for bound in bounds]
    by_user = collections.defaultdict(list)
    for position, row in enumerate(kept):
        by_user[row["user_id"]].append((row["timestamp"], position, row))
    records = collections.defaultdict(collections.Counter)
    for own in by_user.values():
        own.sort(key=lambda one: one[:2])
        requests = collections.defaultdict(list)
        for moment, _, row in own:
            requests[row.get("request_id", moment)].append(row)
        done = 0
        ordered = sorted(requests.items(), key=lambda one: (one[1][0]["timestamp"], int64(one[0])))
        for key, candidates in ordered:
            moment = candidates[0]["timestamp"]
            behaviors = [
                row for time, _, row in own if row["is_behavior"] and time < moment - delay
            ][-length:]
            if by == "global":
                split = sum(moment >= cut for cut in cuts)
            else:
                split = sum(done >= round(sum(fractions[: n + 1]) * len(own)) for n in range(2))
            done += len(candidates)
            for first in range(0, len(candidates), most):
                part = candidates[first : first + most]
                record = _record(part, behaviors, moment, embeddings)
                name = ("train", "validation", "test")[split]
                records[name][(int64(key) if "request_id" in part[0] else None, *record)] += 1
    return dict(records), len(rows) - len(kept)


def distinct(rows, unread=()):
    """Returns the first of rows that are equal apart from unread columns."""
    kept, seen = [], set()
    for row in rows:
        key = tuple(sorted(one for one in row.items() if one[0] not in unread))
        if key not in seen:
            seen.add(key)
            kept.append(row)
    return kept


def _record(candidates, behaviors, moment, embeddings):
    def vector(modality, item):
        found = embeddings[modality].get(item)
        if found is None or (found[1] is not None and found[1] > moment * 1_000_000):
            return None
        return quantize(found[0])

    return (
        int64(candidates[0]["user_id"]),
        moment * 1_000_000,
        tuple(int64(row["item_id"]) for row in behaviors),
        tuple(moment - row["timestamp"] for row in behaviors),
        tuple(row["type"] for row in behaviors),
        tuple(int64(row["item_id"]) for row in candidates),
        tuple(float(row["click"]) for row in candidates),
        *(
            bytes(
                code(vector(modality, c["item_id"]), vector(modality, b["item_id"]))
                for c in candidates
                for b in behaviors
            )
            for modality in sorted(embeddings)
        ),
        *(
            np.array(
                [
                    vector(modality, c["item_id"]) or [0] * len(_any(embeddings[modality]))
                    for c in candidates
                ],
                np.int8,
            ).tobytes()
            for modality in sorted(embeddings)
        ),
    )


def _any(vectors):
    return next(iter(vectors.values()))[0]


def read_records(folder, split="*"):
    """Returns the records of a data set as dicts of lists and bytes, by shard."""
    shards = {}
    for path in sorted(glob.glob(os.path.join(folder, f"{split}-*.tfrecord"))):
        shards[os.path.basename(path)] = [
            parse(record.numpy()) for record in tf.data.TFRecordDataset(path)
        ]
    return shards


def comparable(record, modalities, with_request):
    """Returns a record as `join` does."""
    return (
        record["request_id"][0] if with_request else None,
        record["user_id"][0],
        record["timestamp"][0],
        *(
            tuple(record[name])
            for name in (
                "history_item_id",
                "history_time_gap",
                "history_type",
                "candidate_item_id",
                "click",
            )
        ),
        *(record[f"similarity_{name}"][0] for name in sorted(modalities)),
        *(record[f"candidate_embedding_{name}"][0] for name in sorted(modalities)),
    )


def manifest(folder):
    with open(os.path.join(folder, "manifest.json")) as file:
        return json.load(file)


def find_leaks(records, rows):
    """Returns the behaviors in records that their request could not have seen.

    A behavior must be an event of the same user, of that item, at the time that the gap says,
    and strictly before the request.
    """
    events = {
        (int64(row["user_id"]), int64(row["item_id"]), row["timestamp"] * 1_000_000) for row in rows
    }
    leaks = []
    for record in records:
        moment, user = record["timestamp"][0], record["user_id"][0]
        pairs = zip(record["history_item_id"], record["history_time_gap"], strict=True)
        for item, gap in pairs:
            if gap <= 0 or (user, item, moment - gap * 1_000_000) not in events:
                leaks.append((user, moment, item, gap))
    return leaks


def parse(serialized):
    """Returns a record as a dict of lists and bytes."""
    example = tf.train.Example.FromString(serialized)
    record = {}
    for name, feature in example.features.feature.items():
        record[name] = list(getattr(feature, feature.WhichOneof("kind")).value)
    return record
