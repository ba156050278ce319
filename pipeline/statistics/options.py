"""Limits of the checks and thresholds of drift, as a user sets them."""

from typing import Annotated, Any

from pydantic import AliasChoices, Field
from pydantic.dataclasses import dataclass

from features.schema import STRICT

Share = Annotated[float, Field(ge=0, le=1)]
Ratio = Annotated[float, Field(ge=1)]
Changes = Annotated[int, Field(ge=0)]

MEMORY_LIMIT = "1GB"
"""What DuckDB may hold before it spills to its folder, by default."""


def _renamed(default: float, *names: str) -> Any:
    """Returns a field that the current name sets, and so does the name of earlier versions."""
    return Field(default=default, validation_alias=AliasChoices(*names))


@dataclass(frozen=True, config=STRICT)
class CheckLimits:
    """Limits of the checks that need no baseline. All are shares of rows, between 0 and 1.

    `--limit` and `checks` of a run's configuration also accept the names of earlier versions.

    Attributes:
      max_bad_fraction: null or empty ids, timestamps out of range, labels that are neither 0 nor 1,
        rejected embeddings; more is an error, as it is for the join (`--max_bad_fraction`), fewer
        a warning.
      max_missing_share: nulls in any other column; more is a warning.
      max_user_share: events of one user; more is a warning: a robot, or a default id.
      max_item_share: events of one item; more is a warning.
      max_duplicate_share: events that repeat another; more is a warning.
      coverage: events, or candidates, whose item has an embedding; fewer is a warning.
      least_coverage: the same; fewer is an error: the ids are not those of the log.
      max_same_vector_share: items that share one vector; more is a warning: a placeholder.
      max_cold_share: requests without a behavior, in the train split; more is a warning.
    """

    max_bad_fraction: Share = _renamed(0.01, "max_bad_fraction", "bad")
    max_missing_share: Share = _renamed(0.5, "max_missing_share", "missing")
    max_user_share: Share = _renamed(0.1, "max_user_share", "user")
    max_item_share: Share = _renamed(0.3, "max_item_share", "item")
    max_duplicate_share: Share = _renamed(0.05, "max_duplicate_share", "duplicates")
    coverage: Share = 0.5
    least_coverage: Share = 0.05
    max_same_vector_share: Share = _renamed(0.2, "max_same_vector_share", "same_vector")
    max_cold_share: Share = _renamed(0.9, "max_cold_share", "cold")


@dataclass(frozen=True, config=STRICT)
class DriftThresholds:
    """The largest change from a baseline that does not stop a run; None measures nothing.

    Distances are Jensen-Shannon distances to base 2: 0 for equal distributions, 1 for
    distributions that have nothing in common. They grow with noise: a hundred rows drawn twice
    are about .1 apart.

    Attributes:
      label_rate: absolute change of a label's share of positives.
      missing_rate: absolute change of a column's share of nulls.
      bad_rate: absolute change of the share of quarantined events or rejected embeddings.
      coverage: absolute change of the share of events, or candidates, with an embedding.
      value_distance: of a column's values (numbers by histogram), or of embeddings' norms. Ids
        and timestamps are left out: they are expected to be new.
      activity_distance: of the events by how many their user, or their item, has.
      similarity_distance: of the known similarity codes of a modality and label.
      history_distance: of a split's history lengths.
      request_distance: of a split's candidates per request.
      rows_ratio: rows, the larger over the smaller number.
      schema_changes: columns, labels and modalities that were added, removed, or changed type or
        width.
    """

    label_rate: Share | None = 0.05
    missing_rate: Share | None = 0.05
    bad_rate: Share | None = 0.01
    coverage: Share | None = 0.05
    value_distance: Share | None = 0.2
    activity_distance: Share | None = 0.25
    similarity_distance: Share | None = 0.15
    history_distance: Share | None = 0.25
    request_distance: Share | None = 0.25
    rows_ratio: Ratio | None = 3.0
    schema_changes: Changes | None = 0


@dataclass(frozen=True, config=STRICT)
class DriftConfig:
    """The baseline of a run's data, and the allowed change.

    Attributes:
      baseline: a folder of `pipeline.inspect_data` or of a run, its `statistics.json`, or a
        folder of joined examples; None compares with nothing.
      thresholds: beyond which the run stops.
    """

    baseline: str | None = None
    thresholds: DriftThresholds = Field(default_factory=DriftThresholds)
