"""The data sets that the quality benchmark compares models on."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.ranking_study.code_fingerprint import fingerprint
from features.errors import UserInputError
from features.files import manifest
from models.inputs.example_set import ExampleSet
from pipeline.end_to_end import demo_data
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.training_runs.run_config import DataConfig

SPLITS = ("global", "user")
_HISTORY_LENGTH = 500
_RATING = "rating"
_OF_RATINGS: dict[str, Any] = {
    "derive_label": ("liked = rating >= 4",),
    "behavior_rule": "all",
    "behavior_type": ("rating >= 3", "rating >= 4", "rating >= 4.5", "rating >= 5"),
    "statistics": ("liked", "rating"),
}
"""How a log of ratings is joined: every rated item is a behavior, typed by how it was rated."""

_LABELS = ("click", "conversion")
_CODE = ("features", "pipeline")


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A joined data set and where its vectors are.

    Attributes:
      split: how it was split, `global` or `user`, or `given` where its manifest does not say.
      folder: of the records.
      embeddings: embedding set by modality; may lack some where records were given.
    """

    split: str
    folder: str
    embeddings: Mapping[str, str]


def prepare(
    source: str,
    splits: Sequence[str],
    overrides: Mapping[str, Any],
    embeddings: Mapping[str, str],
    work: str,
) -> list[DataSet]:
    """Joins a raw log once per split, or opens what is joined already.

    Args:
      source: a folder as `pipeline.end_to_end.demo_data` reads it, or one that the join wrote.
      splits: of a raw log, some of `SPLITS`.
      overrides: fields of `JoinOptions` that replace the benchmark's.
      embeddings: embedding sets of joined records by modality; a raw log brings its own.
      work: receives the joined data sets.

    Raises:
      UserInputError: the folder is neither, or an option does not fit it.
    """
    if os.path.isfile(os.path.join(source, manifest.FILE_NAME)):
        parameters = ExampleSet.open(source).manifest.get("parameters", {})
        split = parameters.get("split_by", "given")
        return [DataSet(split, os.path.abspath(source), dict(embeddings))]
    data = demo_data.prepare(DataConfig(source=source), os.path.join(work, "data"))
    columns = pq.read_schema(data.events)
    return [_joined(data, {**default_join(columns), **overrides}, split, work) for split in splits]


def default_join(columns: pa.Schema) -> dict[str, Any]:
    """Returns the benchmark's join of a log with such columns.

    Raises:
      UserInputError: the log has neither ratings nor clicks nor conversions.
    """
    common = {"history_length": _HISTORY_LENGTH, "timestamp_unit": "s"}
    if _RATING in columns.names:
        return {**common, **_OF_RATINGS}
    labels = tuple(name for name in _LABELS if name in columns.names)
    if not labels:
        raise UserInputError(
            f"The log has the columns {columns.names}, and none of {[_RATING, *_LABELS]}. Join it "
            "with pipeline.build_examples, and give --data the joined folder."
        )
    types = tuple(f"{name} == 1" for name in labels)
    of_labels = {"labels": labels, "behavior_type": types, "statistics": labels}
    return {**common, **of_labels, "behavior_rule": "all"}


def _joined(data: demo_data.RatingsData, join: Mapping[str, Any], split: str, work: str) -> DataSet:
    options = {
        "split_fractions": (0.7, 0.1, 0.2),
        **join,
        "split_by": split,
        "events": os.path.abspath(data.events),
        "items": os.path.abspath(data.items),
        "embeddings": {name: os.path.abspath(one) for name, one in data.embeddings.items()},
    }
    # What other code joined may hold other features.
    output = os.path.join(work, f"examples-{split}-{fingerprint(options, _CODE)}")
    build_examples(JoinOptions.from_dict({**options, "output": output}))
    return DataSet(split, output, options["embeddings"])
