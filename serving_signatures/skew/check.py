"""Training against serving: records of a data set and logged calls, replayed and compared."""

from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from features.tables.options import DEFAULT, TableOptions
from models.inputs import shard_reading
from models.inputs.example_set import ExampleSet
from serving_signatures.request_logs import logged_call
from serving_signatures.skew import drawing, replay
from serving_signatures.skew.tally import Tally
from serving_signatures.versions.loaded_version import LoadedVersion


def check(
    model: LoadedVersion,
    examples: ExampleSet | None,
    split: str,
    logs: Sequence[str],
    embeddings: Mapping[str, str | Sequence[str]],
    count: int,
    seed: int,
    tables: TableOptions = DEFAULT,
) -> tuple[Tally, dict[str, Any]]:
    """Replays records of a data set and logged calls.

    Args:
      model: what serves.
      examples: the data set, or None.
      split: of the data set.
      logs: files, folders or globs of logged calls.
      embeddings: embedding set by modality: folders, files or globs.
      count: how many records, and how many logged calls, at most.
      seed: of the choice.
      tables: how embedding sets are read.

    Returns:
      What was compared, and JSON values that say how much was replayed.

    Raises:
      UserInputError: records, logs or embedding sets do not belong to the model.
    """
    tally = Tally()
    found: dict[str, Any] = {}
    drawn = []
    if examples is not None:
        examples.check_fits(model.schema)
        shards = examples.shards(split)
        with shard_reading.guarded(examples, shards):
            drawn = drawing.draw_records(shards, count, seed)
        found["records"] = len(drawn)
    if logs:
        calls, left_out = drawing.draw_calls(logs, count, seed)
        replay.replay_calls(model, calls, tally)
        versions = sorted({call.version for call in calls})
        found["requests"] = {"replayed": len(calls), "left_out": left_out, "versions": versions}
        if redacted := sorted({name for call in calls for name in call.redacted}):
            found["requests"]["redacted"] = redacted
            logging.warning(
                "The log has no values of %s. What a model computes from them cannot be compared, "
                "and is set apart: %d of %d requests.",
                ", ".join(redacted),
                sum(replay.is_set_apart(call) for call in calls),
                len(calls),
            )
        if other := [version for version in versions if version not in ("", model.version)]:
            logging.warning(
                "Answers of version %s are compared with version %s: give the version that "
                "answered, unless that is what you want to know.",
                ", ".join(other),
                model.version,
            )
        logged = [
            drawing.Record(data, where)
            for call in calls
            if not replay.is_set_apart(call)
            for where, data in logged_call.sent_records(call)
        ]
        found["logged_examples"] = len(logged)
        drawn += logged
    if drawn:
        found["coverage"] = replay.replay_records(model, drawn, embeddings, tally, tables)
    return tally, found
