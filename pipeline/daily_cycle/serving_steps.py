"""The steps on what serves: caches filled, the version promoted, old ones removed."""

import os
import shutil
from typing import Any

from features.files import checked, manifest
from pipeline.cache_loading.load import load_projections
from pipeline.cache_loading.options import LoadOptions
from pipeline.catalog_backfill.backfill import backfill
from pipeline.daily_cycle import model_steps
from pipeline.daily_cycle.cycle import Outcome, PartRun
from pipeline.join import parts
from pipeline.releases.model_versions import ModelVersions
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.rollout import CANARY, STABLE


def fill_caches(run: PartRun) -> Outcome:
    """Computes the projections whose tag, vector or item is new, and publishes both caches."""
    settings = run.config.caches
    if settings is None:
        return {"caches": {}}
    export = run.config.export
    options = run.config.join_options(run.part)
    plans = backfill(
        _version_folder(run),
        settings.items,
        run.folder("projections"),
        {} if export.embeddings_inside else options.embeddings,
        keep=settings.keep,
        tables=options.tables,
    )
    return {"caches": {name: plan.reason for name, plan in plans.items()}}


def load(run: PartRun) -> Outcome:
    """Loads the caches into Redis, beside what is served; their tags are those of the version."""
    caches = run.config.caches
    if caches is None or caches.redis is None:
        return {"loaded": {}}
    loaded = load_projections(
        LoadOptions(
            projections=run.folder("projections"),
            redis=caches.redis,
            prefix=caches.prefix,
            saved_model=_version_folder(run),
            password_file=caches.password_file,
            ttl_seconds=caches.ttl_seconds,
            keep_old_seconds=caches.keep_old_seconds,
            rows_per_second=caches.rows_per_second,
        )
    )
    return {"loaded": {name: {"rows": one.rows, "tag": one.tag} for name, one in loaded.items()}}


def promote(run: PartRun) -> Outcome:
    """Has the version loaded, and gives it `canary`, then `stable`, where it is to have them."""
    settings, number = run.config.promotion, run.outcomes["export"]["version"]
    folder = model_steps.serving_folder(run)
    versions = ModelVersions(folder, settings.base_path, memory_gib=settings.memory_gib)
    before = versions.labels()
    if before.get(settings.label) != number:
        versions.promote(number)
        versions.wait_until_available(number, settings.servers, settings.wait_seconds)
        for label in (CANARY, STABLE)[: 1 + (settings.label == STABLE)]:
            versions.promote(number, label, settings.servers)
    return {"version": number, "label": settings.label, "before": before.get(settings.label)}


def prune(run: PartRun) -> Outcome:
    """Removes old versions, the models that only they came from, and old parts."""
    keep = run.config.keep
    folder = model_steps.serving_folder(run)
    removed: dict[str, Any] = {"versions": ModelVersions(folder).prune(keep.versions)}
    removed["models"] = _prune_models(run)
    removed["parts"] = []
    if keep.parts is not None:
        removed["parts"] = parts.keep_newest(run.folder("examples"), keep.parts)
    return removed


def _version_folder(run: PartRun) -> str:
    return os.path.join(model_steps.serving_folder(run), str(run.outcomes["export"]["version"]))


def _prune_models(run: PartRun) -> list[str]:
    """Removes the models of old parts that no version there was exported from."""
    folder = ExportFolder(model_steps.serving_folder(run))
    exported = {version.manifest.get(model_steps.ORIGIN) for version in folder.versions()}
    removed = []
    for part in run.accepted[: -run.config.keep.models]:
        model = model_steps.model_folder(run, part)
        if not os.path.isdir(model):
            continue
        if checked.sha256(os.path.join(model, manifest.FILE_NAME)) not in exported:
            shutil.rmtree(model)
            removed.append(part)
    return removed
