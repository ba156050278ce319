"""From a log to a verified model: join, train, evaluate, export, score, report.

python -m pipeline.run --config pipeline/configs/demo.py --output build/demo
"""

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags, logging

from features.embeddings import embedding_set
from features.embeddings.embedding_set import EmbeddingSet
from features.records.requests import RankingRequest
from models import factory
from models.evaluation import attention_mass
from models.inputs import input_pipeline
from models.inputs.example_set import ExampleSet
from models.ranking_model import RankingModel
from models.training import fit
from pipeline import inspect_data
from pipeline.build_examples import build_examples
from pipeline.end_to_end import demo_data, latency, run_summary, scored_request
from pipeline.join.options import JoinOptions
from pipeline.report.page import render
from pipeline.runtime import entry_point, environment, json_file, termination
from pipeline.statistics import assessment
from pipeline.training_runs import run_config, training_run
from pipeline.training_runs.run_config import RunConfig
from pipeline.training_runs.training_run import Origin
from serving_signatures import names
from serving_signatures.export import gate
from serving_signatures.signatures import ServingSignatures

_FLAGS = flags.FLAGS
_LOOKED_AT_BATCHES = 8


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string("config", None, "Python file with get_config().")
    flags.DEFINE_string("output", None, "Folder for everything the run makes.", required=True)
    flags.DEFINE_multi_string("set", [], "key=value, such as model.heads=2; repeatable.")


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=_check_flags)


def run(config: RunConfig, output: str) -> dict[str, Any]:
    """Runs everything.

    Args:
      config: what to do.
      output: folder for `examples/`, `statistics/`, `models/<name>/`,
        `serving/<name>/<version>/`, `summary.json`, `report.json` and `report.html`. Joined
        examples that are there already are used again where inputs and parameters are the same.

    Returns:
      The summary (DESIGN section 10).

    Raises:
      UserInputError: the input, the configuration or the output folder must be changed, or the
        joined examples are not fit to train on.
    """
    clock = _Clock()
    with clock.phase("data"):
        data = demo_data.prepare(config.data, os.path.join(output, "data"))
        options = JoinOptions.from_dict(
            {
                **config.join,
                "events": data.events,
                "items": data.items,
                "embeddings": data.embeddings,
                "output": os.path.join(output, "examples"),
            }
        )
    with clock.phase("join"):
        manifest = build_examples(options)
    with clock.phase("statistics"):
        inspection = _inspect(config, options.output, output)
    examples = ExampleSet.open(options.output)
    embeddings = {
        name: embedding_set.read_embedding_set(path) for name, path in data.embeddings.items()
    }
    models, trained, metrics = {}, {}, {}
    arguments = [f"--examples={options.output}"]
    arguments += [f"--embeddings={name}={path}" for name, path in data.embeddings.items()]
    for name in (config.model.name, *config.baselines):
        origin = Origin(environment.command("pipeline.run"), arguments)
        with clock.phase(f"train_{name}"):
            folder = os.path.join(output, "models", name)
            settings = run_config.with_name(config.model, name)
            with termination.saving() as stop_requested:
                models[name], trained[name] = fit.train(
                    examples, settings, config.training, folder, embeddings, stop_requested
                )
        with clock.phase(f"evaluate_{name}"):
            figures = training_run.record(
                folder,
                models[name],
                examples,
                dataclasses.replace(config, model=settings),
                embeddings,
                origin,
                ("validation", "test"),
            )
            metrics[name] = figures["test"]
    model = models[config.model.name]
    with clock.phase("export"):
        exported = gate.export_model(
            model,
            os.path.join(output, "serving", config.model.name),
            examples,
            embeddings if config.export.embeddings_inside and model.modalities else {},
            config.export.batch_sizes,
            config.sample_requests,
        )
    with clock.phase("score"):
        request = scored_request.build(
            examples, options.items, data.titles, config.serving.candidates
        )
        shown = scored_request.score(exported.folder, request, data.titles, embeddings, model.label)
    with clock.phase("latency"):
        times = _latency(config, examples, models, embeddings, request)
    summary = {
        "join": run_summary.of_join(manifest, clock.seconds["join"]),
        "train": {
            name: trained[config.model.name][name]
            for name in ("candidates_per_second", "steps", "seconds")
        },
        "metrics": {name: run_summary.headline(values) for name, values in metrics.items()},
        "export": {
            "saved_model": exported.folder,
            "signatures": list(exported.signatures),
            "parity_max_abs_diff": exported.parity["max_abs_diff"],
        },
        "serving": {
            "candidates": config.serving.candidates,
            "history_length": len(request.history_item_id),
            "latency_ms": {name: values["p50_ms"] for name, values in times.items()},
        },
        "phases": clock.seconds,
    }
    report = {
        "title": config.title,
        "label": model.label,
        "summary": summary,
        "manifest": manifest,
        "statistics": inspection.statistics,
        "assessment": inspection.assessment.to_dict(),
        "training": trained,
        "metrics": metrics,
        "latency": {
            "candidates": config.serving.candidates,
            "history_length": len(request.history_item_id),
            "models": times,
        },
        "bucket_effect": model.bucket_effect(),
        "attention_mass": attention_mass.measure(
            model, input_pipeline.evaluation_batches(examples, "test").take(_LOOKED_AT_BATCHES)
        ),
        "scored": shown,
        "tags": dict(exported.tags),
        "parity": dict(exported.parity),
        "config": run_config.to_dict(config),
        "environment": environment.versions(),
        "command": environment.command("pipeline.run"),
    }
    json_file.write(os.path.join(output, "report.json"), report)
    render(report, os.path.join(output, "report.html"))
    json_file.write(os.path.join(output, "summary.json"), summary)
    return summary


class _Clock:
    """Wall time by phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        logging.info("== %s", name.replace("_", " "))
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 2)


def _inspect(config: RunConfig, examples: str, output: str) -> inspect_data.Inspection:
    """Looks at the joined examples and stops the run where they are not fit to train on."""
    inspection = inspect_data.inspect(
        None,
        {},
        examples,
        os.path.join(output, assessment.FOLDER),
        limits=config.checks,
        config=config.drift,
        command=environment.command("pipeline.run"),
    )
    for finding in inspection.assessment.findings:
        logging.warning("%s: %s", finding.subject, finding.message)
    inspection.assessment.raise_if_bad()
    return inspection


def _latency(
    config: RunConfig,
    examples: ExampleSet,
    models: dict[str, RankingModel],
    embeddings: dict[str, EmbeddingSet],
    request: RankingRequest,
) -> dict[str, dict[str, object]]:
    """Times `score_request` of each model; one that was not trained has initial values."""
    vocabulary = None if config.model.hashed_buckets else examples.vocabulary()
    calls = {}
    for name in ("id_only", "dmf", "early_fusion"):
        model = models.get(name) or factory.build_model(
            run_config.with_name(config.model, name), examples.schema, vocabulary
        )
        inside = embeddings if model.modalities else {}
        function = ServingSignatures(model, inside).functions[names.SCORE_REQUEST]
        calls[name] = scored_request.call(function, request)
    return latency.measure(calls, config.serving.repeats)


def _check_flags(arguments: Sequence[str]) -> None:
    del arguments
    run_config.check(_FLAGS.config, _FLAGS.set)


def _main(arguments: Sequence[str]) -> None:
    del arguments
    config = run_config.load(_FLAGS.config, _FLAGS.set)
    summary = run(config, _FLAGS.output)
    with open(os.path.join(_FLAGS.output, "report.json")) as file:
        label = json.load(file)["label"]
    print(run_summary.describe(summary, label, _FLAGS.output))


if __name__ == "__main__":
    main()
