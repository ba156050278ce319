"""The flags of `pipeline.backfill`."""

from absl import flags

from pipeline.runtime.coverage_flags import define_min_coverage
from pipeline.runtime.help_text import flag_group
from pipeline.tables.flags import define_table_flags


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Inputs"):
        flags.DEFINE_string(
            "saved_model",
            None,
            "`FOLDER` One version that pipeline.export wrote, such as serving/dmf/1.",
            required=True,
        )
        flags.DEFINE_multi_string(
            "items",
            None,
            "`FOLDER` Catalog: a table with item_id; folders, files or globs.",
            required=True,
        )
        flags.DEFINE_multi_string(
            "embeddings",
            [],
            "`MODALITY=FOLDER` Embedding set that is not inside the model, such as text=text/.",
        )
        define_min_coverage(
            "catalog items with a vector, by modality, and in the model's vocabulary"
        )
    with flag_group("Tables"):
        define_table_flags()
    with flag_group("What is computed"):
        flags.DEFINE_bool("dry_run", False, "Log what would be computed, and do nothing.")
        flags.DEFINE_bool("recompute", False, "Compute every row, also what is published already.")
        flags.DEFINE_integer(
            "verify_rows",
            256,
            "`ROWS` Sample that is compared with the model before publishing.",
            lower_bound=1,
        )
    with flag_group("Output"):
        flags.DEFINE_string("output", None, "`FOLDER` Both caches, local or remote.", required=True)
        flags.DEFINE_integer(
            "keep", 3, "`COUNT` Versions to keep, with the published one.", lower_bound=1
        )
    with flag_group("Scale"):
        flags.DEFINE_integer(
            "rows_per_part", 1 << 16, "`ROWS` About how many items a file has.", lower_bound=1
        )
        flags.DEFINE_integer(
            "batch_size", 1024, "`ITEMS` Items per call of the model.", lower_bound=1
        )
