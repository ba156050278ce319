"""Shows whether an exported model serves what it was trained on.

python -m pipeline.check_skew --saved_model DIR --examples DIR --embeddings modality=DIR

Records go through `serving_default` as they are and through `score_request` by their ids;
`--requests` takes requests that TF Serving logged, and compares with what was answered. The exit
code is 0 where all is equal, 1 where something differs, 2 where the input is at fault.
"""

import json
from collections.abc import Sequence
from typing import Any

from absl import flags, logging

from features.errors import UserInputError
from features.files import storage
from models.inputs.example_set import ExampleSet
from pipeline.runtime import entry_point, text_table
from serving_signatures.skew import log_replay, records, replay, request_log
from serving_signatures.skew.loaded_version import LoadedVersion
from serving_signatures.skew.tally import Comparison, Tally

SKEW_CODE = 1
"""The exit code when training and serving differ."""

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string(
        "saved_model", None, "Version that pipeline.export published.", required=True
    )
    flags.DEFINE_string("examples", None, "Folder that the join wrote; its records are replayed.")
    flags.DEFINE_string("split", "test", "Split of --examples.")
    flags.DEFINE_multi_string(
        "requests", [], "TFRecords of PredictionLog, as TF Serving logs requests; repeatable."
    )
    flags.DEFINE_multi_string(
        "embeddings", [], "modality=DIR, the set that the join read; repeatable."
    )
    flags.DEFINE_integer("records", 1000, "Records to draw, and logged requests.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Of the choice of records.")
    flags.DEFINE_string("output", None, "JSON file for what was compared.")


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=_check_flags)


def check(
    model: LoadedVersion,
    examples: ExampleSet | None,
    split: str,
    logs: Sequence[str],
    embeddings: dict[str, str],
    count: int,
    seed: int,
) -> tuple[Tally, dict[str, Any]]:
    """Replays records of a data set and logged requests.

    Args:
      model: what serves.
      examples: the data set, or None.
      split: of the data set.
      logs: files of logged requests.
      embeddings: folder of the embedding set by modality.
      count: how many records, and how many logged requests, at most.
      seed: of the choice.

    Returns:
      What was compared, and JSON values that say of how much.

    Raises:
      UserInputError: records, logs or embedding sets do not belong to the model.
    """
    tally = Tally()
    found: dict[str, Any] = {}
    drawn = []
    if examples is not None:
        if examples.schema != model.schema:
            raise UserInputError(
                f"The model was trained with the schema {model.schema}, but {examples.folder!r} "
                f"has {examples.schema}. Join with the same labels, embeddings and side features."
            )
        drawn = records.draw(examples.shards(split), count, seed)
        found["records"] = len(drawn)
    if logs:
        requests, left_out = request_log.draw(logs, count, seed)
        log_replay.replay(model, requests, tally)
        versions = sorted({request.version for request in requests})
        found["requests"] = {"replayed": len(requests), "left_out": left_out, "versions": versions}
        if other := [version for version in versions if version not in ("", model.version)]:
            logging.warning(
                "Answers of version %s are compared with version %s: give the version that "
                "answered, unless that is what you want to know.",
                ", ".join(other),
                model.version,
            )
        logged = log_replay.examples(requests)
        found["logged_examples"] = len(logged)
        drawn += logged
    if drawn:
        found["coverage"] = replay.replay(model, drawn, embeddings, tally)
    return tally, found


def table(comparisons: Sequence[Comparison]) -> str:
    """Returns comparisons as lines, with a record to look at for each that differs."""
    rows = [("feature", "compared", "different", "largest", "set apart")]
    rows += [
        (
            one.feature,
            f"{one.compared:,}",
            f"{one.different:,}",
            f"{one.largest:.3g}",
            f"{one.set_apart:,}",
        )
        for one in comparisons
    ]
    lines = [text_table.aligned(rows)]
    for one in comparisons:
        if one.different and one.worst is not None:
            worst = one.worst
            lines.append(
                f"{one.feature}: {worst['record']}, at {worst['position']}: "
                f"{worst['expected']} became {worst['received']}"
            )
    return "\n".join(lines)


def _check_flags(arguments: Sequence[str]) -> None:
    del arguments
    entry_point.modality_folders(_FLAGS.embeddings)
    if _FLAGS.examples is None and not _FLAGS.requests:
        raise UserInputError(
            "Give --examples, --requests or both: there is nothing to replay otherwise."
        )


def _main(arguments: Sequence[str]) -> None:
    _check_flags(arguments)
    examples = None if _FLAGS.examples is None else ExampleSet.open(_FLAGS.examples)
    tally, found = check(
        LoadedVersion.open(_FLAGS.saved_model),
        examples,
        _FLAGS.split,
        _FLAGS.requests,
        entry_point.modality_folders(_FLAGS.embeddings),
        _FLAGS.records,
        _FLAGS.seed,
    )
    comparisons = tally.worst_first()
    if _FLAGS.output is not None:
        values = {
            "saved_model": _FLAGS.saved_model,
            "examples": _FLAGS.examples,
            "split": _FLAGS.split,
            "seed": _FLAGS.seed,
            "skew": tally.skew,
            **found,
            "comparisons": [one.to_dict() for one in comparisons],
        }
        text = json.dumps(values, indent=2, sort_keys=True)
        storage.write_bytes(_FLAGS.output, f"{text}\n".encode())
    print(table(comparisons))
    print(json.dumps(found))
    if tally.skew:
        raise SystemExit(SKEW_CODE)
    print("Training and serving are equal.")


if __name__ == "__main__":
    main()
