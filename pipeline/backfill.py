r"""Fills the caches of a catalog's projections from an exported model.

Run it after each export, each new embedding set and each new item: it computes what is missing,
of a stale tag or of a changed vector, compares a sample with the model and publishes a version.

Usual commands:

    python -m pipeline.backfill --saved_model serving/dmf/1 --items items/ --output projections/
    python -m pipeline.backfill --saved_model serving/dmf/1 --items items/ --output projections/ \
        --dry_run

Left on disk: `id_projections/` and `target_aware_projections/`, each with numbered versions and
`CURRENT`, which names the published one. `serving_signatures.client.ProjectionCache` reads them.

Other flags go to Beam: --runner (default FnApiRunner, in this process), --job_endpoint,
--parallelism and the others of the runner, as in --runner FlinkRunner --job_endpoint HOST:8099.
"""

from collections.abc import Sequence

from absl import flags

from pipeline.catalog_backfill.flags import define_flags
from pipeline.runtime import entry_point
from pipeline.tables.flags import table_options

_FLAGS = flags.FLAGS


def main() -> None:
    """The command `dmf-backfill`."""
    entry_point.run(_main, define_flags, pass_unknown_flags=True, check_flags=_check_flags)


def _check_flags(beam_args: Sequence[str]) -> None:
    from pipeline.runtime.beam_options import check_beam_flags

    entry_point.named_locations(_FLAGS.embeddings, "embeddings")
    table_options()
    check_beam_flags(beam_args)


def _main(beam_args: Sequence[str]) -> None:
    from pipeline.catalog_backfill.backfill import backfill

    backfill(
        _FLAGS.saved_model,
        _FLAGS.items,
        _FLAGS.output,
        entry_point.named_locations(_FLAGS.embeddings, "embeddings"),
        dry_run=_FLAGS.dry_run,
        recompute=_FLAGS.recompute,
        keep=_FLAGS.keep,
        rows_per_part=_FLAGS.rows_per_part,
        batch_size=_FLAGS.batch_size,
        verify_rows=_FLAGS.verify_rows,
        min_coverage=_FLAGS.min_coverage,
        beam_args=beam_args,
        tables=table_options(),
    )


if __name__ == "__main__":
    main()
