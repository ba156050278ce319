"""Joins a behavior log with embeddings and side features into training records.

    python -m pipeline.build_examples --events=log/ --embeddings=text=text/ --output=examples/

Flags that are not listed here go to Beam, `--runner` among them. The output folder holds
`<split>-00003-of-00016.tfrecord` shards, `vocabulary/item_id.txt`, `quarantine/` with the rows
that were left out and why, and `manifest.json`. With `--part=2026-05-02` it holds such a folder
for each part, and a manifest of all.
"""

from collections.abc import Sequence

from pipeline.join.flags import define_flags, options_from_flags
from pipeline.join.job import build_examples
from pipeline.runtime import entry_point
from pipeline.runtime.beam_options import check_beam_flags


def main() -> None:
    """The command `dmf-build-examples`."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True, check_flags=_check_flags)


def _check_flags(beam_args: Sequence[str]) -> None:
    options_from_flags()
    check_beam_flags(beam_args)


def _main(beam_args: Sequence[str]) -> None:
    build_examples(options_from_flags(), beam_args)


if __name__ == "__main__":
    main()
