"""Ingests vectors from an encoder as the next version of an embedding set.

    python -m pipeline.ingest_embeddings --vectors=new/ --output=embeddings/text \
        --encoder=my-encoder --encoder_version=3

`<output>/versions/000002/` is an embedding set like any other and `<output>/CURRENT` names the
published version. `--embeddings text=<output>` of the join, the export and the backfill reads the
published version. See `pipeline.embedding_sets.ingestion`.
"""

from collections.abc import Sequence

from absl import flags

from pipeline.embedding_sets.ingestion import ingest
from pipeline.runtime import entry_point

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    flags.DEFINE_string(
        "vectors",
        None,
        "Parquet with item_id, embedding and optionally available_at (int64 microseconds): a "
        "folder or a file.",
        required=True,
    )
    flags.DEFINE_string("output", None, "Folder of the set's versions.", required=True)
    flags.DEFINE_string("encoder", None, "Name of the encoder.", required=True)
    flags.DEFINE_string("encoder_version", None, "Its version.", required=True)
    flags.DEFINE_integer(
        "dimension", None, "Width of a vector; by default the set's, or the first file's."
    )
    flags.DEFINE_integer(
        "available_at", None, "Microseconds, of rows without one; by default always."
    )
    flags.DEFINE_bool("replace", False, "Begin a new set: keep nothing of the version before.")
    flags.DEFINE_float("max_bad_fraction", 0.01, "Largest share of rows to quarantine.")
    flags.DEFINE_integer(
        "keep", 3, "Versions to keep, the published one among them.", lower_bound=1
    )


def main() -> None:
    """The command `dmf-ingest-embeddings`."""
    entry_point.run(_main, define_flags)


def _main(arguments: Sequence[str]) -> None:
    ingest(
        _FLAGS.vectors,
        _FLAGS.output,
        _FLAGS.encoder,
        _FLAGS.encoder_version,
        dimension=_FLAGS.dimension,
        available_at=_FLAGS.available_at,
        replace=_FLAGS.replace,
        max_bad_fraction=_FLAGS.max_bad_fraction,
        keep=_FLAGS.keep,
    )


if __name__ == "__main__":
    main()
