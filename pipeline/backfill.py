"""Fills the caches of a catalog's projections from an exported model.

    python -m pipeline.backfill --saved_model=serving/dmf/1 --items=items/ --output=projections/

Run it after each export, each new embedding set and each new item: it computes what is missing,
of a stale tag or of a changed vector, compares a sample with the model and publishes a version.
Flags that are not listed here go to Beam, `--runner` among them.
`serving_signatures.client.projection_cache` has the layout of the output, and reads it.
"""

from collections.abc import Sequence

from absl import flags

from pipeline.catalog_backfill.backfill import backfill
from pipeline.runtime import entry_point
from pipeline.runtime.beam_options import check_beam_flags

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string(
        "saved_model", None, "A version's folder that pipeline.export wrote.", required=True
    )
    flags.DEFINE_string(
        "items", None, "Parquet with item_id, the catalog: a folder or a file.", required=True
    )
    flags.DEFINE_multi_string(
        "embeddings", [], "modality=DIR, where requests carry the vectors; repeatable."
    )
    flags.DEFINE_string("output", None, "Folder of both caches.", required=True)
    flags.DEFINE_bool("dry_run", False, "Log what there is to do, and do nothing.")
    flags.DEFINE_bool("recompute", False, "Compute every row, whatever is published.")
    flags.DEFINE_integer(
        "keep", 3, "Versions to keep, the published one among them.", lower_bound=1
    )
    flags.DEFINE_integer(
        "rows_per_part", 1 << 16, "About how many items a file has.", lower_bound=1
    )
    flags.DEFINE_integer("batch_size", 1024, "Items per call of the model.", lower_bound=1)
    flags.DEFINE_integer(
        "verify_rows", 256, "Rows to compare with the model before publishing.", lower_bound=1
    )


def main() -> None:
    """The command `dmf-backfill`."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True, check_flags=_check_flags)


def _check_flags(beam_args: Sequence[str]) -> None:
    entry_point.modality_folders(_FLAGS.embeddings)
    check_beam_flags(beam_args)


def _main(beam_args: Sequence[str]) -> None:
    backfill(
        _FLAGS.saved_model,
        _FLAGS.items,
        _FLAGS.output,
        entry_point.modality_folders(_FLAGS.embeddings),
        dry_run=_FLAGS.dry_run,
        recompute=_FLAGS.recompute,
        keep=_FLAGS.keep,
        rows_per_part=_FLAGS.rows_per_part,
        batch_size=_FLAGS.batch_size,
        verify_rows=_FLAGS.verify_rows,
        beam_args=beam_args,
    )


if __name__ == "__main__":
    main()
