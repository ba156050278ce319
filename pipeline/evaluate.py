"""Scores a split: `python -m pipeline.evaluate --examples DIR --model_dir DIR --split test`."""

import json
from collections.abc import Sequence

from absl import flags, logging

from features.files import storage
from models import trained_model
from models.evaluation import scoring
from models.inputs.example_set import ExampleSet
from pipeline.runtime import entry_point
from pipeline.training_runs import headline, training_run

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string("examples", None, "Folder that the join wrote.", required=True)
    flags.DEFINE_string("model_dir", None, "Folder of a trained model.", required=True)
    flags.DEFINE_string("split", "test", "Split to score.")
    flags.DEFINE_string("output", None, "JSON file for the metrics; by default they are printed.")


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags)


def _main(arguments: Sequence[str]) -> None:
    examples = ExampleSet.open(_FLAGS.examples)
    model = trained_model.read_trained_model(_FLAGS.model_dir)
    trained_model.check_schema(model, examples)
    scored = scoring.score(model, examples, _FLAGS.split)
    metrics = scoring.evaluate(scored, scoring.train_counts(examples))
    training_run.add_metrics(_FLAGS.model_dir, examples, _FLAGS.split, metrics)
    logging.info("Split %s\n%s", _FLAGS.split, headline.table(metrics, model.label))
    text = json.dumps({"split": _FLAGS.split, **metrics}, indent=2, sort_keys=True)
    if _FLAGS.output is None:
        print(text)
        return
    storage.write_bytes(_FLAGS.output, f"{text}\n".encode())


if __name__ == "__main__":
    main()
