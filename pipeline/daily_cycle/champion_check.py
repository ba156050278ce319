"""The version that serves, scored on a part that it has not seen: does the part fit what it knows?

Statistics do not show everything. Labels that are wrong for one category change no distribution by
much, and a model that trains on them is as good as before on records that are as wrong. The version
that serves knows better: there, its predictions are far from what is observed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from features.schema import CANDIDATE_MASK, candidate_feature, context_feature
from models.inputs import input_pipeline
from models.inputs.example_set import ExampleSet
from pipeline.daily_cycle.champion_limits import ChampionLimits
from pipeline.version_gate import comparison, held_out
from pipeline.version_gate.comparison import HeldOut, Scope
from serving_signatures.versions.loaded_version import LoadedVersion

_EVERYONE = 1 << 40
_VALUES = 20
"""The most frequent values of a categorical feature, each a slice."""

_BY_COLDNESS = "item_train_count"
"""Not judged: a new item's rate is what the version cannot know."""

_NO_COUNTS = np.zeros(0, np.int64), np.zeros(0, np.int64)


def measure(
    version: LoadedVersion, examples: ExampleSet, split: str, resamples: int
) -> list[Scope]:
    """Scores a split, and returns the figures of each label overall and by slice.

    Args:
      version: the one that serves.
      examples: the part.
      split: of it.
      resamples: draws of the bootstrap.

    Raises:
      UserInputError: the records are not of the version's schema.
      UnscorableError: the version refuses the records.
    """
    scored = held_out.score([version], examples, split, _NO_COUNTS, _EVERYONE)
    slices = {name: one for name, one in scored.slices.items() if name != _BY_COLDNESS}
    size = held_out.batch_candidates([version])
    slices |= _value_slices(examples, split, size)
    return comparison.compare(
        HeldOut(scored.user_id, scored.tasks, slices, scored.stands_for), resamples
    )


def reasons(
    scopes: Sequence[Scope], usual_auc: Mapping[str, float], limits: ChampionLimits
) -> list[str]:
    """Returns in sentences what speaks against the part, nothing if nothing does.

    Args:
      scopes: what `measure` returned.
      usual_auc: of the version by label, where it is known.
      limits: what is allowed.
    """
    return [f"{scope.title}: {one}." for scope in scopes for one in _of(scope, usual_auc, limits)]


def _of(scope: Scope, usual_auc: Mapping[str, float], limits: ChampionLimits) -> Iterator[str]:
    auc, calibration = scope.figures["auc"], scope.figures["calibration"]
    usual = usual_auc.get(scope.task)
    if not scope.slicing and usual is not None and auc.challenger_interval is not None:
        low, high = auc.challenger_interval
        if high < usual - limits.auc_fall:
            yield (
                f"AUC is {auc.challenger:.4f} (95% interval {low:.4f} to {high:.4f}), was "
                f"{usual:.4f} at the gate; it may fall by {limits.auc_fall:g} (auc_fall)"
            )
    name = "slice_calibration_band" if scope.slicing else "calibration_band"
    if not _judges(scope, limits):
        return
    if not scope.positives:
        yield f"no candidate is positive, where {scope.expected:,.0f} are expected ({name})"
    if calibration.challenger_interval is None:
        return
    band = getattr(limits, name)
    low, high = calibration.challenger_interval
    if low > band or high < 1 / band:
        yield (
            f"predicted over observed positives is {calibration.challenger:.3f} (95% interval "
            f"{low:.3f} to {high:.3f}), expected {1 / band:.3g} to {band:.3g} ({name})"
        )


def _judges(scope: Scope, limits: ChampionLimits) -> bool:
    if not scope.slicing:
        return True
    enough = max(scope.expected, scope.positives) >= limits.min_slice_expected
    return enough and scope.users >= limits.min_slice_users


def _value_slices(examples: ExampleSet, split: str, size: int) -> dict[str, dict[str, np.ndarray]]:
    """Returns which candidates have each frequent value of a categorical feature, `[N]` bool."""
    schema = examples.schema
    features = {
        **{one.name: candidate_feature(one.name) for one in schema.item_features if _is_value(one)},
        **{
            one.name: context_feature(one.name) for one in schema.context_features if _is_value(one)
        },
    }
    columns: dict[str, list[np.ndarray]] = {name: [] for name in features}
    if not features:
        return {}
    for batch in input_pipeline.evaluation_batches(examples, split, size).as_numpy_iterator():
        mask = batch[CANDIDATE_MASK]
        for name, feature in features.items():
            values = batch[feature][..., 0]
            values = values if values.ndim == 2 else values[:, None]
            columns[name].append(np.broadcast_to(values, mask.shape)[mask])
    return {name: _by_value(np.concatenate(parts)) for name, parts in columns.items()}


def _by_value(values: np.ndarray) -> dict[str, np.ndarray]:
    distinct, counts = np.unique(values, return_counts=True)
    frequent = distinct[np.argsort(-counts, kind="stable")[:_VALUES]]
    return {str(value): values == value for value in np.sort(frequent)}


def _is_value(feature: Any) -> bool:
    return feature.kind == "categorical" and feature.width == 1
