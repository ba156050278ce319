"""What the figures of an ablation say, in sentences."""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report import formats

_IDS_ALONE = "id_only"
_OF_SEEDS = 0.002
"""A difference that two seeds of one model can have (docs/benchmarks.md)."""
_FEW_KNOWN = 0.02
_LEAST_SLICE = 500
_METRICS = (("gauc", "GAUC"), ("auc", "AUC"))
_PATHS = {
    "content": "all content",
    "similarity": "all similarity",
    "attention": "content in the attention",
    "histogram": "tiers, kernel and product of similarity",
    "candidate_content": "the candidate's own embedding",
    "item_ids": "item ids",
}
_PARTS = ("attention", "histogram", "candidate_content")
"""Paths of which content is the sum."""


def of(figures: Mapping[str, Any], latencies: Mapping[str, float]) -> Iterator[str]:
    """Yields what the figures of `advice.measure` say, the most important first.

    Args:
      figures: without `findings`.
      latencies: of one request, by name of the model.
    """
    others, model = figures["others"], formats.model_name(figures["model"])
    baselines = figures["baselines"]
    reasons = {name: _unusable(name, one) for name, one in figures["content"].items()}
    unusable = bool(reasons) and all(reasons.values())
    if unusable:
        yield (
            f"This log has no usable content: {'; '.join(filter(None, reasons.values()))}. Give "
            "other embeddings, or train model.name=id_only."
        )
    for name in baselines:
        yield from _against(model, name, others[name], figures["model"], latencies, not unusable)
        if unusable and name == _IDS_ALONE and _verdict(others[name]) > 0:
            yield (
                "What it gains is not what content means: every vector is similar to itself, so "
                "similarity shows that a candidate is among the behaviors."
            )
    parts = [name for name in _PARTS if name in others and _verdict(others[name]) > 0]
    if parts and not unusable:
        most = max(parts, key=lambda name: _loss(others[name]))
        yield f"Of its content, {model} uses {_PATHS[most]} most."
    if _IDS_ALONE not in baselines and reasons and not unusable:
        content = others.get("content")
        if content is None or _verdict(content) <= 0:
            yield (
                f"{model} does as well without its content: ID-only would do. Train "
                "model.name=id_only and compare."
            )
    for name in _PATHS:
        if name in others:
            yield f"Without {_PATHS[name]}, {_effect(model, others[name])}."
    compared = _IDS_ALONE if _IDS_ALONE in baselines else "content"
    if compared in others and _verdict(others[compared]) > 0 and not unusable:
        yield from _for_whom(figures["slices"], compared)
    if not unusable:
        yield from (f"One modality could go: {one}." for one in reasons.values() if one)


def _unusable(modality: str, values: Mapping[str, Any]) -> str | None:
    """Returns why a modality can say nothing about a log; None where it can."""
    pairs, known = values.get("pairs"), values.get("known")
    if pairs and known / pairs < _FEW_KNOWN:
        return (
            f"{modality} similarity is known for {formats.percent(known / pairs)} of the pairs of "
            "candidate and behavior"
        )
    if values.get("distinct") == 1:
        return f"all {modality} similarities are the same, the vectors do not tell items apart"
    if "cosine" in values and values["cosine"] <= values["shuffled_most"]:
        return (
            f"{modality} vectors could as well be shuffled between the items, because positive "
            "candidates are no more similar to the user's other behaviors (mean cosine "
            f"{formats.fixed(values['cosine'], 3)}; shuffled {formats.fixed(values['shuffled'], 3)}"
            f", 99% below {formats.fixed(values['shuffled_most'], 3)})"
        )
    return None


def _against(
    model: str,
    name: str,
    one: Mapping[str, Any],
    key: str,
    latencies: Mapping[str, float],
    usable: bool,
) -> Iterator[str]:
    """Yields whether the model is worth more than another one."""
    other, verdict = formats.model_name(name), _verdict(one)
    gains = _differences(one, verdict)
    largest = max((abs(one[f"{metric}_loss"] or 0) for metric, _ in _METRICS), default=0)
    if verdict > 0:
        yield (
            f"Content adds to ids: {model} is ahead of {other} by {gains}."
            if name == _IDS_ALONE and usable
            else f"{model} is ahead of {other} by {gains}."
        )
        if largest < _OF_SEEDS:
            yield "That is little: another seed of the training can change as much."
        return
    if verdict < 0:
        text = f"{model} is behind {other} by {gains}. Take {other}"
    elif name == _IDS_ALONE:
        text = (
            f"ID-only would do. Content adds nothing measurable: {gains}. Train model.name={name}"
        )
    else:
        text = f"{model} and {other} are not measurably different: {gains}"
    if name in latencies and latencies.get(key):
        text += f"; {other} is served in {formats.fixed(latencies[name] / latencies[key], 2)} of "
        text += "the time"
    yield f"{text}."


def _for_whom(slices: Mapping[str, Any], compared: str) -> Iterator[str]:
    for by, text in (
        ("item_train_count", "items that train shows {} times"),
        ("history_length", "histories of {} behaviors"),
    ):
        found = [
            one
            for one in slices[by]
            if one["candidates"] >= _LEAST_SLICE
            and formats.number(one, "others", compared, "auc_loss") is not None
        ]
        if len(found) < 2:
            continue
        found.sort(key=lambda one: one["others"][compared]["auc_loss"])
        told = []
        for one in (found[-1], found[0]):
            figures = one["others"][compared]
            told.append(
                f"{text.format(one['slice'])} (AUC {formats.signed(figures['auc_loss'])}, 95% "
                f"{_range(figures['auc_loss_interval'])}, {one['candidates']:,} candidates)"
            )
        yield f"Content does most for {told[0]}, least for {told[1]}."


def _verdict(one: Mapping[str, Any]) -> int:
    """Returns whether the model is measurably better than the other (1), worse (-1) or neither."""
    intervals = [one[f"{metric}_loss_interval"] for metric, _ in _METRICS]
    better = any(pair is not None and pair[0] > 0 for pair in intervals)
    worse = any(pair is not None and pair[1] < 0 for pair in intervals)
    return int(better) - int(worse)


def _loss(one: Mapping[str, Any]) -> float:
    """Returns the loss of GAUC, or of AUC where that is not defined."""
    losses = [one[f"{metric}_loss"] for metric, _ in _METRICS]
    return next((loss for loss in losses if loss is not None), 0.0)


def _effect(model: str, one: Mapping[str, Any]) -> str:
    verdict = _verdict(one)
    differences = _differences(one, verdict)
    if verdict > 0:
        return f"{model} loses {differences}"
    if verdict < 0:
        return f"{model} is better by {differences}"
    return f"{model} loses nothing measurable: {differences}"


def _differences(one: Mapping[str, Any], verdict: int) -> str:
    """Returns how far two models are apart: a lead, or where `verdict` is negative, a lag."""
    parts = []
    for metric, title in _METRICS:
        if (loss := one[f"{metric}_loss"]) is None:
            continue
        low, high = one[f"{metric}_loss_interval"]
        if verdict < 0:
            loss, low, high = -loss, -high, -low
        parts.append(
            f"{formats.signed(loss).removeprefix('+')} {title} (95% {_range((low, high))})"
        )
    return " and ".join(parts) or "no figure that is defined"


def _range(pair: tuple[float, float]) -> str:
    return " to ".join(formats.signed(one).removeprefix("+") for one in pair)
