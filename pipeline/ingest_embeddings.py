r"""Ingests vectors from an encoder as the next version of an embedding set.

Items that the new vectors do not have keep their vector of the version before.

Usual commands:

    python -m pipeline.ingest_embeddings --vectors new/ --output text/ --encoder my-encoder \
        --encoder_version 3
    python -m pipeline.ingest_embeddings --vectors all/ --output text/ --encoder my-encoder \
        --encoder_version 4 --replace

Left on disk: `versions/000002/`, an embedding set like any other, with `quarantine/` where rows
were left out, and `CURRENT`, which names the published version. `--embeddings text=text/` of the
other jobs reads the published version. Vectors that change nothing make no version.
"""

from collections.abc import Sequence

from absl import flags

from pipeline.embedding_sets.ingestion import ingest
from pipeline.runtime import entry_point
from pipeline.runtime.coverage_flags import define_min_coverage
from pipeline.runtime.help_text import flag_group
from pipeline.tables.flags import define_table_flags, table_options

_FLAGS = flags.FLAGS


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Inputs"):
        flags.DEFINE_multi_string(
            "vectors",
            None,
            "`FOLDER` Table with item_id, embedding and optionally available_at; folders, files "
            "or globs.",
            required=True,
        )
        flags.DEFINE_integer(
            "dimension",
            None,
            "`WIDTH` Numbers per vector. Default: as the set has, or as most rows have.",
        )
        flags.DEFINE_integer(
            "available_at",
            None,
            "`MICROSECONDS` Since 1970, for rows without available_at. Default: always available.",
        )
        flags.DEFINE_enum(
            "available_at_unit",
            "us",
            ["s", "ms", "us", "ns"],
            "Unit of integers in the column available_at; timestamps have their own.",
        )
        flags.DEFINE_float(
            "max_bad_fraction", 0.01, "`SHARE` Most rows to quarantine, from 0 to 1."
        )
    with flag_group("Tables"):
        define_table_flags()
    with flag_group("Encoder"):
        flags.DEFINE_string("encoder", None, "`NAME` Encoder that made the vectors.", required=True)
        flags.DEFINE_string(
            "encoder_version", None, "`TEXT` Version of the encoder.", required=True
        )
        flags.DEFINE_bool(
            "replace", False, "Keep nothing of the version before; needed for another encoder."
        )
        define_min_coverage("the version before's items that the new one has, with --replace")
    with flag_group("Output"):
        flags.DEFINE_string(
            "output", None, "`FOLDER` The set's versions, local or remote.", required=True
        )
        flags.DEFINE_integer(
            "keep", 3, "`COUNT` Versions to keep, with the published one.", lower_bound=1
        )


def main() -> None:
    """The command `dmf-ingest-embeddings`."""
    entry_point.run(_main, define_flags, check_flags=lambda _: table_options())


def _main(arguments: Sequence[str]) -> None:
    ingest(
        _FLAGS.vectors,
        _FLAGS.output,
        _FLAGS.encoder,
        _FLAGS.encoder_version,
        dimension=_FLAGS.dimension,
        available_at=_FLAGS.available_at,
        available_at_unit=_FLAGS.available_at_unit,
        replace=_FLAGS.replace,
        max_bad_fraction=_FLAGS.max_bad_fraction,
        keep=_FLAGS.keep,
        options=table_options(),
        min_coverage=_FLAGS.min_coverage,
    )


if __name__ == "__main__":
    main()
