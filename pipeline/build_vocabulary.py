r"""Builds a vocabulary of the item ids that occur often enough in the train split.

Counts every occurrence in a record, as candidate or as behavior: one pass of training reads the
id's row that many times.

Usual commands:

    python -m pipeline.build_vocabulary --examples examples/ --output vocabulary/ --minimum_count 5
    python -m pipeline.build_vocabulary --examples examples/ --output vocabulary/ \
        --maximum_size 10000000

Left on disk: `item_id.txt`, the ids in ascending order, for `pipeline.train --vocabulary`;
`counts.tsv`, id and count, by count, then by id; and `manifest.json`.

Other flags go to Beam: --runner (default FnApiRunner, in this process), --job_endpoint,
--parallelism and the others of the runner, as in --runner FlinkRunner --job_endpoint HOST:8099.
"""

from collections.abc import Sequence

from absl import flags

from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Input"):
        flags.DEFINE_string(
            "examples", None, "`FOLDER` Examples that the join wrote.", required=True
        )
    with flag_group("Which ids are kept"):
        flags.DEFINE_integer(
            "minimum_count", 2, "`COUNT` Occurrences that an id must have.", lower_bound=1
        )
        flags.DEFINE_integer(
            "maximum_size",
            None,
            "`COUNT` Most ids to keep, the most frequent. Default: all.",
            lower_bound=1,
        )
    with flag_group("Output"):
        flags.DEFINE_string("output", None, "`FOLDER` Vocabulary to publish.", required=True)


def main() -> None:
    """The command `dmf-build-vocabulary`."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True, check_flags=_check_flags)


def _check_flags(beam_args: Sequence[str]) -> None:
    from pipeline.runtime.beam_options import check_beam_flags

    check_beam_flags(beam_args)


def _main(beam_args: Sequence[str]) -> None:
    from pipeline.vocabulary.job import build_vocabulary

    build_vocabulary(
        _FLAGS.examples, _FLAGS.output, _FLAGS.minimum_count, _FLAGS.maximum_size, beam_args
    )


if __name__ == "__main__":
    main()
