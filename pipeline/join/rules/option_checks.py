"""What options of the join go together; each function raises `ValueError` for what does not."""

from collections.abc import Collection, Sequence

from features.schema import Downsampling

TRAIN = "train"
"""The split that a model is trained on, and the only one of which negatives are left out."""


def check_labels(
    defined: Sequence[str],
    attributed: Sequence[str],
    labels: Sequence[str],
    windows: Collection[str],
) -> None:
    """Checks the labels.

    Args:
      defined: labels that `derive_label`, `label_events` and `label_logs` define.
      attributed: those that events of their own set.
      labels: of the records.
      windows: labels that have an attribution window.
    """
    twice = sorted({name for name in defined if list(defined).count(name) > 1})
    if twice:
        raise ValueError(
            f"{twice} are defined twice among derive_label, label_events and label_logs."
        )
    if unknown := set(windows) - set(attributed):
        raise ValueError(
            f"attribution_window names {sorted(unknown)}, but label_events and label_logs "
            f"have {sorted(attributed)}."
        )
    if missing := set(attributed) - set(labels):
        raise ValueError(
            f"labels lacks {sorted(missing)}, which label_events or label_logs define. "
            f"It is {list(labels)}."
        )


def check_downsampling(
    rule: Downsampling, labels: Sequence[str], negatives: str | None, split_names: Sequence[str]
) -> None:
    """Checks that negatives can be left out of the train split.

    Args:
      rule: which.
      labels: of the records.
      negatives: the rule by which others are drawn; None for none.
      split_names: of the data set.
    """
    if rule.label not in labels:
        raise ValueError(
            f"downsample_negatives names {rule.label!r}, but the labels are {list(labels)}."
        )
    if negatives is not None:
        raise ValueError(
            "downsample_negatives and negatives do not go together: probabilities of a log "
            f"with drawn negatives mean nothing. Draw fewer than {negatives}."
        )
    if TRAIN not in split_names:
        raise ValueError(
            f"downsample_negatives leaves candidates out of the split {TRAIN!r}, but splits "
            f"has {list(split_names)}."
        )


def check_splits(given: Sequence[str], split_by: str, fractions: Sequence[float]) -> None:
    """Checks that there is one way to split.

    Args:
      given: which of `splits`, `split_fractions` and `split_column` are given.
      split_by: `global` or `user`.
      fractions: of the rows, with the default filled in.
    """
    if len(given) > 1:
        raise ValueError(f"give {given[0]} or {given[1]}, not both.")
    if split_by == "user" and given and list(given) != ["split_fractions"]:
        raise ValueError(f"split_by user takes split_fractions, not {given[0]}.")
    if abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"split_fractions must add up to 1, received {tuple(fractions)}.")


def check_part(has_splits: bool, new_version: bool, has_histories: bool) -> None:
    """Checks that a log can become a part of a data set that grows.

    Args:
      has_splits: whether the splits are explicit ranges.
      new_version: whether another output is published beside an existing one.
      has_histories: whether sequences are given.
    """
    if not has_splits:
        raise ValueError(
            "part takes splits (for instance splits=train:..2026-06-01,test:2026-06-01..): "
            "fractions of a log that grows would move with every part."
        )
    if new_version:
        raise ValueError("part and new_version do not go together: begin another output.")
    if has_histories:
        raise ValueError("part and histories do not go together: parts carry their own.")


def check_waiting(part: str | None, attributed: Sequence[str]) -> None:
    """Checks that requests can wait for their labels.

    Args:
      part: the part's name; None without parts.
      attributed: labels that events of their own set.
    """
    if part is None:
        raise ValueError(
            "wait_for_labels leaves requests to the next part: give part, or leave it out."
        )
    if not attributed:
        raise ValueError(
            "wait_for_labels waits for the events of label_events or label_logs, and there are "
            "none: labels in columns of the log are complete. Leave it out."
        )
