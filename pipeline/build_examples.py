"""Joins a behavior log with embeddings and side features into training records.

    python -m pipeline.build_examples --events=log/ --embeddings=text=text/ --output=examples/

Flags that are not listed here go to Beam, `--runner` among them. The output folder holds
`<split>-00003-of-00016.tfrecord` shards, `vocabulary/item_id.txt`, `quarantine/` with the rows
that were left out and why, and `manifest.json`. With `--part=2026-05-02` it holds such a folder
for each part, and a manifest of all.
"""

import json
import uuid
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from absl import logging
from apache_beam.options.pipeline_options import PipelineOptions

from features.files import manifest, storage
from features.files.local_copy import remove_local_copy
from features.ids import id_table
from pipeline.embedding_sets import embedding_inputs
from pipeline.embedding_sets.embedding_inputs import EmbeddingCounts
from pipeline.join import join_plan, join_report, parts, planner, transform
from pipeline.join.flags import define_flags, options_from_flags
from pipeline.join.inputs import join_inputs
from pipeline.join.inputs.join_inputs import JoinInputs
from pipeline.join.join_plan import JoinPlan
from pipeline.join.options import JoinOptions
from pipeline.join.transport import broadcast
from pipeline.publishing import publication as publish
from pipeline.publishing.publication import QUARANTINE, Publication
from pipeline.runtime import entry_point
from pipeline.runtime.beam_options import check_beam_flags, is_in_process, parse_beam_options

_VOCABULARY = "vocabulary/item_id.txt"


def build_examples(options: JoinOptions, beam_args: Sequence[str] = ()) -> dict[str, Any]:
    """Runs the join, or finds that its output is there already.

    Args:
      options: what to join.
      beam_args: Beam's own flags; by default its in-process runner is used, since the newer
        default runner downloads a binary.

    Returns:
      The manifest of the published data set; with `options.part` of all its parts.

    Raises:
      UserInputError: the input, an option or an existing output must be changed. Nothing is
        published then.
    """
    beam_options = parse_beam_options(beam_args)
    inputs = join_inputs.open_inputs(options)
    decision = planner.decide(options, inputs.rows, inputs.embeddings)
    parameters = join_plan.parameters(options, decision.partitions)
    identity: dict[str, Any]
    if options.part is None:
        identity = {"parameters": parameters, "inputs": inputs.fingerprints}
        job = _Job(options, inputs, decision, beam_options, parts.NOTHING_EARLIER)
        if options.new_version:
            return job.run(publish.newest_version(options.output, identity))
        return job.run(Publication(options.output, identity))
    with parts.opened(options.output, options.part) as output:
        earlier = output.earlier(inputs, parameters, inputs.schema(options))
        identity = {
            "parameters": parameters,
            "inputs": inputs.fingerprints,
            "earlier": earlier.fingerprints,
        }
        job = _Job(options, inputs, decision, beam_options, earlier)
        job.run(Publication(output.folder, identity))
        return output.complete()


def main() -> None:
    """The command `dmf-build-examples`."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True, check_flags=_check_flags)


def _check_flags(beam_args: Sequence[str]) -> None:
    options_from_flags()
    check_beam_flags(beam_args)


def _main(beam_args: Sequence[str]) -> None:
    build_examples(options_from_flags(), beam_args)


class _Job:
    """One run of the join, from opened inputs to a published folder."""

    def __init__(
        self,
        options: JoinOptions,
        inputs: JoinInputs,
        decision: planner.Decision,
        beam_options: PipelineOptions,
        earlier: parts.Earlier,
    ):
        self._options, self._inputs, self._decision = options, inputs, decision
        self._beam_options, self._earlier = beam_options, earlier
        self._schema = inputs.schema(options)

    def run(self, publication: Publication) -> dict[str, Any]:
        """Publishes, and returns the folder's manifest."""
        if (found := publication.existing()) is not None:
            logging.info("%s holds just this data set already: nothing to do.", publication.output)
            return found
        for reason in self._decision.reasons:
            logging.info("Plan: %s", reason)
        with publication.attempt() as building:
            work = storage.join(building, f"work-{uuid.uuid4().hex}")
            try:
                published = publication.complete(self._build(building, work))
            finally:
                remove_local_copy(work)
        join_report.log_counts(published, publication.output)
        return published

    def _build(self, building: str, work: str) -> dict[str, Any]:
        """Writes everything but the manifest, and returns what that is to say."""
        options, inputs, schema = self._options, self._inputs, self._schema
        quarantine = storage.join(building, QUARANTINE)
        storage.make_folder(quarantine)
        plan = join_plan.make(
            options,
            inputs,
            self._decision,
            building,
            work,
            self._earlier.last,
            in_process=is_in_process(self._beam_options),
        )
        counted = self._save_tables(plan)
        units = (*inputs.units, *self._earlier.units)
        with beam.Pipeline(options=self._beam_options) as pipeline:
            _ = (
                pipeline
                | "Units" >> beam.Create(units)
                | "Join" >> transform.Join(plan, self._earlier.items)
            )
        summary = json.loads(storage.read_bytes(storage.join(work, transform.SUMMARY)))
        if plan.shuffle is not None:
            rejected = json.loads(
                storage.read_bytes(storage.join(work, transform.REJECTED_VECTORS))
            )
            counted = embedding_inputs.counts_of_shuffle(summary, rejected, inputs.embeddings)
        sets = {
            name: embedding_inputs.manifest_entry(name, one, inputs.embeddings[name], quarantine)
            for name, one in counted.items()
        }
        join_report.check_counts(summary, sets, inputs, options.max_bad_fraction)
        values = join_report.manifest_values(summary, schema, sets, inputs)
        values["vocabulary"] = self._write_vocabulary(building, work)
        if plan.is_part:
            parts.write_state(building, work, plan)
        storage.remove_folder(work)
        return values

    def _save_tables(self, plan: JoinPlan) -> dict[str, EmbeddingCounts]:
        """Writes what every worker maps; returns what the sets hold, unless workers read them."""
        inputs = self._inputs
        embeddings = {}
        if plan.shuffle is None:
            embeddings = embedding_inputs.read_all(self._options.embeddings)
        broadcast.save(plan.work, broadcast.Tables(embeddings, inputs.items, inputs.users))
        return {name: EmbeddingCounts.of(one) for name, one in embeddings.items()}

    def _write_vocabulary(self, building: str, work: str) -> dict[str, Any]:
        found = storage.read_bytes(storage.join(work, transform.VOCABULARY))
        items = np.union1d(np.frombuffer(found, np.int64), self._earlier.vocabulary)
        path = storage.join(building, _VOCABULARY)
        storage.make_folder(path.rpartition("/")[0])
        id_table.write_vocabulary(path, items.tolist())
        return {_VOCABULARY: {"ids": len(items), "sha256": manifest.file_sha256(path)}}


if __name__ == "__main__":
    main()
