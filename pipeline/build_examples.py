r"""Joins a behavior log with embeddings and side features into training records.

Usual commands:

    python -m pipeline.build_examples --events log/ --embeddings text=text/ --output examples/
    python -m pipeline.build_examples --events log/2026-05-02/ --embeddings text=text/ \
        --output examples/ --part 2026-05-02 --splits train:..2026-06-01,test:2026-06-01..

Left on disk: `<split>-00003-of-00016.tfrecord` shards, `vocabulary/item_id.txt`, `quarantine/` with
the rows that were left out and why, and `manifest.json`, without which the folder is incomplete.
With --part the output holds such a folder per part, and a manifest of all.

Other flags go to Beam: --runner (default FnApiRunner, in this process), --job_endpoint,
--parallelism and the others of the runner, as in --runner FlinkRunner --job_endpoint HOST:8099.
"""

from collections.abc import Sequence

from pipeline.join.flags import define_flags, options_from_flags
from pipeline.runtime import entry_point


def main() -> None:
    """The command `dmf-build-examples`."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True, check_flags=_check_flags)


def _check_flags(beam_args: Sequence[str]) -> None:
    from pipeline.runtime.beam_options import check_beam_flags

    options_from_flags()
    check_beam_flags(beam_args)


def _main(beam_args: Sequence[str]) -> None:
    from pipeline.join.job import build_examples

    build_examples(options_from_flags(), beam_args)


if __name__ == "__main__":
    main()
