r"""Shows whether an exported model serves what it was trained on.

Records go through `serving_default` as they are and through `score_request` by their ids. Logged
requests are replayed, and compared with what was answered.

Usual commands:

    python -m pipeline.check_skew --saved_model serving/dmf/1 --examples examples/ \
        --embeddings text=text/
    python -m pipeline.check_skew --saved_model serving/dmf/1 --requests requests/

It exits with 1, without a traceback, where something differs.
"""

from collections.abc import Sequence

from absl import flags

from features.errors import UserInputError
from pipeline.runtime import entry_point, plain_text
from pipeline.runtime.help_text import flag_group
from pipeline.tables.flags import define_table_flags, table_options

SKEW_CODE = 1
"""The exit code when training and serving differ."""

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Inputs (--examples, --requests or both)"):
        flags.DEFINE_string(
            "saved_model",
            None,
            "`FOLDER` One version that pipeline.export wrote, such as serving/dmf/1.",
            required=True,
        )
        flags.DEFINE_string(
            "examples", None, "`FOLDER` Examples that the join wrote; their records are replayed."
        )
        flags.DEFINE_string("split", "test", "`SPLIT` Split of --examples.")
        flags.DEFINE_multi_string(
            "embeddings",
            [],
            "`MODALITY=FOLDER` Embedding set that the join read. Default: the tables "
            "inside the model.",
        )
        flags.DEFINE_multi_string(
            "requests", [], "`FILE|GLOB|FOLDER` Request log: TFRecords of PredictionLog."
        )
        flags.DEFINE_integer(
            "records", 1000, "`COUNT` Records to draw, and logged requests.", lower_bound=1
        )
        flags.DEFINE_integer("seed", 0, "`NUMBER` Decides which records are drawn.")
    with flag_group("Tables"):
        define_table_flags()
    with flag_group("Output"):
        flags.DEFINE_string("output", None, "`FILE` JSON of what was compared.")


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags, check_flags=_check_flags)


def _check_flags(arguments: Sequence[str]) -> None:
    entry_point.named_locations(_FLAGS.embeddings, "embeddings")
    table_options()
    if _FLAGS.examples is None and not _FLAGS.requests:
        raise UserInputError(
            "Give --examples, --requests or both: there is nothing to replay otherwise."
        )


def _main(arguments: Sequence[str]) -> None:
    from models.inputs.example_set import ExampleSet
    from pipeline.releases import skew_report
    from serving_signatures.skew.check import check
    from serving_signatures.versions.loaded_version import LoadedVersion

    _check_flags(arguments)
    examples = None if _FLAGS.examples is None else ExampleSet.open(_FLAGS.examples)
    tally, found = check(
        LoadedVersion.open(_FLAGS.saved_model),
        examples,
        _FLAGS.split,
        _FLAGS.requests,
        entry_point.named_locations(_FLAGS.embeddings, "embeddings"),
        _FLAGS.records,
        _FLAGS.seed,
        table_options(),
    )
    if _FLAGS.output is not None:
        asked = {name: _FLAGS[name].value for name in ("saved_model", "examples", "split", "seed")}
        skew_report.write(_FLAGS.output, {**asked, **tally.to_dict(), **found})
    plain_text.say(skew_report.describe(tally, found))
    if tally.skew:
        raise SystemExit(SKEW_CODE)
    plain_text.say("Training and serving are equal.")


if __name__ == "__main__":
    main()
