"""Shows whether an exported model serves what it was trained on.

python -m pipeline.check_skew --saved_model DIR --examples DIR --embeddings modality=DIR

Records go through `serving_default` as they are and through `score_request` by their ids;
`--requests` takes requests that TF Serving logged, and compares with what was answered. The exit
code is 0 where all is equal, 1 where something differs, 2 where the input is at fault.
"""

import json
from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from features.files import storage
from models.inputs.example_set import ExampleSet
from pipeline.runtime import entry_point, text_table
from serving_signatures.skew.check import check
from serving_signatures.skew.tally import Comparison
from serving_signatures.versions.loaded_version import LoadedVersion

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


def table(comparisons: Sequence[Comparison]) -> str:
    """Returns comparisons as lines, with a record to look at for each that differs."""
    rows = [("feature", "compared", "different", "largest", "set apart")]
    for one in comparisons:
        counts = f"{one.compared:,}", f"{one.different:,}", f"{one.largest:.3g}"
        rows.append((one.feature, *counts, f"{one.set_apart:,}"))
    lines = [text_table.aligned(rows)]
    return "\n".join([*lines, *(one.worst_line() for one in comparisons if one.different)])


def _check_flags(arguments: Sequence[str]) -> None:
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
