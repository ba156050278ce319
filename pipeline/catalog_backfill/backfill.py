"""A backfill, from its inputs to published versions of both caches."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
from absl import logging
from apache_beam.options.pipeline_options import PipelineOptions

from features import id_kinds
from features.errors import UserInputError
from features.files import storage
from features.files.local_copy import remove_local_copy
from features.id_kinds import KEY, IdKinds
from features.ids import coverage
from features.tables.options import DEFAULT, TableOptions
from pipeline.catalog_backfill import cache_plan, compute, model_coverage, part_checks
from pipeline.catalog_backfill.backfill_inputs import Catalog, CatalogVectors, ExportedModel
from pipeline.catalog_backfill.cache_folder import CacheFolder
from pipeline.catalog_backfill.cache_plan import CachePlan, Wanted
from pipeline.catalog_backfill.compute import PartTask, WriteParts, save_task
from pipeline.embedding_sets import embedding_inputs
from pipeline.publishing import publication
from pipeline.runtime import left_out
from pipeline.runtime.beam_options import open_pipeline, parse_beam_options
from serving_signatures import names
from serving_signatures.client.cache_parts import DamagedPartError

_SAMPLE_SEED = 20251011

_REASONS = {
    "null": "item_id is null",
    "empty": "item_id is empty",
    "duplicate": "item_id appeared before",
}
"""What the counts of a catalog mean."""


def backfill(
    saved_model: str,
    items: str | Sequence[str],
    output: str,
    embeddings: Mapping[str, str | Sequence[str]] | None = None,
    *,
    dry_run: bool = False,
    recompute: bool = False,
    keep: int = 3,
    rows_per_part: int = 1 << 16,
    batch_size: int = 1024,
    verify_rows: int = 256,
    min_coverage: float = coverage.DEFAULT,
    beam_args: Sequence[str] = (),
    tables: TableOptions = DEFAULT,
) -> dict[str, CachePlan]:
    """Fills both caches, as far as they lack anything.

    Args:
      saved_model: an exported version's folder.
      items: the catalog.
      output: folder of both caches, local or remote.
      embeddings: folders, files or globs by modality; None or empty where the model holds the
        vectors.
      dry_run: plan only.
      recompute: compute every row, whatever is published.
      keep: versions to keep.
      rows_per_part: about how many items a file has.
      batch_size: items per call of the model.
      verify_rows: rows to compare with the model before publishing.
      min_coverage: the least share of the catalog's items that have a vector, by modality, and
        that are in the model's vocabulary.
      beam_args: Beam's own flags.
      tables: how the catalog and the embedding sets are read.

    Returns:
      What was done, by cache.

    Raises:
      UserInputError: an input, an option or a part of a cache must be changed; the published
        caches stay as they are.
    """
    options = parse_beam_options(beam_args)
    model = ExportedModel.open(saved_model)
    catalog = Catalog.open(items, tables)
    remedy = "Write item_id as the log has it, whose ids the model was trained on."
    whose = f"the model {saved_model!r}"
    id_kinds.check(
        catalog.item_kind, f"--items {catalog.table.location!r}", model.item_kind, whose, remedy
    )
    logging.info("Catalog: %d items of %s", len(catalog.item_ids), dict(catalog.counts))
    vectors = CatalogVectors.open(embeddings or {}, model, catalog, min_coverage, tables)
    job = _Job(output, model, catalog, vectors, batch_size, min_coverage)
    if dry_run:
        plans = job.plan(rows_per_part, recompute)
        _log_left_out(catalog, vectors)
        return plans
    with publication.locked(output):
        plans = job.plan(rows_per_part, recompute)
        try:
            job.compute(plans, options)
            job.publish(plans, verify_rows, keep)
        except UserInputError:
            # The parts may be wrong: a rerun must not reuse them.
            for folder in job.folders.values():
                folder.forget()
            raise
        finally:
            compute.forget_projector()
            remove_local_copy(saved_model)
    _log_left_out(catalog, vectors)
    return plans


def _log_left_out(catalog: Catalog, vectors: CatalogVectors) -> None:
    """Logs rows of the catalog and of embedding sets that no cache has."""
    counts = dict(catalog.counts)
    total = counts.pop("rows")
    reasons = {_REASONS[name]: count for name, count in counts.items()}
    left_out.log("--items", reasons, total)
    embedding_inputs.log_left_out(vectors.embeddings)


@dataclasses.dataclass
class _Job:
    """The steps of one backfill: plans, computes, checks and publishes both caches.

    Attributes:
      output: folder of both caches.
      model: the exported version.
      catalog: the items to hold.
      vectors: the items' own.
      batch_size: items per call of the model.
      min_coverage: the least share of the catalog's items that the model has to know.
    """

    output: str
    model: ExportedModel
    catalog: Catalog
    vectors: CatalogVectors
    batch_size: int
    min_coverage: float

    def __post_init__(self) -> None:
        self.folders = {cache: CacheFolder(self.output, cache) for cache in names.CACHES}

    def plan(self, rows_per_part: int, recompute: bool) -> dict[str, CachePlan]:
        """Plans both caches and logs the plans."""
        plans = {}
        for folder in self.folders.values():
            folder.check()
        for cache, folder in self.folders.items():
            item_ids = self.catalog.item_ids
            sources = np.zeros(len(item_ids), np.int64)
            if cache == names.TARGET_AWARE_PROJECTIONS:
                sources = self.vectors.sources(item_ids)
            kind = self.catalog.item_kind
            wanted = Wanted(item_ids, sources, self.model.tags[cache], kind)
            plans[cache] = cache_plan.plan(folder, wanted, rows_per_part, recompute)
            logging.info("Plan: %s: %s", cache, plans[cache].reason)
        return plans

    def compute(self, plans: Mapping[str, CachePlan], options: PipelineOptions) -> None:
        """Writes the parts that no killed job finished.

        Raises:
          UserInputError: the model is damaged.
        """
        if any(plan.new for plan in plans.values()):
            self.model.check()
        tasks: list[PartTask] = []
        work = {cache: folder.new_work() for cache, folder in self.folders.items()}
        try:
            for cache, plan in plans.items():
                tasks += self._tasks(cache, plan, work[cache])
            if tasks:
                with open_pipeline(options) as pipeline:
                    _ = (
                        pipeline
                        | "Parts" >> beam.Create(tasks)
                        | "Write" >> WriteParts(self.model.folder, self.batch_size)
                    )
        finally:
            for folder in work.values():
                remove_local_copy(folder)
                storage.remove_folder(folder)

    def publish(self, plans: Mapping[str, CachePlan], verify_rows: int, keep: int) -> None:
        """Compares each new version with the model, publishes both and removes old ones.

        Raises:
          UserInputError: a part could not be written, a row differs from the model's, or an
            input is another one than at the start.
        """
        versions = {
            cache: self._version(cache, plan) for cache, plan in plans.items() if not plan.is_done
        }
        if versions:
            self._check(versions, plans, verify_rows)
            self.model.check()
            for table in (self.catalog.table, *self.vectors.tables):
                table.check_unchanged()
        for cache, values in versions.items():
            number = self.folders[cache].publish(values)
            logging.info("Published version %d of %s in %s", number, cache, self.output)
        for folder in self.folders.values():
            folder.prune(keep)

    def _tasks(self, cache: str, plan: CachePlan, work: str) -> list[PartTask]:
        folder, tasks = self.folders[cache], []
        for part in plan.new:
            note = folder.note(part.key(cache, plan.wanted.tag))
            if note is not None and _is_whole(folder, note, plan.wanted.tag):
                continue
            quantized = {}
            if cache == names.TARGET_AWARE_PROJECTIONS:
                quantized = self.vectors.quantized(part.item_ids[part.computed])
            tasks.append(save_task(folder, work, plan.wanted.tag, part, quantized))
        if len(tasks) < len(plan.new):
            done = len(plan.new) - len(tasks)
            logging.info("%s: %d parts are there from an interrupted run.", cache, done)
        return tasks

    def _version(self, cache: str, plan: CachePlan) -> dict[str, Any]:
        """Returns the manifest of the next version, without its `columns`."""
        parts = list(plan.kept)
        for part in plan.new:
            note = self.folders[cache].note(part.key(cache, plan.wanted.tag))
            if note is None or "entry" not in note:
                what = "a part was not written. Run again." if note is None else note["error"]
                raise UserInputError(f"{cache}: {what}")
            parts.append(note["entry"])
        return {
            "cache": cache,
            "tag": plan.wanted.tag,
            "saved_model": dict(self.model.identity),
            "items": sum(part["rows"] for part in parts),
            KEY: IdKinds(item=plan.wanted.item_kind).to_dict(),
            "parts": sorted(parts, key=lambda part: part["file"]),
            "catalog": dict(self.catalog.counts),
            **plan.counts,
        }

    def _check(
        self,
        versions: Mapping[str, dict[str, Any]],
        plans: Mapping[str, CachePlan],
        verify_rows: int,
    ) -> None:
        """Compares a sample of each version with the model, and adds its `columns`."""
        # A dry run, and one with nothing to do, is spared the import of TensorFlow.
        from pipeline.catalog_backfill.sample_check import check_sample

        projector = compute.projector(self.model.folder, self.batch_size)
        model_coverage.check_vocabulary(
            projector.vocabulary, self.catalog.item_ids, self.min_coverage
        )
        if names.TARGET_AWARE_PROJECTIONS in versions and not self.model.vectors_in_request:
            model_coverage.check_vectors(
                self.folders[names.TARGET_AWARE_PROJECTIONS],
                versions[names.TARGET_AWARE_PROJECTIONS],
                self.model.modalities,
                self.min_coverage,
            )
        for cache, values in versions.items():
            kept = {part["file"] for part in plans[cache].kept}
            written = {part["file"] for part in values["parts"]} - kept
            folder = self.folders[cache]
            values["columns"] = check_sample(
                folder, values, projector, self.vectors, written, verify_rows, _SAMPLE_SEED
            )
            logging.info("%s: a sample equals what the model computes.", cache)
            part_checks.check_parts(folder, values, plans[cache].wanted)


def _is_whole(folder: CacheFolder, note: Mapping[str, Any], tag: str) -> bool:
    """Whether a part that a killed job finished can be used."""
    if "entry" not in note:
        return False
    try:
        folder.read_ids(note["entry"], tag)
    except DamagedPartError as error:
        logging.warning("%s. It is computed again.", error.args[0])
        return False
    return True
