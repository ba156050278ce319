"""The manifest of a finished join, and the check that its counts add up."""

from typing import Any

import numpy as np

from features.errors import UserInputError
from features.ids import coverage, id_table
from pipeline.join.inputs.join_inputs import JoinInputs
from pipeline.join.inputs.part_state import STATE, SUMS
from pipeline.join.options import JoinOptions
from pipeline.tables.side_features import SideTable

OPTIONAL_COUNTS = (
    *("filtered", "attributed", "held", "negatives", "downsampling", "histories"),
    "contradictions",
)
"""Counts that a manifest has only where there is something to count."""


def check_counts(
    summary: dict[str, Any], sets: dict[str, Any], inputs: JoinInputs, options: JoinOptions
) -> None:
    """Checks that every row is counted once, and that not too many are bad.

    Args:
      summary: merged over the whole job.
      sets: embedding sets' entries of the manifest.
      inputs: opened; they have the number of rows.
      options: of the join.

    Raises:
      UserInputError: too many rows are bad, or nothing was written.
      RuntimeError: the counts do not add up; a fault of this program.
    """
    quarantined = sum(summary["quarantined"].values())
    dropped = sum(summary.get("dropped", {}).values())
    written, attributed = summary.get("written", 0), sum(summary.get("attributed", {}).values())
    rows, read = inputs.rows - summary.get("filtered", 0), summary["read"]
    held = summary.get("held", {"taken": 0, "left": 0})
    accounted = written + attributed + quarantined + dropped + held["left"] - held["taken"]
    if not read == accounted == rows:
        raise RuntimeError(
            f"Rows went missing: the log has {rows}, read {read}, written {written}, attributed "
            f"{attributed}, quarantined {quarantined}, dropped {dropped}, held {held}."
        )
    max_bad_fraction = options.max_bad_fraction
    bad = [("--events", quarantined, rows, summary["quarantined"])]
    histories = summary.get("histories", {}).get("quarantined", {})
    bad.append(("--histories", sum(histories.values()), inputs.histories.rows, histories))
    for name, one in sets.items():
        count = sum(one["quarantined"].values())
        bad.append((f"--embeddings {name}", count, count + one["items"], one["quarantined"]))
    for flag, count, total, reasons in bad:
        if count > max_bad_fraction * total:
            raise UserInputError(
                f"{flag}: {count} of {total} rows are bad, more than --max_bad_fraction "
                f"{max_bad_fraction}: {reasons}. Fix the rows or raise --max_bad_fraction."
            )
    # Of an empty log a part without records is what is wanted.
    if not written and not held["left"] and inputs.log.events:
        raise UserInputError(
            f"No request was written: {quarantined} rows quarantined, {dropped} dropped "
            f"({summary.get('dropped')}). Check the splits and the rows."
        )


def check_coverage(summary: dict[str, Any], sets: dict[str, Any], least: float) -> None:
    """Adds each set's share of the candidates to its entry, and refuses a share near zero.

    Args:
      summary: merged over the whole job.
      sets: embedding sets' entries of the manifest.
      least: the least share of all candidates whose item has a vector.

    Raises:
      UserInputError: names the set.
    """
    splits = summary["splits"].values()
    candidates = sum(counts["candidates"] for counts in splits)
    for name, one in sets.items():
        covered = sum(counts["with_embedding"][name] for counts in splits)
        things = "candidates are of an item with a vector"
        one["coverage"] = coverage.check(f"--embeddings {name}", covered, candidates, things, least)


def check_side_table(table: SideTable, item_ids: np.ndarray, least: float) -> None:
    """Refuses side features of other items than those of the vocabulary.

    Args:
      table: of items; empty where there is none.
      item_ids: `[N]` int64, the vocabulary's.
      least: the least share of these that have a row.

    Raises:
      UserInputError: fewer have one.
    """
    if len(table.ids):
        found = int(np.sum(id_table.positions(item_ids, table.ids) < len(table.ids)))
        things = "items of the vocabulary have a row"
        coverage.check("--items", found, len(item_ids), things, least)


def collect(summary: dict[str, Any], sets: dict[str, Any], inputs: JoinInputs) -> dict[str, Any]:
    """Returns the manifest, apart from inputs, parameters and vocabulary.

    Args:
      summary: merged over the whole job.
      sets: embedding sets' entries.
      inputs: opened.
    """
    shards = summary["shards"]
    by_split = summary["splits"]
    for name, split in by_split.items():
        own = {shard: one for shard, one in shards.items() if one["split"] == name}
        split["shards"] = sorted(own)
        split["records"] = sum(one["records"] for one in own.values())
        first = min(one["first_time"] for one in own.values())
        split["time_range"] = [first, max(one["last_time"] for one in own.values())]
    counts = {name: summary[name] for name in ("read", "written", "quarantined", "dropped")}
    counts.update({name: summary[name] for name in OPTIONAL_COUNTS if name in summary})
    return {
        "schema": inputs.schema.to_dict(),
        "schema_fingerprint": inputs.schema.fingerprint(),
        "counts": counts,
        "splits": by_split,
        "shards": shards,
        **{name: summary[name] for name in (STATE, SUMS) if name in summary},
        "embedding_sets": sets,
        **({"columns": inputs.renamed} if inputs.renamed else {}),
        "side_tables": {
            name: {"rows": len(one.ids), "rejected": one.rejected, "not_finite": one.not_finite}
            for name, one in (("items", inputs.items), ("users", inputs.users))
        },
        "similarity": {
            name: {"label_0": counts[0], "label_1": counts[1]}
            for name, counts in summary["similarity"].items()
        },
    }
