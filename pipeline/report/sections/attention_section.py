"""What the attention learned of similarity: its bias by bucket and type, and where it goes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from features.embeddings import similarity
from pipeline.report import formats, svg
from pipeline.report.blocks import Drawing, Figure, Key, Section
from pipeline.report.sections import similarity_section

_BACKDROP = 0.3
"""Height of the backdrop's largest bar, as a share of the axis."""


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns figures with one drawing per modality, or None where nothing is known."""
    question = "Which behaviors has the model learned to look at?"
    figures = [_bias_figure(data), _type_figure(data), _mass_figure(data)]
    return Section.of("attention", "Attention", question, figures)


def _bias_figure(data: Mapping[str, Any]) -> Figure | None:
    """Returns the bias by bucket, one line per head."""
    drawings, heads, counted = [], 1, False
    for name, bounds, one in _modalities(data, "bucket_effect"):
        bias = _array(one.get("bias"), len(bounds))
        if bias is None or bias.ndim > 2:
            continue
        bias = bias.reshape(len(bounds), -1).T
        pairs = _pair_shares(data, name, bounds)
        used = np.ones(len(bounds) - 1, bool) if pairs is None else pairs > 0
        drawings.append(_lines(name, "head", bounds, bias, used, pairs))
        heads, counted = max(heads, len(bias)), counted or pairs is not None
    names = [f"head {head + 1}" for head in range(heads)] if heads > 1 else ["known similarity"]
    legend = [Key(svg.series_color(head), name, "line") for head, name in enumerate(names)]
    legend.append(Key("", "unknown similarity", "rule"))
    if counted:
        legend.append(Key("backdrop", "share of training pairs, not to scale"))
    caption = (
        "What the model adds to a behavior's score by its similarity to the candidate: the higher, "
        "the more attention."
    )
    return Figure.of("Attention bias by similarity bucket", caption, drawings, legend)


def _type_figure(data: Mapping[str, Any]) -> Figure | None:
    """Returns the bias by bucket, one line per behavior type; None with a single type."""
    drawings, types = [], 0
    for name, bounds, one in _modalities(data, "bucket_effect"):
        bias = _by_type(one.get("bias_by_type"), len(bounds))
        if bias is None or len(bias) < 2:
            continue
        drawings.append(_lines(name, "type", bounds, bias, (bias[:, 1:] != 0).any(axis=0)))
        types = max(types, len(bias))
    legend = [Key(svg.series_color(kind), f"type {kind}", "line") for kind in range(types)]
    return Figure.of("Attention bias by similarity bucket and behavior type", "", drawings, legend)


def _mass_figure(data: Mapping[str, Any]) -> Figure | None:
    """Returns the share of attention beside the share of behaviors."""
    drawings = []
    for name, bounds, one in _modalities(data, "attention_mass"):
        mass, behaviors = (_by_type(one.get(key), len(bounds)) for key in ("mass", "behaviors"))
        if mass is None or behaviors is None or mass.shape != behaviors.shape or not mass.sum():
            continue
        panel = _bars(bounds, np.stack([mass.sum(axis=0), behaviors.sum(axis=0)]))
        unknown = formats.percent(float(mass[:, 0].sum()), 1)
        title = f"{name.capitalize()}; {unknown} of attention on unknown similarity"
        drawings.append(panel.drawing(title, f"Attention by cosine: {title}"))
    legend = [Key("s1", "share of attention"), Key("backdrop", "share of behaviors")]
    caption = "A blue bar above its gray bar: more attention than an even spread would give."
    title = f"Attention by similarity, {data.get('split') or 'test'} requests"
    return Figure.of(title, caption, drawings, legend)


def _modalities(
    data: Mapping[str, Any], key: str
) -> list[tuple[str, list[float], Mapping[str, Any]]]:
    """Returns name, bounds of the B known buckets (-1, inner edges, 1) and values of each."""
    found = []
    for name, one in formats.mappings(data, key).items():
        edges = [edge for edge in one.get("edges") or [] if formats.number(edge) is not None]
        found.append((name, [-1.0, *edges, 1.0], one))
    return found


def _array(values: Any, rows: int) -> np.ndarray | None:
    """Returns finite numbers as `[rows, ...]`, None where the values are something else."""
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        return None
    fits = array.ndim > 0 and len(array) == rows and bool(np.isfinite(array).all())
    return array if fits else None


def _by_type(values: Any, buckets: int) -> np.ndarray | None:
    """Returns `[types, buckets]`, the mean over heads where there are heads."""
    array = _array(values, len(values) if isinstance(values, list) else 0)
    if array is None:
        return None
    array = array.mean(axis=2) if array.ndim == 3 else array
    return array if array.ndim == 2 and array.shape[1] == buckets else None


def _pair_shares(data: Mapping[str, Any], name: str, bounds: Sequence[float]) -> np.ndarray | None:
    """Returns the `[B]` share of training pairs per known bucket, None where uncounted."""
    codes = similarity_section.pairs_by_code(data, name)
    if codes is None:
        return None
    bucket = similarity.bucket_of_code(bounds[1:-1])
    pairs = np.bincount(bucket, codes.sum(axis=0), minlength=len(bounds))[1:]
    return pairs / pairs.sum() if pairs.sum() else None


def _shown(used: np.ndarray) -> slice:
    """Returns the known buckets from the first to the last used one; all where none is."""
    at = np.flatnonzero(used)
    return slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, len(used))


def _lines(
    name: str,
    series: str,
    bounds: Sequence[float],
    bias: np.ndarray,
    used: np.ndarray,
    pairs: np.ndarray | None = None,
) -> Drawing:
    """Draws one line of steps per series over the `[B]` `used` buckets, before the `[B]` `pairs`.

    `bounds` are `[B + 1]`; `bias` is `[S, B + 1]`, of which the first column is the unknown bucket,
    drawn as one rule per head.
    """
    unknown = series == "head"
    shown = _shown(used)
    edges = bounds[shown.start : shown.stop + 1]
    known = bias[:, 1:]
    values = bias if unknown else known[:, shown]
    low, high = svg.padded([0, *values.ravel().tolist()], 0.1, 0.01)
    panel = svg.Panel((edges[0], edges[-1]), (low, high), x_label="cosine", left=56)
    if pairs is not None:
        scale = _BACKDROP * (high - low) / pairs.max()
        for start, end, share in zip(edges, edges[1:], pairs[shown].tolist(), strict=False):
            if share:
                tip = f"{formats.percent(share, 1)} of pairs"
                panel.bar((start, end), (low, low + scale * share), "backdrop", tip)
    panel.axes()
    panel.rule((edges[0], 0), (edges[-1], 0), "zero")
    for index, row in enumerate(known):
        panel.steps(edges, row[shown].tolist(), svg.series_color(index))
        if unknown:
            panel.rule((edges[0], bias[index, 0]), (edges[-1], bias[index, 0]))
    title = name.capitalize()
    return panel.drawing(title, f"{title}: attention bias by cosine, one line per {series}")


def _bars(bounds: Sequence[float], both: np.ndarray) -> svg.Panel:
    """Draws attention over behaviors, `[2, B + 1]` shares by bucket."""
    shown = _shown(both[:, 1:].sum(axis=0) > 0)
    edges = bounds[shown.start : shown.stop + 1]
    shares = both[:, 1:][:, shown]
    top = 1.08 * float(shares.max(initial=1e-6))
    panel = svg.Panel((edges[0], edges[-1]), (0, top), x_label="cosine", left=56)
    panel.axes(y_text=formats.percent)
    for low, high, (mass, behaviors) in zip(edges, edges[1:], shares.T.tolist(), strict=False):
        tip = (
            f"cosines {formats.fixed(low, 2)} to {formats.fixed(high, 2)}: "
            f"{formats.percent(mass, 1)} of attention, {formats.percent(behaviors, 1)} of behaviors"
        )
        for share, color, air in ((behaviors, "backdrop", 0.06), (mass, "s1", 0.28)):
            air *= high - low
            panel.bar((low + air, high - air), (0, share), color, tip)
    return panel
