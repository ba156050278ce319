"""The job of the join: from options to a published data set."""

import uuid
from collections.abc import Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from absl import logging
from apache_beam.options.pipeline_options import PipelineOptions

from features.files import checked, storage
from features.files.local_copy import remove_local_copy
from features.ids import id_table
from pipeline.checkup import machine
from pipeline.embedding_sets import embedding_inputs
from pipeline.embedding_sets.embedding_inputs import EmbeddingCounts
from pipeline.join import (
    last_lines,
    manifest_values,
    merged_shards,
    parts,
    planner,
    transform,
)
from pipeline.join.inputs import event_log, join_inputs, part_state
from pipeline.join.inputs.join_inputs import JoinInputs
from pipeline.join.options import JoinOptions
from pipeline.join.parts import Earlier, PartedOutput
from pipeline.join.plan import JoinPlan
from pipeline.join.planner import Decision
from pipeline.join.transport import broadcast
from pipeline.publishing import publication
from pipeline.publishing.publication import QUARANTINE, Publication
from pipeline.runtime.beam_options import (
    is_in_process,
    leaves_processes_open,
    open_pipeline,
    parse_beam_options,
)

_VOCABULARY = "vocabulary/item_id.txt"
_ROWS_FOR_PROCESSES = 3_000_000
_BYTES_PER_PROCESS = 1 << 30


def build_examples(options: JoinOptions, beam_args: Sequence[str] = ()) -> dict[str, Any]:
    """Runs the join, unless its output is published already.

    Args:
      options: of the join.
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
    parameters = options.manifest_parameters(decision.partitions)
    identity: dict[str, Any] = {"parameters": parameters, "inputs": inputs.fingerprints}
    job = _Job(options, inputs, decision, beam_options, beam_args)
    if options.part is None:
        if options.new_version:
            return job.run(publication.newest_version(options.output, identity))
        return job.run(Publication(options.output, identity))
    with publication.locked(options.output):
        output = PartedOutput(options.output, options.part)
        earlier = output.earlier(inputs, parameters, options)
        if earlier.state.last is None:
            event_log.check_not_empty(inputs.log)
        identity["earlier"] = earlier.fingerprints
        job.run(Publication(output.folder, identity), earlier)
        return output.complete()


class _Job:
    """One run of the join, from opened inputs to a published folder."""

    def __init__(
        self,
        options: JoinOptions,
        inputs: JoinInputs,
        decision: Decision,
        beam_options: PipelineOptions,
        beam_args: Sequence[str],
    ):
        self._options, self._inputs, self._decision = options, inputs, decision
        self._beam_options = beam_options
        self._processes_given = not leaves_processes_open(beam_options, beam_args)

    def run(self, target: Publication, earlier: Earlier = parts.NOTHING_EARLIER) -> dict[str, Any]:
        """Publishes, and returns the folder's manifest."""
        if (found := target.existing()) is not None:
            logging.info("%s holds just this data set already: nothing to do.", target.output)
            last_lines.log_left_out(found, target.output)
            return found
        for reason in self._decision.reasons:
            logging.info("Plan: %s", reason)
        with target.staging() as staging:
            work = storage.join(staging, f"work-{uuid.uuid4().hex}")
            try:
                with self._inputs.unchanged(), earlier.state.unchanged():
                    values = self._build(staging, work, earlier)
                published = target.complete(values)
            finally:
                remove_local_copy(work)
        last_lines.log_counts(published, target.output)
        last_lines.log_left_out(published, target.output)
        return published

    def _build(self, staging: str, work: str, earlier: Earlier) -> dict[str, Any]:
        """Writes everything but the manifest, and returns the manifest's values."""
        options, inputs = self._options, self._inputs
        quarantine = storage.join(staging, QUARANTINE)
        storage.make_folder(quarantine)
        if options.part is not None:
            storage.make_folder(storage.join(staging, part_state.STATE))
        # A runner in this process would hold in memory what passes between steps.
        spills = is_in_process(self._beam_options) and not storage.is_remote(work)
        plan = JoinPlan(
            options=options,
            columns=inputs.log.columns,
            label_columns={one.source: one.columns for one in inputs.label_logs},
            histories=inputs.histories.reader,
            schema=inputs.schema,
            decision=self._decision,
            after=earlier.state.last,
            knows_end=options.part is not None
            and (options.carries_sums or options.wait_for_labels or not inputs.log.events),
            output=staging,
            work=work,
            spill=storage.join(work, "blocks") if spills else None,
        )
        if plan.spill is not None:
            storage.make_folder(plan.spill)
        counted = self._save_tables(plan)
        units = (*inputs.units, *earlier.state.units)
        with open_pipeline(self._beam_options, self._processes()) as pipeline:
            _ = (
                pipeline
                | "Units" >> beam.Create(units)
                | "Join" >> transform.Join(plan, earlier.state)
            )
        summary, train_items = transform.read_results(plan)
        storage.remove_folder(work)
        if plan.decision.shuffle is not None:
            by_set = summary.get("rejected_vectors", {})
            rejected = [(name, row) for name, rows in by_set.items() for row in rows]
            counted = embedding_inputs.counts_of_shuffle(summary, rejected, inputs.embeddings)
        sets = {
            name: embedding_inputs.manifest_entry(name, one, inputs.embeddings[name], quarantine)
            for name, one in counted.items()
        }
        manifest_values.check_counts(summary, sets, inputs, options)
        manifest_values.check_coverage(summary, sets, options.min_coverage)
        items = np.union1d(train_items, earlier.vocabulary)
        manifest_values.check_side_table(inputs.items, items, options.min_coverage)
        summary["shards"] = merged_shards.merge_small(
            staging, summary["shards"], options.shard_extension
        )
        values = manifest_values.collect(summary, sets, inputs)
        if options.part is not None and options.negatives is not None:
            values |= part_state.item_counts_entry(staging)
        return {**values, "vocabulary": _write_vocabulary(staging, items)}

    def _processes(self) -> int:
        """Returns how many processes join; those of a small log would start longer than work."""
        if self._processes_given or self._inputs.rows < _ROWS_FOR_PROCESSES:
            return 1
        here = machine.read()
        cores = int(min(here.cpus, here.cpu_quota or here.cpus))
        most = min(cores, here.memory_free // _BYTES_PER_PROCESS, self._decision.partitions)
        processes = max(1, most)
        logging.info(
            "Plan: %d processes: %d cores, %.1f GiB free (--direct_num_workers to change).",
            processes,
            cores,
            here.memory_free / 2**30,
        )
        return processes

    def _save_tables(self, plan: JoinPlan) -> dict[str, EmbeddingCounts]:
        """Writes the tables that workers map; returns counts of the sets among them."""
        embeddings = {}
        if plan.decision.shuffle is None:
            embeddings = embedding_inputs.read_opened(self._inputs.embeddings)
        inputs = self._inputs
        broadcast.save(plan.work, broadcast.Tables(embeddings, inputs.items, inputs.users))
        return {name: EmbeddingCounts.of(one) for name, one in embeddings.items()}


def _write_vocabulary(staging: str, items: np.ndarray) -> dict[str, Any]:
    """Writes the items of the first split, `[N]`, and returns the manifest's entry."""
    path = storage.join(staging, _VOCABULARY)
    storage.make_folder(path.rpartition("/")[0])
    id_table.write_vocabulary(path, items.tolist())
    return {_VOCABULARY: {"ids": len(items), "sha256": checked.sha256(path)}}
