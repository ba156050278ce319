"""Builds a vocabulary of the item ids that occur often enough in the train split.

    python -m pipeline.build_vocabulary --examples=examples/ --output=vocabulary/ --minimum_count=5

Counts every occurrence in a record, as candidate or as behavior: one pass of training reads the
id's row that many times. The output folder holds `item_id.txt`, the ids in ascending order, which
`pipeline.train --vocabulary` takes; `counts.tsv`, id and count, by count, then by id; and
`manifest.json`. Flags that are not listed here go to Beam, `--runner` among them.
"""

from collections.abc import Sequence

from absl import flags

from pipeline.runtime import entry_point
from pipeline.runtime.beam_options import check_beam_flags
from pipeline.vocabulary.job import build_vocabulary

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string("examples", None, "Folder that the join wrote.", required=True)
    flags.DEFINE_string("output", None, "Folder to write.", required=True)
    flags.DEFINE_integer(
        "minimum_count", 2, "Occurrences an id must have to be kept.", lower_bound=1
    )
    flags.DEFINE_integer(
        "maximum_size", None, "Most ids to keep, by frequency; by default all.", lower_bound=1
    )


def main() -> None:
    """The command `dmf-build-vocabulary`."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True, check_flags=check_beam_flags)


def _main(beam_args: Sequence[str]) -> None:
    build_vocabulary(
        _FLAGS.examples, _FLAGS.output, _FLAGS.minimum_count, _FLAGS.maximum_size, beam_args
    )


if __name__ == "__main__":
    main()
