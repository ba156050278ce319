"""Scores a split with a trained model: AUC, GAUC, log loss, calibration, slices.

Its last lines, on stderr, are a table of the headline metrics; all of them are JSON, in --output or
on stdout.

Usual commands:

    python -m pipeline.evaluate --examples examples/ --model_dir models/dmf
    python -m pipeline.evaluate --examples examples/ --model_dir m/dmf --baseline m/id_only

Left on disk: `metrics/<split>.json` and `report.html` in the model's folder, where the examples are
those that it was trained on.
"""

import json
from collections.abc import Sequence

from absl import flags, logging

from features.files import storage
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Inputs"):
        flags.DEFINE_string(
            "examples", None, "`FOLDER` Examples that the join wrote.", required=True
        )
        flags.DEFINE_string(
            "model_dir", None, "`FOLDER` Model that pipeline.train wrote.", required=True
        )
        flags.DEFINE_string("split", "test", "`SPLIT` Split to score.")
    with flag_group("What carries the model"):
        flags.DEFINE_bool(
            "ablation", False, "Score the split again without each path of the model, and say so."
        )
        flags.DEFINE_multi_string(
            "baseline", [], "`FOLDER` Another model of these examples to compare with."
        )
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FILE` JSON of the metrics. Default: they are printed."
        )


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags)


def _main(arguments: Sequence[str]) -> None:
    from models import trained_model
    from models.evaluation import scoring
    from models.inputs.example_set import ExampleSet
    from pipeline.training_runs import advice, headline, training_run

    examples = ExampleSet.open(_FLAGS.examples)
    model = trained_model.read_trained_model(_FLAGS.model_dir)
    trained_model.check_schema(model, examples)
    scored = scoring.score(model, examples, _FLAGS.split)
    counts = scoring.train_counts(examples)
    metrics = scoring.evaluate(scored, counts)
    if _FLAGS.ablation or _FLAGS.baseline:
        beside = advice.read_baselines(_FLAGS.baseline, model, examples)
        found = advice.measure(model, examples, _FLAGS.split, scored, counts, beside)
        metrics["ablation"] = found
    training_run.add_metrics(_FLAGS.model_dir, examples, _FLAGS.split, metrics)
    text = json.dumps({"split": _FLAGS.split, **metrics}, indent=2, sort_keys=True)
    if _FLAGS.output is None:
        print(text, flush=True)
    else:
        storage.write_bytes(_FLAGS.output, f"{text}\n".encode())
    # Last, so that a terminal shows it below the JSON.
    logging.info("Split %s\n%s", _FLAGS.split, headline.text(metrics, model.label))


if __name__ == "__main__":
    main()
