"""The flags of `pipeline.inspect_data`."""

from absl import flags

from pipeline.runtime.help_text import flag_group
from pipeline.statistics.options import MEMORY_LIMIT


def define_flags() -> None:
    """Defines the job's flags."""
    with flag_group("Inputs (one or more)"):
        flags.DEFINE_string(
            "events",
            None,
            "`FOLDER` Behavior log: Parquet with user_id, item_id, timestamp, labels; or one file.",
        )
        flags.DEFINE_multi_string(
            "embeddings", [], "`MODALITY=FOLDER` Embedding set of a modality, such as text=text/."
        )
        flags.DEFINE_string("examples", None, "`FOLDER` Examples that the join wrote.")
        flags.DEFINE_enum("timestamp_unit", "s", ["s", "ms", "us"], "Unit of the log's timestamp.")
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
