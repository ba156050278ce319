"""The data sets that the quality benchmark compares models on."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.ranking_study import recipes
from benchmarks.ranking_study.code_fingerprint import fingerprint
from features.errors import UserInputError
from features.files import manifest
from models.inputs.example_set import ExampleSet
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions

SPLITS = ("global", "user")
_HISTORY_LENGTH = 500
_RATING = "rating"
_LABELS = ("click", "conversion")
_CODE = ("features", "pipeline")


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A joined data set and where its vectors are.

    Attributes:
      name: in the table, such as `movielens_global`.
      folder: of the records.
      embeddings: embedding set by modality; may lack some where records were given.
      truth: of a simulated market, what `ground_truth.ceilings` returned.
    """

    name: str
    folder: str
    embeddings: Mapping[str, str]
    truth: Mapping[str, Any] | None = None


def prepare(
    sources: Sequence[str],
    splits: Sequence[str],
    overrides: Mapping[str, Any],
    embeddings: Mapping[str, str],
    work: str,
) -> list[DataSet]:
    """Joins raw logs, or opens what is joined already.

    Args:
      sources: each `NAME=FOLDER`, a name of `recipes.MARKETS`, or a folder. A folder is a raw log
        or one that the join wrote.
      splits: of raw logs whose recipe has none, some of `SPLITS`.
      overrides: fields of `JoinOptions` that replace the benchmark's.
      embeddings: embedding sets of joined records by modality; a raw log brings its own.
      work: receives the joined data sets.

    Raises:
      UserInputError: a source is none of these, an option does not fit it, or two data sets have
        one name.
    """
    # All names before the first join, which takes a while.
    named = [_parsed(source) for source in sources]
    found: dict[str, DataSet] = {}
    for (name, folder), text in zip(named, sources, strict=True):
        for data in _prepared(name, folder, splits, overrides, embeddings, work):
            if data.name in found:
                raise UserInputError(
                    f"--data {text}: another data set is called {data.name!r} already. Give each a "
                    "name of its own, as in --data NAME=FOLDER."
                )
            found[data.name] = data
    return list(found.values())


def _parsed(source: str) -> tuple[str, str]:
    """Returns name and folder of a source, of which one may be empty."""
    name, separator, folder = source.partition("=")
    if not separator:
        name, folder = (source, "") if source in recipes.MARKETS else ("", source)
    elif not name.isidentifier():  # A folder such as `logs/day=1`.
        name, folder = "", source
    if name in recipes.MARKETS and folder:
        raise UserInputError(f"--data {source}: give {name} alone, it is simulated.")
    if folder and not os.path.isdir(folder):
        known = ", ".join((*(f"{one}=FOLDER" for one in recipes.FOLDERS), *recipes.MARKETS))
        raise UserInputError(
            f"--data {source}: there is no folder {folder!r}. Expected a folder, NAME=FOLDER or "
            f"one of {known}."
        )
    return name, folder


def _prepared(
    name: str,
    folder: str,
    splits: Sequence[str],
    overrides: Mapping[str, Any],
    embeddings: Mapping[str, str],
    work: str,
) -> list[DataSet]:
    if folder and os.path.isfile(os.path.join(folder, manifest.FILE_NAME)):
        parameters = ExampleSet.open(folder).manifest.get("parameters", {})
        called = name or parameters.get("split_by", "given")
        return [DataSet(called, os.path.abspath(folder), dict(embeddings))]
    if name in (*recipes.FOLDERS, *recipes.MARKETS):
        options = recipes.join_options(name, folder, work)
    else:
        options = recipes.inputs(folder, os.path.join(work, "data", name))
        options |= default_join(pq.read_schema(options["events"]))
    options |= overrides
    truth = recipes.truth(name, work)
    if "split_by" in options:
        return [_joined(name or options["split_by"], options, work, truth)]
    return [
        _joined(f"{name}_{split}" if name else split, {**options, "split_by": split}, work, truth)
        for split in splits
    ]


def default_join(columns: pa.Schema) -> dict[str, Any]:
    """Returns the benchmark's join of a log with such columns.

    Raises:
      UserInputError: the log has neither ratings nor clicks nor conversions.
    """
    if _RATING in columns.names:
        return dict(recipes.RATINGS)
    labels = tuple(name for name in _LABELS if name in columns.names)
    if not labels:
        raise UserInputError(
            f"The log has the columns {columns.names}, and none of {[_RATING, *_LABELS]}. Join it "
            "with pipeline.build_examples, and give --data the joined folder."
        )
    types = tuple(f"{name} == 1" for name in labels)
    of_labels = {"labels": labels, "behavior_type": types, "statistics": labels}
    common = {"history_length": _HISTORY_LENGTH, "timestamp_unit": "s"}
    return {**common, **of_labels, "behavior_rule": "all"}


def _joined(
    name: str, join: Mapping[str, Any], work: str, truth: Mapping[str, Any] | None
) -> DataSet:
    options = {"split_fractions": (0.7, 0.1, 0.2), **join}
    for field in ("events", "items", "users"):
        if field in options:
            options[field] = os.path.abspath(options[field])
    located = {modality: os.path.abspath(one) for modality, one in options["embeddings"].items()}
    options["embeddings"] = located
    # What other code joined may hold other features.
    output = os.path.join(work, f"examples-{name}-{fingerprint(options, _CODE)}")
    build_examples(JoinOptions.from_dict({**options, "output": output}))
    return DataSet(name, output, located, truth)
