"""The flags of `pipeline.inspect_data`."""

from absl import flags

from features.tables import times
from pipeline.runtime.help_text import flag_group
from pipeline.statistics.options import MEMORY_LIMIT
from pipeline.tables.flags import define_table_flags


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Inputs (one or more)"):
        flags.DEFINE_multi_string(
            "events",
            [],
            "`FOLDER` Behavior log with user_id, item_id, timestamp, labels: folders, files or "
            "globs.",
        )
        flags.DEFINE_multi_string(
            "embeddings", [], "`MODALITY=FOLDER` Embedding set of a modality, such as text=text/."
        )
        flags.DEFINE_string("examples", None, "`FOLDER` Examples that the join wrote.")
        flags.DEFINE_enum(
            "timestamp_unit",
            "s",
            list(times.PER_SECOND),
            "Unit of the log's timestamp if it is a number.",
        )
    with flag_group("Tables"):
        define_table_flags(has_log=True)
    with flag_group("Labels of the log"):
        flags.DEFINE_list(
            "labels",
            None,
            "`LABEL,...` Columns of the log that hold 0 or 1; empty for a log without labels. "
            "Default: those of --derive_label, else click.",
        )
        flags.DEFINE_multi_string(
            "derive_label",
            [],
            '`LABEL=EXPRESSION` Label computed from the log, such as "liked = rating >= 4".',
        )
        flags.DEFINE_integer(
            "null_label", None, "`0|1` What a null label counts as; by default it is unknown."
        )
    with flag_group("Checks and drift"):
        flags.DEFINE_multi_string(
            "limit", [], "`NAME=SHARE` Limit of a check, such as max_user_share=0.2."
        )
        flags.DEFINE_string(
            "baseline",
            None,
            "`FOLDER` Earlier output to compare with: of this job, of a run or of the join.",
        )
        flags.DEFINE_multi_string(
            "max_drift",
            [],
            "`NAME=VALUE` Threshold of a change, such as label_rate=0.02, or label_rate=none.",
        )
        flags.DEFINE_string(
            "thresholds",
            None,
            "`FILE` JSON of thresholds by name, null for none; --max_drift overrides it.",
        )
    with flag_group("Output"):
        flags.DEFINE_string("output", None, "`FOLDER` Statistics and report, local.", required=True)
    with flag_group("Scale"):
        flags.DEFINE_string(
            "memory_limit",
            MEMORY_LIMIT,
            "`SIZE` Memory that DuckDB may use before it spills to disk.",
        )
