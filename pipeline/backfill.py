"""Fills the caches of a catalog's projections from an exported model.

    python -m pipeline.backfill --saved_model=serving/dmf/1 --items=items/ --output=projections/

Run it after each export, each new embedding set and each new item: it computes what is missing,
of a stale tag or of a changed vector, compares a sample with the model and publishes a version.
Flags that are not listed here go to Beam, `--runner` among them.
`serving_signatures.client.projection_cache` has the layout of the output, and reads it.
"""

from collections.abc import Mapping, Sequence

from absl import flags, logging

from features.errors import UserInputError
from features.files.local_copy import remove_local_copy
from pipeline.catalog_backfill.backfill_inputs import Catalog, ExportedModel, ItemVectors
from pipeline.catalog_backfill.backfill_job import BackfillJob
from pipeline.catalog_backfill.cache_plan import CachePlan
from pipeline.publishing import publication
from pipeline.runtime import entry_point
from pipeline.runtime.beam_options import check_beam_flags, parse_beam_options

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
    flags.DEFINE_bool("dry_run", False, "Say what there is to do, and do nothing.")
    flags.DEFINE_bool("recompute", False, "Compute every row, whatever is there.")
    flags.DEFINE_integer(
        "keep", 3, "Versions to keep, the published one among them.", lower_bound=1
    )
    flags.DEFINE_integer(
        "rows_per_part", 1 << 16, "About how many items a file has.", lower_bound=1
    )
    flags.DEFINE_integer("batch_size", 1024, "Items a call of the model.", lower_bound=1)
    flags.DEFINE_integer(
        "verify_rows", 256, "Rows to compare with the model before publishing.", lower_bound=1
    )


def backfill(
    saved_model: str,
    items: str,
    output: str,
    embeddings: Mapping[str, str] | None = None,
    *,
    dry_run: bool = False,
    recompute: bool = False,
    keep: int = 3,
    rows_per_part: int = 1 << 16,
    batch_size: int = 1024,
    verify_rows: int = 256,
    beam_args: Sequence[str] = (),
) -> dict[str, CachePlan]:
    """Fills both caches, as far as they lack anything.

    Args:
      saved_model: an exported version's folder.
      items: the catalog.
      output: folder of both caches, local or remote.
      embeddings: folder by modality; None or empty where the model holds the vectors.
      dry_run: plan only.
      recompute: take nothing of what is there.
      keep: versions to keep.
      rows_per_part: about how many items a file has.
      batch_size: items a call of the model.
      verify_rows: rows to compare with the model before publishing.
      beam_args: Beam's own flags.

    Returns:
      What was done, by cache.

    Raises:
      UserInputError: an input, an option or what is there must be changed; the caches that were
        published stay as they are.
    """
    options = parse_beam_options(beam_args)
    model = ExportedModel.open(saved_model)
    catalog = Catalog.open(items)
    vectors = ItemVectors.open(embeddings or {}, model, catalog)
    logging.info("Catalog: %d items of %s", len(catalog.item_ids), dict(catalog.counts))
    for name, count in vectors.missing(catalog.item_ids).items():
        logging.info("%d items have no embedding of modality %r.", count, name)
    job = BackfillJob(output, model, catalog, vectors)
    if dry_run:
        return job.plan(rows_per_part, recompute)
    with publication.locked(output):
        plans = job.plan(rows_per_part, recompute)
        try:
            job.compute(plans, batch_size, options)
            job.publish(plans, batch_size, verify_rows, keep)
        except UserInputError:
            # Of parts that may be wrong, a rerun takes none.
            job.forget()
            raise
        finally:
            remove_local_copy(saved_model)
    return plans


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
