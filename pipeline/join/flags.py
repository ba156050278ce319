"""The flags of the join, and the options from them."""

import dataclasses
from typing import Any

from absl import flags

from features.errors import UserInputError
from pipeline.join.options import JoinOptions
from pipeline.runtime import entry_point
from pipeline.runtime.coverage_flags import define_min_coverage
from pipeline.runtime.help_text import flag_group
from pipeline.tables.flags import define_table_flags


def define_flags() -> None:
    """Defines a flag for each of `JoinOptions`."""
    text, many, list_ = flags.DEFINE_string, flags.DEFINE_multi_string, flags.DEFINE_list
    with flag_group("Inputs"):
        many(
            "events",
            None,
            "`FOLDER` Behavior log with user_id, item_id, timestamp, labels: folders, files or "
            "globs.",
            required=True,
        )
        many("items", [], "`FOLDER` Side features of items, with item_id.")
        many("users", [], "`FOLDER` Side features of users, with user_id.")
        many("embeddings", [], "`MODALITY=FOLDER` Embedding set of a modality, such as text=text/.")
        flags.DEFINE_enum(
            "timestamp_unit",
            "s",
            ["s", "ms", "us", "ns"],
            "Unit of the log's timestamp if it is a number, and of numbers in --splits.",
        )
        many("histories", [], "`FOLDER` Given behaviors: user_id and lists, oldest first.")
        flags.DEFINE_integer("history_types", 1, "`COUNT` Types of behaviors in --histories.")
        flags.DEFINE_float(
            "max_bad_fraction",
            0.01,
            "`SHARE` Most rows of the log, or of an embedding set, to quarantine, from 0 to 1.",
        )
        define_min_coverage("candidates whose item has a vector, in each of --embeddings")
    with flag_group("Tables"):
        define_table_flags(has_log=True)
        flags.DEFINE_integer(
            "null_label", None, "`0|1` What a null label counts as; by default such rows are bad."
        )
    with flag_group("Labels"):
        list_(
            "labels",
            [],
            "`LABEL,...` Columns of the log that hold 0 or 1. Default: the labels that "
            "other flags define, else click.",
        )
        many(
            "derive_label",
            [],
            '`LABEL=EXPRESSION` Label computed from the log, such as "liked = rating >= 4".',
        )
        many(
            "label_events",
            [],
            '`LABEL=EXPRESSION` Rows that set a label of an earlier row: "click = event == '
            "'click'\".",
        )
        many(
            "label_logs",
            [],
            "`LABEL=FOLDER` Log of its own whose rows set the label, such as click=clicks/.",
        )
        many(
            "attribution_window",
            [],
            "`LABEL=SECONDS` Time after an impression in which such a row counts. Default: "
            "86400 seconds.",
        )
        text(
            "negatives",
            None,
            "`RULE:K` Adds K candidates that were not shown per event: popularity:4 or uniform:4.",
        )
        text(
            "weight_column",
            None,
            "`COLUMN` Numeric column of the log: each candidate's weight in the loss, 0 or more.",
        )
        text(
            "position_column",
            None,
            "`COLUMN` Numeric column of the log: where each candidate was shown, from 0. Training "
            "alone reads it.",
        )
        text(
            "downsample_negatives",
            None,
            "`LABEL=SHARE` Keeps this share of the label's negatives in train: click=0.1. Models "
            "correct for it.",
        )
    with flag_group("Behaviors"):
        text(
            "behavior_rule",
            "click == 1",
            "`EXPRESSION` Events that become behaviors; all for every event, none for no event.",
        )
        many(
            "behavior_type",
            [],
            '`EXPRESSION` Type k of behaviors that pass the k-th, such as "rating >= 4"; '
            "the last wins.",
        )
        flags.DEFINE_integer(
            "history_length", 50, "`L` Most behaviors of a request; the newest are kept."
        )
        flags.DEFINE_integer(
            "behavior_delay",
            0,
            "`SECONDS` Time until a behavior is known online; younger ones are not used.",
        )
    with flag_group("Splits (one way; by default --split_fractions)"):
        text(
            "splits",
            None,
            "`NAME:FROM..TO,...` Time ranges such as train:..2026-05-01,test:2026-05-01.., "
            "UTC dates or numbers.",
        )
        list_(
            "split_fractions",
            None,
            "`TRAIN,VALIDATION,TEST` Shares of the rows in order of time; they add up to "
            "1. Default: 0.7,0.1,0.2.",
        )
        text(
            "split_column",
            None,
            "`COLUMN` Column of the log that names each row's split: train, validation or test.",
        )
        flags.DEFINE_enum(
            "split_by",
            "global",
            ["global", "user"],
            "Fractions of all rows by time, or of the rows of each user.",
        )
    with flag_group("Features"):
        list_(
            "context",
            [],
            "`COLUMN[:KIND],...` Columns of the log as context features, such as "
            "device,price:numeric.",
        )
        list_(
            "item_features",
            None,
            "`COLUMN[:KIND[:WIDTH]],...` Columns of --items, such as "
            "brand,tags:categorical:8. Default: all that fit.",
        )
        list_(
            "user_features",
            None,
            "`COLUMN[:KIND[:WIDTH]],...` Columns of --users, likewise. Default: all that fit.",
        )
        list_(
            "candidate_embeddings",
            None,
            "`MODALITY,...` Modalities whose quantized candidate vectors are recorded. "
            "Default: all.",
        )
        list_(
            "statistics",
            [],
            "`COLUMN,...` Labels and numeric columns whose running sums by user and item "
            "are recorded.",
        )
        flags.DEFINE_integer(
            "max_candidates",
            128,
            "`C` Most candidates of a record; a larger request becomes several records.",
        )
    with flag_group("Output"):
        text("output", None, "`FOLDER` Data set to publish, local or remote.", required=True)
        text(
            "part",
            None,
            "`NAME` Part that this log adds to --output, such as 2026-05-02; needs --splits.",
        )
        flags.DEFINE_bool(
            "wait_for_labels",
            False,
            "Leave requests whose attribution windows are open at the end of --part to the next "
            "part.",
        )
        flags.DEFINE_enum(
            "compression",
            "none",
            ["none", "gzip"],
            "Compression of the shards: gzip takes less disk and more time. Jobs that read them "
            "need no flag.",
        )
        flags.DEFINE_bool(
            "new_version",
            False,
            "Publish OUTPUT-v2 where OUTPUT was made with other flags or inputs.",
        )
    with flag_group("Scale"):
        flags.DEFINE_integer(
            "partitions",
            0,
            "`COUNT` Partitions of the users; 0 chooses by the log's size.",
        )
        flags.DEFINE_enum(
            "embedding_strategy",
            "auto",
            ["auto", "broadcast", "shuffle"],
            "How vectors reach the workers; auto decides by size. The records are the same.",
        )
        flags.DEFINE_integer(
            "broadcast_limit_mib",
            2048,
            "`MIB` Size of quantized embedding sets up to which auto broadcasts them.",
        )


def options_from_flags() -> JoinOptions:
    """Returns the options of the flags.

    Raises:
      UserInputError: a flag's value is not valid.
    """
    values: dict[str, Any] = {
        field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(JoinOptions)
    }
    values["embeddings"] = entry_point.named_locations(values["embeddings"], "embeddings")
    values["label_logs"] = entry_point.named_locations(values["label_logs"], "label_logs")
    values["attribution_window"] = _seconds(values["attribution_window"])
    return JoinOptions.from_dict(values)


def _seconds(texts: list[str]) -> dict[str, int]:
    windows = {}
    for text in texts:
        label, _, seconds = text.partition("=")
        if not seconds.isdigit() or label in windows:
            raise UserInputError(
                f"--attribution_window {text!r} must be label=SECONDS, each label once, for "
                "instance click=1800."
            )
        windows[label] = int(seconds)
    return windows
