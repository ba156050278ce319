"""Joins a behavior log with embeddings and side features into training records.

    python -m pipeline.build_examples --events=log/ --embeddings=text=text/ --output=examples/

Flags that are not listed here go to Beam, `--runner` among them. The output folder holds
`<split>-00003-of-00016.tfrecord` shards, `vocabulary/item_id.txt`, `quarantine/` with the rows
that were left out and why, and `manifest.json`.
"""

import dataclasses
import json
import uuid
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from absl import flags, logging
from apache_beam.options.pipeline_options import PipelineOptions
from pydantic import TypeAdapter, ValidationError

from features import id_table, manifest, storage
from features.embedding_set import EmbeddingSet
from features.errors import UserInputError
from features.local_copy import remove_local_copy
from features.schema import ExampleSchema, Modality
from pipeline import (
    broadcast,
    embedding_inputs,
    entry_point,
    join,
    join_plan,
    join_report,
    splits,
)
from pipeline.event_log import EventLog, open_log
from pipeline.join_options import JoinOptions
from pipeline.publish import QUARANTINE, Publication
from pipeline.side_features import SideTable, read_side_table

_EVENTS_A_PARTITION = 25_000
_MOST_PARTITIONS = 4096
_VOCABULARY = "vocabulary/item_id.txt"
_INPUT_FIELDS = ("events", "output", "embeddings", "items", "users")
_DEFAULT_RUNNER = "FnApiRunner"


def build_examples(options: JoinOptions, beam_args: Sequence[str] = ()) -> dict[str, Any]:
    """Runs the join, or finds that its output is there already.

    Args:
      options: what to join.
      beam_args: Beam's own flags; by default its in-process runner is used, since the newer
        default runner downloads a binary.

    Returns:
      The manifest of the published data set.

    Raises:
      UserInputError: the input, an option or an existing output must be changed. Nothing is
        published then.
    """
    beam_options = _beam_options(beam_args)
    log = open_log(options)
    items = read_side_table(options.items, "item_id", options.item_features, log.item_kind)
    users = read_side_table(options.users, "user_id", options.user_features, log.user_kind)
    embedding_files = {
        name: embedding_inputs.fingerprint_files(name, folder, log.item_kind)
        for name, folder in options.embeddings.items()
    }
    parameters = _parameters(options, log)
    inputs = {
        "events": list(log.inputs),
        "items": list(items.inputs),
        "users": list(users.inputs),
        "embeddings": embedding_files,
    }
    publication = Publication(options.output, {"parameters": parameters, "inputs": inputs})
    if (found := publication.existing()) is not None:
        logging.info("%s holds just this data set already: nothing to do.", options.output)
        return found
    embeddings = embedding_inputs.read_all(options.embeddings)
    schema = _schema(options, log, embeddings, items, users)
    logging.info(
        "%d events in %d files; embeddings %s; %d partitions.",
        log.events,
        len(log.inputs),
        {name: f"{len(one.item_ids):,} x {one.dimension}" for name, one in embeddings.items()},
        parameters["partitions"],
    )
    building = publication.begin()
    try:
        quarantine = storage.join(building, QUARANTINE)
        storage.make_folder(quarantine)
        sets = {
            name: embedding_inputs.quarantine_rejected(name, one, quarantine)
            for name, one in embeddings.items()
        }
        work = storage.join(building, f"work-{uuid.uuid4().hex}")
        broadcast.save(work, broadcast.Tables(embeddings, items, users))
        plan = _plan(options, log, schema, parameters["partitions"], building, work)
        with beam.Pipeline(options=beam_options) as pipeline:
            _ = pipeline | "Units" >> beam.Create(log.units) | "Join" >> join.Join(plan)
        summary = json.loads(storage.read_bytes(storage.join(work, join.SUMMARY)))
        join_report.check_counts(summary, sets, log.events, options.max_bad_fraction)
        values = join_report.manifest_values(summary, schema, sets, items, users)
        values["vocabulary"] = _write_vocabulary(building, work)
        storage.remove_folder(work)
        remove_local_copy(work)
        published = publication.complete(values)
    except UserInputError as error:
        kept = publication.abandon()
        where = f" The rows that were left out are in {kept!r}." if kept else ""
        raise UserInputError(f"{error}{where} Nothing was published.") from error
    finally:
        publication.release()
    join_report.log_counts(published, options.output)
    return published


def define_flags() -> None:
    """Defines the flags of DESIGN section 10."""
    text, many = flags.DEFINE_string, flags.DEFINE_multi_string
    text("events", None, "Behavior log: a folder of Parquet files, or one file.", required=True)
    text("output", None, "Folder to publish.", required=True)
    many("embeddings", [], "modality=FOLDER, repeatable.")
    text("items", None, "Item side features, Parquet with item_id.")
    text("users", None, "User side features, Parquet with user_id.")
    flags.DEFINE_list("labels", [], "Label columns; default: the derived ones, else click.")
    many("derive_label", [], 'A label from the log, "liked = rating >= 4"; repeatable.')
    text("behavior_rule", "click == 1", "Which events become behaviors; all for every one.")
    text("behavior_type", None, 'Behaviors that pass have type 1: "rating >= 4".')
    flags.DEFINE_enum("timestamp_unit", "s", ["s", "ms", "us"], "Unit of timestamp.")
    flags.DEFINE_integer("history_length", 50, "The most behaviors of a request (L).")
    flags.DEFINE_integer("behavior_delay", 0, "Seconds until a behavior is known online.")
    text("splits", None, "train:..T1,validation:T1..T2,test:T2.. (numbers or UTC dates).")
    flags.DEFINE_list("split_fractions", None, "train,validation,test; default 0.7,0.1,0.2.")
    flags.DEFINE_enum("split_by", "global", ["global", "user"], "One cut time, or one a user.")
    flags.DEFINE_list("context", [], "Log columns that become context features.")
    flags.DEFINE_list("item_features", None, "Columns of --items, name[:kind[:width]].")
    flags.DEFINE_list("user_features", None, "Columns of --users, name[:kind[:width]].")
    flags.DEFINE_list("candidate_embeddings", None, "Modalities whose vectors are recorded.")
    flags.DEFINE_integer("max_candidates", 128, "Requests with more are cut.")
    flags.DEFINE_integer("partitions", 0, "0 chooses by the size of the log.")
    flags.DEFINE_float("max_bad_fraction", 0.01, "Largest share of rows to quarantine.")


def main() -> None:
    """The command `dmf-build-examples`."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True)


def _main(beam_args: Sequence[str]) -> None:
    values = {
        field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(JoinOptions)
    }
    values["embeddings"] = entry_point.modality_folders(flags.FLAGS.embeddings)
    build_examples(JoinOptions.from_dict(values), beam_args)


def _beam_options(beam_args: Sequence[str]) -> PipelineOptions:
    """Returns Beam's options.

    Raises:
      UserInputError: a flag is neither ours nor Beam's; Beam itself would ignore it.
    """
    known = set(PipelineOptions([]).get_all_options())
    options = PipelineOptions(list(beam_args))
    unknown = set(options.get_all_options(retain_unknown_options=True)) - known
    stray = [text for text in beam_args[:1] if not text.startswith("-")]
    if unknown or stray:
        names = [f"--{name}" for name in sorted(unknown)] + stray
        raise UserInputError(
            f"Unknown flags {', '.join(names)}: neither this job's (see --help) nor Beam's."
        )
    if not any(text.startswith("--runner") for text in beam_args):
        options = PipelineOptions([*beam_args, f"--runner={_DEFAULT_RUNNER}"])
    return options


def _parameters(options: JoinOptions, log: EventLog) -> dict[str, Any]:
    """Returns what, besides the inputs, determines the output's bytes."""
    parameters = TypeAdapter(JoinOptions).dump_python(options, mode="json")
    for name in _INPUT_FIELDS:
        del parameters[name]
    wanted = max(1, -(-log.events // _EVENTS_A_PARTITION))
    parameters["partitions"] = options.partitions or min(wanted, _MOST_PARTITIONS)
    parameters["labels"] = list(options.resolved_labels)
    if options.splits is None:
        parameters["split_fractions"] = list(options.resolved_split_fractions)
    return parameters


def _schema(
    options: JoinOptions,
    log: EventLog,
    embeddings: dict[str, EmbeddingSet],
    items: SideTable,
    users: SideTable,
) -> ExampleSchema:
    carried = options.candidate_embeddings
    try:
        return ExampleSchema(
            labels=options.resolved_labels,
            modalities=tuple(
                Modality(name, one.dimension, carried is None or name in carried)
                for name, one in embeddings.items()
            ),
            history_length=options.history_length,
            behavior_types=2 if options.behavior_type else 1,
            item_features=items.features,
            context_features=log.columns.context + users.features,
        )
    except ValidationError as error:
        raise UserInputError(f"The record cannot have these features: {error}") from error


def _plan(
    options: JoinOptions,
    log: EventLog,
    schema: ExampleSchema,
    partitions: int,
    building: str,
    work: str,
) -> join_plan.JoinPlan:
    ranges = splits.parse_ranges(options.splits, options.timestamp_unit) if options.splits else None
    return join_plan.JoinPlan(
        columns=log.columns,
        schema=schema,
        partitions=partitions,
        split_fractions=options.resolved_split_fractions,
        split_by=options.split_by,
        ranges=ranges,
        delay=options.behavior_delay * 1_000_000,
        max_candidates=options.max_candidates,
        output=building,
        work=work,
    )


def _write_vocabulary(building: str, work: str) -> dict[str, Any]:
    items = np.frombuffer(storage.read_bytes(storage.join(work, join.VOCABULARY)), np.int64)
    path = storage.join(building, _VOCABULARY)
    storage.make_folder(path.rpartition("/")[0])
    id_table.write_vocabulary(path, items.tolist())
    return {_VOCABULARY: {"ids": len(items), "sha256": manifest.file_sha256(path)}}


if __name__ == "__main__":
    main()
