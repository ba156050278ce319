"""Joins as most people write it in Beam Python: dictionaries, one row at a time.

Usual commands:

    python -m benchmarks.join_alternatives.rowwise --log market/ --output rowwise/
    python -m benchmarks.join_alternatives.rowwise --log market/ --output rowwise/ --record request

`--log` is a folder of `pipeline.simulate` with labels inline. It checks nothing, looks for no
duplicates, counts nothing and makes no splits, all of which flatters it.
"""

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import pyarrow.parquet as pq
import tensorflow as tf
from absl import flags
from apache_beam.options.pipeline_options import PipelineOptions

from features.schema import CANDIDATE_ITEM_ID, HISTORY_ITEM_ID, HISTORY_TIME_GAP
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

Row = dict[str, Any]


def define_flags() -> None:
    """Defines the flags."""
    with flag_group("Input"):
        flags.DEFINE_string(
            "log", None, "`FOLDER` Log that pipeline.simulate wrote, labels inline.", required=True
        )
    with flag_group("Records"):
        flags.DEFINE_integer("history_length", 50, "`L` Most behaviors of a record.")
        flags.DEFINE_enum(
            "record",
            "candidate",
            ["candidate", "request"],
            "One record per candidate, or per request.",
        )
    with flag_group("Output"):
        flags.DEFINE_string("output", None, "`FOLDER` Records to write.", required=True)


def main() -> None:
    """Runs the join."""
    entry_point.run(_main, define_flags)


def join(log: str, output: str, history_length: int, record: str) -> None:
    """Writes the records of a log.

    Args:
      log: a folder of `pipeline.simulate`, labels inline, with the modality `text`.
      output: a folder; gets `part-*.tfrecord`.
      history_length: the most behaviors of a record; the latest clicked items.
      record: `candidate` for one record per impression, `request` for one per request.
    """
    impressions = os.path.join(log, "impressions", "*.parquet")
    vectors = os.path.join(log, "embeddings", "text", "*.parquet")
    # An item without an embedding gets zeros of this width.
    width = pq.read_schema(glob.glob(vectors)[0]).field("embedding").type.list_size
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        embeddings = (
            pipeline
            | "ReadEmbeddings" >> beam.io.ReadFromParquet(vectors, columns=["item_id", "embedding"])
            | "ByItem" >> beam.Map(lambda row: (row["item_id"], row["embedding"]))
        )
        _ = (
            pipeline
            | "ReadLog" >> beam.io.ReadFromParquet(impressions)
            | "ByUser" >> beam.Map(lambda row: (row["user_id"], row))
            | "GroupByUser" >> beam.GroupByKey()
            | "ToExamples"
            >> beam.FlatMap(
                _user_examples,
                beam.pvalue.AsDict(embeddings),
                width=width,
                history_length=history_length,
                record=record,
            )
            | "Write"
            >> beam.io.WriteToTFRecord(os.path.join(output, "part"), file_name_suffix=".tfrecord")
        )


def _user_examples(
    element: tuple[int, Iterable[Row]],
    embeddings: Mapping[int, list[float]],
    width: int,
    history_length: int,
    record: str,
) -> Iterator[bytes]:
    """Yields the serialized records of one user, given with its impressions."""
    _, rows = element
    rows = sorted(rows, key=lambda row: row["timestamp"])
    clicked = [row for row in rows if row["click"] == 1]
    requests: dict[int, list[Row]] = {}
    for row in rows:
        requests.setdefault(row["request_id"], []).append(row)
    zeros = [0.0] * width
    older = 0
    for candidates in requests.values():
        moment = candidates[0]["timestamp"]
        while older < len(clicked) and clicked[older]["timestamp"] < moment:
            older += 1
        history = clicked[max(0, older - history_length) : older]
        shown = [[row] for row in candidates] if record == "candidate" else [candidates]
        for part in shown:
            yield _example(part, moment, history, embeddings, zeros)


def _example(
    candidates: list[Row],
    moment: int,
    history: list[Row],
    embeddings: Mapping[int, list[float]],
    zeros: list[float],
) -> bytes:
    example = tf.train.Example()
    feature = example.features.feature
    feature["user_id"].int64_list.value.append(candidates[0]["user_id"])
    feature["request_id"].int64_list.value.append(candidates[0]["request_id"])
    feature["timestamp"].int64_list.value.append(moment)
    for row in history:
        feature[HISTORY_ITEM_ID].int64_list.value.append(row["item_id"])
        feature[HISTORY_TIME_GAP].int64_list.value.append((moment - row["timestamp"]) // 1000)
        feature["history_embedding"].float_list.value.extend(embeddings.get(row["item_id"], zeros))
    for row in candidates:
        feature[CANDIDATE_ITEM_ID].int64_list.value.append(row["item_id"])
        feature["click"].float_list.value.append(row["click"])
        vector = embeddings.get(row["item_id"], zeros)
        feature["candidate_embedding"].float_list.value.extend(vector)
    return example.SerializeToString()


def _main(_: Sequence[str]) -> None:
    given = flags.FLAGS
    join(given.log, given.output, given.history_length, given.record)


if __name__ == "__main__":
    main()
