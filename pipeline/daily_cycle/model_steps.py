"""The steps on the model: trained on the part, exported, judged against the one that serves."""

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import logging

from features.errors import UserInputError
from features.files import checked, manifest
from models import factory, trained_model
from models.inputs import example_part
from models.inputs.example_set import ExampleSet
from pipeline.daily_cycle import category_names, champion_check
from pipeline.daily_cycle.cycle import LEDGER, Outcome, PartRun
from pipeline.daily_cycle.data_steps import COMMAND
from pipeline.daily_cycle.ledger import Ledger
from pipeline.embedding_sets import embedding_inputs
from pipeline.releases.model_versions import ModelVersions
from pipeline.runtime import environment
from pipeline.training_runs import run_metrics, training_job
from pipeline.training_runs.training_run import Origin
from pipeline.version_gate import gate as version_gate
from pipeline.version_gate import verdict_table
from pipeline.version_gate.held_out import UnscorableError
from pipeline.version_gate.options import GateOptions
from serving_signatures.export import gate as export_gate
from serving_signatures.export.saved_model import Exported
from serving_signatures.request_logs.reading import NoRequestsError
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.loaded_version import LoadedVersion
from serving_signatures.versions.rollout import STABLE

ORIGIN = "model"
"""Key of a version's manifest: sha256 of the manifest of the model that it was exported from."""

_SERVES = "serves already"


def check_champion(run: PartRun) -> Outcome:
    """Scores the new part with the version that serves, where one does and histories are filled.

    Raises:
      UserInputError: the part does not fit what that version knows.
    """
    folder = ExportFolder(serving_folder(run))
    stable = ModelVersions(folder.path).labels().get(STABLE) if folder.versions() else None
    if stable is None or run.is_settling:
        return {"champion": None, "scopes": []}
    limits = run.config.champion
    version = LoadedVersion.open(folder.version(stable).folder)
    examples = _open(run)
    try:
        scopes = champion_check.measure(version, examples, "train", limits.resamples)
    except UnscorableError as error:
        raise UserInputError(f"The records cannot be scored by {error}.") from error
    scopes = category_names.named(scopes, examples.schema, run.config.join_options(run.part))
    usual = {
        scope["task"]: scope["figures"]["auc"]["challenger"]
        for part in run.accepted
        for scope in _gate_scopes(run, part, stable)
        if not scope["slicing"]
    }
    if found := champion_check.reasons(scopes, usual, limits):
        listed = "\n".join(found)
        raise UserInputError(
            f"Version {stable}, which serves, does not fit this part. Its labels, ids or vectors "
            f"may be wrong there:\n{listed}\nFix the log, or raise the limit (champion.NAME) "
            "where the world did change."
        )
    return {"champion": stable, "scopes": [dataclasses.asdict(scope) for scope in scopes]}


def _gate_scopes(run: PartRun, part: str, version: int) -> Sequence[Mapping[str, Any]]:
    """Returns the gate's figures of a part, empty where it judged another version."""
    done = Ledger(run.folder(LEDGER), part).done("gate")
    outcome = {} if done is None else done.outcome
    return outcome["scopes"] if outcome.get("version") == version else []


def train(run: PartRun) -> Outcome:
    """Trains on the part, from the model of the part before; the first part from initial values."""
    examples = _open(run)
    start = model_folder(run, run.accepted[-1]) if run.accepted else None
    options = run.config.join_options(run.part)
    config = run.config.run_config(is_update=start is not None)
    reads_none = factory.MODELS[config.model.name].reads_vectors == "never"
    sets = {} if reads_none else options.embeddings
    embeddings = embedding_inputs.read_all(sets, options.tables)
    folder = model_folder(run, run.part)
    training_job.train(
        folder,
        examples,
        config,
        embeddings,
        Origin(environment.command(COMMAND), [f"--part={run.part}"]),
        start=start,
        replace=True,
    )
    figures = manifest.read_manifest(folder)["training"]
    return {
        "manifest": checked.sha256(os.path.join(folder, manifest.FILE_NAME)),
        "start": None if start is None else run.accepted[-1],
        "candidates": examples.manifest["splits"]["train"]["candidates"],
        "stopped": figures["stopped"],
        "validation": _headline(run_metrics.read(folder)["validation"]),
    }


def export(run: PartRun) -> Outcome:
    """Exports the model of the part, unless a version of just this model is there."""
    model = run.outcomes["train"]["manifest"]
    folder = ExportFolder(serving_folder(run))
    for version in reversed(folder.versions()):
        if version.manifest.get(ORIGIN) == model and not version.damage():
            logging.info("%s was exported from this model already.", version.folder)
            return _version(version.number, version.manifest)
    options, settings = run.config.join_options(run.part), run.config.export
    trained = trained_model.read_trained_model(model_folder(run, run.part))
    inside = settings.embeddings_inside and trained.modalities
    embeddings = embedding_inputs.read_all(options.embeddings, options.tables) if inside else {}
    export_model = functools.partial(
        export_gate.export_model,
        trained,
        folder.path,
        _open(run),
        embeddings,
        settings.batch_sizes,
        max_pairs=settings.max_pairs,
        kernels=settings.kernels,
        origin={ORIGIN: model},
    )
    exported = _warmed_up(export_model, run.config.request_log)
    number = int(os.path.basename(exported.folder))
    return _version(number, folder.version(number).manifest)


def _warmed_up(export_model: Callable[..., Exported], request_log: str | None) -> Exported:
    """Exports with the sizes of a request log, made-up ones until it has any that are of use."""
    if request_log is not None:
        try:
            return export_model(warmup_requests=[request_log])
        except NoRequestsError as error:
            # As on the first day, or after a change of the schema.
            logging.warning("Warm-up records are of made-up sizes. %s", error)
    return export_model()


def gate(run: PartRun) -> Outcome:
    """Compares the new version with the one that serves, on users that neither saw of the part.

    Raises:
      UserInputError: the new version is refused.
    """
    version = run.outcomes["export"]["version"]
    if ModelVersions(serving_folder(run)).labels().get(STABLE) == version:
        # It was judged before it was promoted. A setting of this step has changed since.
        logging.info("Version %d serves already, so it is not judged again.", version)
        judged = Ledger(run.folder(LEDGER), run.part).done("gate")
        if judged is not None and judged.outcome["version"] == version:
            return judged.outcome
        return {
            "version": version,
            "champion": version,
            "summary": _SERVES,
            "notes": [],
            "scopes": [],
        }
    verdict = version_gate.gate(
        GateOptions(
            export_dir=serving_folder(run),
            examples=run.folder("examples"),
            version=version,
            part=run.part,
            split="test",
            limits=run.config.gate,
        )
    )
    if not verdict.passed:
        raise UserInputError(f"{verdict_table.refusal(verdict)}")
    kept = ("notes", "scopes")
    return {
        "version": version,
        "champion": verdict.champion,
        "summary": verdict.summary,
        **{name: verdict.values[name] for name in kept},
    }


def model_folder(run: PartRun, part: str) -> str:
    """Returns the folder of a part's model."""
    return run.folder("models", part)


def serving_folder(run: PartRun) -> str:
    """Returns the folder of the model's versions, whose name is the model's."""
    return run.folder("serving", run.config.name)


def _open(run: PartRun) -> ExampleSet:
    """Opens the part, with users of their own for validation and for the gate."""
    return example_part.open_part(ExampleSet.open(run.folder("examples")), run.part, True)


def _version(number: int, values: Any) -> dict[str, Any]:
    return {
        "version": number,
        "tags": dict(values["tags"]),
        "parity": values["parity"]["max_abs_diff"],
    }


def _headline(metrics: Any) -> dict[str, float]:
    return {name: metrics[name] for name in ("auc", "gauc", "ne", "calibration")}
