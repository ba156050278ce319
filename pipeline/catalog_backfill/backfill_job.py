"""One backfill, from opened inputs to published versions."""

from collections.abc import Mapping
from typing import Any

import apache_beam as beam
import numpy as np
from absl import logging
from apache_beam.options.pipeline_options import PipelineOptions

from features.errors import UserInputError
from features.files.local_copy import remove_local_copy
from pipeline.catalog_backfill import cache_plan
from pipeline.catalog_backfill.backfill_inputs import Catalog, ExportedModel, ItemVectors
from pipeline.catalog_backfill.cache_folder import CacheFolder
from pipeline.catalog_backfill.cache_plan import CachePlan, Wanted
from pipeline.catalog_backfill.compute import PartTask, WriteParts, save_task
from serving_signatures import names
from serving_signatures.names import CACHES

_SAMPLE_SEED = 20251011


class BackfillJob:
    """Plans, computes, checks and publishes both caches of an output.

    Args:
      output: folder of both caches.
      model: the exported version.
      catalog: the items to hold.
      vectors: what the items' vectors are.
    """

    def __init__(self, output: str, model: ExportedModel, catalog: Catalog, vectors: ItemVectors):
        self._output, self._model = output, model
        self._catalog, self._vectors = catalog, vectors
        self._folders = {cache: CacheFolder(output, cache) for cache in CACHES}

    def plan(self, rows_per_part: int, recompute: bool) -> dict[str, CachePlan]:
        """Plans both caches and says what there is to do."""
        plans = {}
        for cache, folder in self._folders.items():
            item_ids = self._catalog.item_ids
            sources = np.zeros(len(item_ids), np.int64)
            if cache == names.TARGET_AWARE_PROJECTIONS:
                sources = self._vectors.sources(item_ids)
            wanted = Wanted(item_ids, sources, self._model.tags[cache])
            plans[cache] = cache_plan.plan(folder, wanted, rows_per_part, recompute)
            logging.info("Plan: %s: %s", cache, plans[cache].reason)
        return plans

    def compute(
        self, plans: Mapping[str, CachePlan], batch_size: int, options: PipelineOptions
    ) -> None:
        """Writes the parts that no killed job finished."""
        tasks: list[PartTask] = []
        work = {cache: folder.new_work() for cache, folder in self._folders.items()}
        try:
            for cache, plan in plans.items():
                tasks += self._tasks(cache, plan, work[cache])
            if tasks:
                with beam.Pipeline(options=options) as pipeline:
                    _ = (
                        pipeline
                        | "Parts" >> beam.Create(tasks)
                        | "Write" >> WriteParts(self._model.folder, batch_size)
                    )
        finally:
            for folder in work.values():
                remove_local_copy(folder)

    def publish(
        self, plans: Mapping[str, CachePlan], batch_size: int, verify_rows: int, keep: int
    ) -> None:
        """Compares each new version with the model, publishes both and removes old ones.

        Raises:
          UserInputError: a part could not be written, or a row is not what the model says.
        """
        versions = {
            cache: self._version(cache, plan) for cache, plan in plans.items() if not plan.is_done
        }
        if versions:
            self._check(versions, plans, batch_size, verify_rows)
        for cache, values in versions.items():
            number = self._folders[cache].publish(values)
            logging.info("Published version %d of %s in %s", number, cache, self._output)
        for folder in self._folders.values():
            folder.prune(keep)

    def forget(self) -> None:
        """Removes the notes of finished parts."""
        for folder in self._folders.values():
            folder.forget()

    def _tasks(self, cache: str, plan: CachePlan, work: str) -> list[PartTask]:
        folder, tasks = self._folders[cache], []
        for part in plan.new:
            note = folder.note(part.key(cache, plan.wanted.tag))
            if note is not None and "error" not in note:
                continue
            quantized = {}
            if cache == names.TARGET_AWARE_PROJECTIONS:
                quantized = self._vectors.quantized(part.item_ids[part.computed])
            tasks.append(save_task(folder, work, plan.wanted.tag, part, quantized, self._output))
        if len(tasks) < len(plan.new):
            done = len(plan.new) - len(tasks)
            logging.info("%s: %d parts are there from a run that was cut short.", cache, done)
        return tasks

    def _version(self, cache: str, plan: CachePlan) -> dict[str, Any]:
        """Returns the manifest of the next version, but for what its columns are."""
        parts = list(plan.kept)
        for part in plan.new:
            note = self._folders[cache].note(part.key(cache, plan.wanted.tag))
            if note is None or "error" in note:
                what = "a part was not written. Run again" if note is None else note["error"]
                raise UserInputError(f"{cache}: {what}")
            parts.append(note)
        rows = sum(part["rows"] for part in parts)
        if rows != len(plan.wanted.item_ids):
            raise RuntimeError(f"{cache}: {rows} rows for {len(plan.wanted.item_ids)} items.")
        return {
            "cache": cache,
            "tag": plan.wanted.tag,
            "saved_model": dict(self._model.identity),
            "items": rows,
            "parts": sorted(parts, key=lambda part: part["file"]),
            "catalog": dict(self._catalog.counts),
            **plan.counts,
        }

    def _check(
        self,
        versions: Mapping[str, dict[str, Any]],
        plans: Mapping[str, CachePlan],
        batch_size: int,
        verify_rows: int,
    ) -> None:
        """Compares a sample of each version with the model, and adds what its columns are."""
        # A dry run, and one with nothing to do, is spared the import of TensorFlow.
        from pipeline.catalog_backfill.projections import Projections
        from pipeline.catalog_backfill.sample_check import check_sample

        projections = Projections(self._model.folder, batch_size)
        for cache, values in versions.items():
            kept = {part["file"] for part in plans[cache].kept}
            values["columns"] = check_sample(
                self._folders[cache],
                values,
                projections,
                self._vectors,
                {part["file"] for part in values["parts"]} - kept,
                verify_rows,
                _SAMPLE_SEED,
            )
            logging.info("%s: a sample equals what the model computes.", cache)
