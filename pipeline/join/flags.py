"""The flags of the join, and the options from them."""

import dataclasses
from typing import Any

from absl import flags

from features.errors import UserInputError
from pipeline.join.options import JoinOptions
from pipeline.runtime import entry_point

_FOLDERS_BY_NAME = ("embeddings", "label_logs")


def define_flags() -> None:
    """Defines a flag for each of `JoinOptions`."""
    text, many, list_ = flags.DEFINE_string, flags.DEFINE_multi_string, flags.DEFINE_list
    text("events", None, "Behavior log: a folder of Parquet files, or one file.", required=True)
    text("output", None, "Folder to publish.", required=True)
    many("embeddings", [], "modality=FOLDER, repeatable.")
    text("items", None, "Item side features, Parquet with item_id.")
    text("users", None, "User side features, Parquet with user_id.")
    text("histories", None, "Given behaviors: Parquet with user_id and lists, oldest first.")
    flags.DEFINE_integer("history_types", 1, "How many values type takes in --histories.")
    list_("labels", [], "Label columns; default: those that other flags define, else click.")
    many("derive_label", [], 'A label from the log, "liked = rating >= 4"; repeatable.')
    many("label_events", [], "Rows that set a label, \"click = event == 'click'\"; repeatable.")
    many("label_logs", [], "label=FOLDER of a log whose rows set the label, repeatable.")
    many("attribution_window", [], "label=SECONDS, repeatable; default 86400.")
    text("behavior_rule", "click == 1", "Which events become behaviors; all, none.")
    many("behavior_type", [], 'Behaviors that pass the k-th have type k: "rating >= 4".')
    flags.DEFINE_enum("timestamp_unit", "s", ["s", "ms", "us"], "Unit of timestamp.")
    flags.DEFINE_integer("history_length", 50, "The most behaviors of a request (L).")
    flags.DEFINE_integer("behavior_delay", 0, "Seconds until a behavior is known online.")
    text("splits", None, "train:..T1,validation:T1..T2,test:T2.. (numbers or UTC dates).")
    list_("split_fractions", None, "train,validation,test; default 0.7,0.1,0.2.")
    text("split_column", None, "A column of the log: train, validation or test.")
    flags.DEFINE_enum("split_by", "global", ["global", "user"], "One cut time, or one per user.")
    list_("context", [], "Log columns that become context features.")
    list_("item_features", None, "Columns of --items, name[:kind[:width]].")
    list_("user_features", None, "Columns of --users, name[:kind[:width]].")
    list_("candidate_embeddings", None, "Modalities whose vectors are recorded.")
    list_("statistics", [], "Labels and numeric log columns whose running sums are recorded.")
    text("negatives", None, "popularity:K or uniform:K candidates that were not shown.")
    flags.DEFINE_integer("max_candidates", 128, "Requests with more are cut.")
    flags.DEFINE_integer("partitions", 0, "0 chooses by the size of the log.")
    flags.DEFINE_float("max_bad_fraction", 0.01, "Largest share of rows to quarantine.")
    text("part", None, "Name of the part that this log adds to a data set that grows.")
    flags.DEFINE_bool("new_version", False, "Publish OUTPUT-v2 where OUTPUT was made otherwise.")
    strategies = ["auto", "broadcast", "shuffle"]
    flags.DEFINE_enum("embedding_strategy", "auto", strategies, "How vectors reach workers.")
    flags.DEFINE_integer("broadcast_limit_mib", 2048, "auto broadcasts up to this size.")


def options_from_flags() -> JoinOptions:
    """Returns the options of the flags.

    Raises:
      UserInputError: a flag's value is not valid.
    """
    values: dict[str, Any] = {
        field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(JoinOptions)
    }
    for name in _FOLDERS_BY_NAME:
        values[name] = entry_point.modality_folders(values[name], name)
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
