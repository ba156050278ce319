"""Converts a public data set into the join's inputs.

It prints the command that joins them. Nothing is downloaded.

Usual commands:

    python -m pipeline.convert --dataset movielens --input ml-32m/ --output movielens/
    python -m pipeline.convert --dataset taobao_mm --input taobao_mm/ --output taobao/

Left on disk: `events/` and `manifest.json`; `items/`, `users/`, `histories/` and
`embeddings/<modality>/` where the data set has them; `quarantine/` with the rows that were left out
and the reasons.
"""

from collections.abc import Sequence

from absl import flags, logging

from pipeline.adapters import (
    amazon_reviews,
    converter,
    ebnerd,
    microlens,
    mind,
    movielens,
    taobao_mm,
)
from pipeline.runtime import entry_point
from pipeline.runtime.help_text import flag_group

_FLAGS = flags.FLAGS

ADAPTERS = {
    module.ADAPTER.name: module.ADAPTER
    for module in (movielens, microlens, amazon_reviews, taobao_mm, mind, ebnerd)
}


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Input"):
        flags.DEFINE_enum(
            "dataset", None, list(ADAPTERS), "`FORMAT` Data set that --input holds.", required=True
        )
        flags.DEFINE_string("input", None, "`FOLDER` Files as they were published.", required=True)
        flags.DEFINE_float(
            "max_bad_fraction", 0.01, "`SHARE` Most rows of a table to quarantine, from 0 to 1."
        )
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FOLDER` Inputs of the join, to publish.", required=True
        )


def main() -> None:
    """Runs the job."""
    entry_point.run(_main, define_flags)


def _main(arguments: Sequence[str]) -> None:
    adapter = ADAPTERS[_FLAGS.dataset]
    done = converter.run(adapter, _FLAGS.input, _FLAGS.output, _FLAGS.max_bad_fraction)
    for note in done.get("notes", ()):
        logging.info("%s", note)
    converter.log_left_out(done, _FLAGS.output)
    print(done["join_command"])


if __name__ == "__main__":
    main()
