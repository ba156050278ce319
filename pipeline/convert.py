"""Converts a public data set into the join's inputs, and prints the command that joins them.

    python -m pipeline.convert --dataset=movielens --input=ml-32m/ --output=movielens/

The output folder has `events/` and `manifest.json`. It has `items/`, `users/`, `histories/` and
`embeddings/<modality>/` where the data set has them, and `quarantine/` with the rows that were left
out and the reasons.
"""

from collections.abc import Sequence

from absl import flags

from pipeline.adapters import amazon_reviews, converter, microlens, movielens, taobao_mm
from pipeline.runtime import entry_point

_FLAGS = flags.FLAGS

ADAPTERS = {
    module.ADAPTER.name: module.ADAPTER
    for module in (movielens, microlens, amazon_reviews, taobao_mm)
}


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_enum("dataset", None, list(ADAPTERS), "Format of --input.", required=True)
    flags.DEFINE_string("input", None, "Folder of the files as published.", required=True)
    flags.DEFINE_string("output", None, "Folder to publish.", required=True)
    flags.DEFINE_float("max_bad_fraction", 0.01, "Largest share of a table's rows to quarantine.")


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags)


def _main(arguments: Sequence[str]) -> None:
    adapter = ADAPTERS[_FLAGS.dataset]
    done = converter.run(adapter, _FLAGS.input, _FLAGS.output, _FLAGS.max_bad_fraction)
    print(done["join_command"])


if __name__ == "__main__":
    main()
