"""The last lines of a join's output: counts, what was left out, and what looks wrong."""

from typing import Any

from absl import logging

from features.files import storage
from pipeline.join.manifest_values import OPTIONAL_COUNTS
from pipeline.publishing.publication import QUARANTINE
from pipeline.runtime import left_out


def log_counts(published: dict[str, Any], output: str) -> None:
    """Logs the published counts, one line per split."""
    counts = published["counts"]
    logging.info(
        "Read %d events: %d written as candidates, %squarantined %s, dropped %s.",
        counts["read"],
        counts["written"],
        "".join(f"{name} {counts[name]}, " for name in OPTIONAL_COUNTS if name in counts),
        counts["quarantined"] or "none",
        counts["dropped"],
    )
    for name, split in published["splits"].items():
        logging.info(
            "%s: %d requests, %d candidates, positives %s, %d shards.",
            name,
            split["requests"],
            split["candidates"],
            split["positives"],
            len(split["shards"]),
        )
    logging.info("Published %s", output)


def log_left_out(published: dict[str, Any], output: str) -> None:
    """Logs rows that were left out, and labels from which nothing can be learned.

    Args:
      published: the manifest of a data set or of a part.
      output: its folder.
    """
    counts = published["counts"]
    listed = f"They are in {storage.join(output, QUARANTINE)}."
    left_out.log("--events", counts["quarantined"], counts["read"], listed)
    left_out.log("--events", counts["dropped"], counts["read"])
    filtered = counts.get("filtered", 0)
    left_out.log("--events", {"--filter": filtered}, counts["read"] + filtered)
    histories = counts.get("histories", {})
    left_out.log("--histories", histories.get("quarantined", {}), None, listed, "sequences")
    for name, one in published["side_tables"].items():
        total = one["rows"] + one["rejected"]
        reasons = {"the id is null or came before": one["rejected"]}
        left_out.log(f"--{name}", reasons, total)
        not_finite = {"NaN or infinite, so missing": one["not_finite"]}
        left_out.log(f"--{name}", not_finite, None, "", "values")
    for name, one in published["embedding_sets"].items():
        total = one["items"] + sum(one["quarantined"].values())
        left_out.log(f"--embeddings {name}", one["quarantined"], total, listed)
    for problem in _problems(published):
        logging.warning("Warning: %s", problem)


def _problems(published: dict[str, Any]) -> list[str]:
    """Returns what is wrong with the labels, a sentence or two each."""
    splits = published["splits"]
    labels = published["schema"]["labels"]
    problems = []
    candidates = sum(split["candidates"] for split in splits.values())
    for label in labels:
        positives = sum(split["positives"][label] for split in splits.values())
        of_all = positives in (0, candidates)
        for place, count, among in [
            ("all splits", positives, candidates),
            *((name, one["positives"][label], one["candidates"]) for name, one in splits.items()),
        ]:
            if among and count in (0, among) and (not of_all or place == "all splits"):
                problems.append(
                    f"label {label!r} is {int(count > 0)} for all {among:,} candidates of "
                    f"{place}: nothing can be learned from one value. Does the log hold "
                    "impressions as well as clicks? Is the rule right?"
                )
    disagreeing = published["counts"].get("contradictions", {})
    for label, count in disagreeing.items():
        problems.append(
            f"{count:,} candidates have rows with both values of {label!r}, for the same user, "
            "item and request; all rows are kept. Was the label updated by a second row? Leave "
            "the first out, or give the clicks by --label_events."
        )
    return problems
