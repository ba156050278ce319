"""The steps of an end-to-end run, each reading and extending one `RunState`."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from absl import logging

from features.files import manifest
from models import factory, trained_model
from models.evaluation import scoring
from models.inputs.example_set import ExampleSet
from models.training import fit
from pipeline.embedding_sets import embedding_inputs
from pipeline.end_to_end import demo_data, latency, scored_request
from pipeline.end_to_end.run_state import COMMAND, RunState
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from pipeline.runtime import environment, termination
from pipeline.statistics import assessment, inspection
from pipeline.tables import flags as table_flags
from pipeline.training_runs import advice, run_claim, run_config, run_metrics, training_run
from pipeline.training_runs.run_config import RunConfig
from pipeline.training_runs.training_run import Origin
from serving_signatures import names
from serving_signatures.export import gate
from serving_signatures.signatures import ServingSignatures

_TIMED_MODELS = ("id_only", "dmf", "early_fusion")


Step = tuple[str, Callable[[RunState], None]]


def named_steps(config: RunConfig) -> list[Step]:
    """Returns the steps of a run in order, each with the name that is logged and timed."""
    steps: list[Step] = [
        ("data", prepare_data),
        ("join", join),
        ("statistics", inspect_examples),
    ]
    for name in (config.model.name, *config.baselines):
        steps.append((f"train_{name}", partial(train, name=name)))
        steps.append((f"evaluate_{name}", partial(evaluate, name=name)))
    return [
        *steps,
        ("export", export_main_model),
        ("score", score),
        ("latency", measure_latency),
        *([("ablation", measure_ablation)] if config.ablation else []),
    ]


def execute(run: RunState, steps: Sequence[Step]) -> None:
    """Runs the steps in order, logs their names and records their wall time.

    Raises:
      UserInputError: the input, the configuration or the output folder must be changed, or the
        joined examples are not fit to train on.
    """
    for name, step in steps:
        logging.info("== %s", name.replace("_", " "))
        started = time.perf_counter()
        step(run)
        run.seconds[name] = round(time.perf_counter() - started, 2)


def prepare_data(run: RunState) -> None:
    """Prepares the join's inputs and options."""
    run.data = demo_data.prepare(run.config.data, run.folder("data"))
    run.options = JoinOptions.from_dict(
        {
            **run.config.join,
            "events": run.data.events,
            "items": run.data.items,
            "embeddings": run.data.embeddings,
            "output": run.folder("examples"),
        }
    )


def join(run: RunState) -> None:
    """Joins the examples, or finds that the same ones are there already."""
    run.manifest = build_examples(run.options)


def inspect_examples(run: RunState) -> None:
    """Stops the run where the joined examples are not fit to train on; opens them otherwise."""
    run.inspection = inspection.inspect(
        None,
        {},
        run.options.output,
        run.folder(assessment.FOLDER),
        limits=run.config.checks,
        config=run.config.drift,
        command=environment.command(COMMAND),
    )
    for finding in run.inspection.assessment.findings:
        logging.warning("%s: %s", finding.subject, finding.message)
    run.inspection.assessment.raise_if_bad()
    run.examples = ExampleSet.open(run.options.output)
    opened = embedding_inputs.open_all(run.options.embeddings, run.options.tables)
    run.embeddings = embedding_inputs.read_opened(opened)
    tables = [files.table for files in opened.values()]
    run.table_arguments = table_flags.arguments(run.options.tables, tables)


def train(run: RunState, name: str) -> None:
    """Trains one model, or reads it where this very training is finished already."""
    folder = run.folder("models", name)
    config = dataclasses.replace(run.config, model=run_config.with_name(run.config.model, name))
    identity = run_claim.identity(run.examples, config, run.embeddings)
    with run_claim.claimed(folder, identity, run.overwrite) as finished:
        if finished:
            logging.info("%s holds just this training already: nothing to do.", folder)
            run.origin, run.models[name] = None, trained_model.read_trained_model(folder)
            run.training[name] = manifest.read_manifest(folder)["training"]
            return
        sources = [f"--embeddings={name}={path}" for name, path in run.data.embeddings.items()]
        arguments = [f"--examples={run.options.output}", *sources, *run.table_arguments]
        run.origin = Origin(environment.command(COMMAND), arguments)
        with termination.saving() as stop_requested:
            run.models[name], run.training[name] = fit.train(
                run.examples,
                config.model,
                config.training,
                folder,
                run.embeddings,
                stop_requested,
            )


def evaluate(run: RunState, name: str) -> None:
    """Scores validation and test split of the model just trained, and writes its run folder."""
    if run.origin is None:
        run.metrics[name] = _test_metrics(run, name)
        return
    settings = run_config.with_name(run.config.model, name)
    figures = training_run.record(
        run.folder("models", name),
        run.models[name],
        run.examples,
        dataclasses.replace(run.config, model=settings),
        run.embeddings,
        run.origin,
        ("validation", "test"),
    )
    run.metrics[name] = figures["test"]


def _test_metrics(run: RunState, name: str) -> dict[str, Any]:
    """Returns the metrics of a model that was trained earlier; adds them where there are none."""
    folder = run.folder("models", name)
    known = run_metrics.read(folder)
    if "test" not in known:
        counts = scoring.train_counts(run.examples)
        known["test"] = scoring.evaluate(
            scoring.score(run.models[name], run.examples, "test"), counts
        )
        training_run.add_metrics(folder, run.examples, "test", known["test"])
    return known["test"]


def export_main_model(run: RunState) -> None:
    """Exports the main model and compares its signatures."""
    inside = run.config.export.embeddings_inside and run.model.modalities
    run.exported = gate.export_model(
        run.model,
        run.folder("serving", run.config.model.name),
        run.examples,
        run.embeddings if inside else {},
        run.config.export.batch_sizes,
        run.config.sample_requests,
        max_pairs=run.config.export.max_pairs,
        kernels=run.config.export.kernels,
    )


def score(run: RunState) -> None:
    """Scores one request with the published SavedModel."""
    run.request = scored_request.build(
        run.examples, run.options.items, run.data.titles, run.config.serving.candidates
    )
    run.scored = scored_request.score(
        run.exported.folder, run.request, run.data.titles, run.embeddings, run.model.label
    )


def measure_latency(run: RunState) -> None:
    """Times `score_request` of each model; one that was not trained has initial values."""
    config = run.config
    vocabulary = None if config.model.hashed_buckets else run.examples.vocabulary()
    calls = {}
    for name in _TIMED_MODELS:
        model = run.models.get(name) or factory.build_model(
            run_config.with_name(config.model, name), run.examples.schema, vocabulary
        )
        inside = run.embeddings if model.modalities else {}
        function = ServingSignatures(model, inside).functions[names.SCORE_REQUEST]
        calls[name] = scored_request.call(function, run.request)
    run.latencies = latency.measure(calls, config.serving.repeats)


def measure_ablation(run: RunState) -> None:
    """Measures what each path of the main model carries, and what it has over its baselines."""
    name, counts = run.config.model.name, scoring.train_counts(run.examples)
    figures = advice.measure(
        run.model,
        run.examples,
        "test",
        scoring.score(run.model, run.examples, "test"),
        counts,
        {one: run.models[one] for one in run.config.baselines if one != name},
        {one: values["p50_ms"] for one, values in run.latencies.items()},
    )
    run.metrics[name] = {**run.metrics[name], "ablation": figures}
    training_run.add_metrics(run.folder("models", name), run.examples, "test", run.metrics[name])
