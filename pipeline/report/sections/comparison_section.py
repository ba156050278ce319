"""The model against the ID-only baseline: all metrics, and the gain by slice."""

from collections.abc import Mapping
from typing import Any

from pipeline.report import formats, svg
from pipeline.report.blocks import Cell, Details, Figure, Key, Section, Table

MODEL, BASELINE = "dmf", "id_only"

METRICS = (
    ("auc", "AUC", "higher"),
    ("gauc", "GAUC", "higher"),
    ("logloss", "Log loss", "lower"),
    ("ne", "Normalized entropy", "lower"),
    ("calibration", "Predicted over observed", "nearer 1"),
)
_GLOSSARY = Details(
    "What the metrics mean",
    Table(
        [],
        [
            ["AUC", "Chance that a positive candidate scores above a negative one; 0.5 is chance."],
            ["GAUC", "The AUC within each user's candidates, averaged by their number."],
            ["Log loss", "Mean of the negative log of the probability given to what happened."],
            ["Normalized entropy", "Log loss in parts of that of the constant positive rate."],
            ["Predicted over observed", "Sum of probabilities over number of positives."],
        ],
        numeric=False,
    ),
)
_LABEL_ROOM = 0.28
_GAIN_SERIES = (("AUC", "GAUC"), ("s1", "s4"), (0.18, 0.5))
"""Names, colors and places in the row."""

_SLICES = {
    "history_length": "Gain by history length",
    "item_train_count": "Gain by how often train shows the item",
}


def section(data: Mapping[str, Any]) -> Section | None:
    """Returns the section, or None where there are no metrics."""
    table = _table(data)
    blocks = [table, table and _GLOSSARY, *_other_labels(data), _figure(data)]
    question = (
        "Does content add to ids, and for whom?"
        if baseline(data)
        else "How good is the model where it was not trained?"
    )
    return Section.of("quality", "Quality", question, blocks)


def series(data: Mapping[str, Any]) -> list[str]:
    """Returns the names that have metrics, the main one first.

    The names are models, DMF first and the baseline last, or the splits that one model was scored
    on.
    """
    names = formats.mapping(data, "metrics")
    return sorted(names, key=lambda name: (name != MODEL, name == BASELINE))


def baseline(data: Mapping[str, Any]) -> str | None:
    """Returns the name of the baseline that the main model is compared with, if there is one."""
    names = series(data)
    return BASELINE if BASELINE in names[1:] else None


def tone(metric: str, model: float | None, other: float | None) -> str:
    """Returns whether a model's metric is better than another's: `good`, `bad`, or nothing.

    >>> tone("auc", 0.8, 0.7), tone("logloss", 0.8, 0.7), tone("calibration", 0.98, 1.1)
    ('good', 'bad', 'good')
    """
    if model is None or other is None:
        return ""
    gain = goodness(metric, model) - goodness(metric, other)
    return "" if round(gain, 4) == 0 else "good" if gain > 0 else "bad"


def goodness(metric: str, value: float) -> float:
    """Returns a number that is larger where the metric is better.

    >>> goodness("auc", 0.8), goodness("logloss", 0.5), goodness("calibration", 1.5)
    (0.8, -0.5, -0.5)
    """
    direction = next(better for key, _, better in METRICS if key == metric)
    return value if direction == "higher" else -value if direction == "lower" else -abs(value - 1)


def _table(data: Mapping[str, Any]) -> Table | None:
    figures = {name: formats.mapping(data, "metrics", name) for name in series(data)}
    note = _users_note(data, next(iter(figures), ""))
    return _metrics_table(figures, note, "Held-out metrics") if figures else None


def _other_labels(data: Mapping[str, Any]) -> list[Table]:
    """Returns one table per label that only positives of the main label can have."""
    models = series(data)
    labels = dict.fromkeys(
        label for name in models for label in formats.mapping(data, "metrics", name, "labels")
    )
    return [
        _metrics_table(
            {name: formats.mapping(data, "metrics", name, "labels", label) for name in models},
            f"Of {label} together with {data.get('label')}, over all candidates.",
            f"Held-out metrics of {label}",
        )
        for label in labels
    ]


def _metrics_table(figures: Mapping[str, Mapping[str, Any]], note: str, title: str) -> Table:
    """Returns a table with one row per metric and one column per model."""
    models = list(figures)
    compared = BASELINE in models[1:]
    rows: list[list[Cell | str]] = []
    for key, name, better in METRICS:
        values = [formats.number(one, key) for one in figures.values()]
        row: list[Cell | str] = [name, *map(formats.fixed, values)]
        if compared:
            pair = values[0], values[models.index(BASELINE)]
            row.append(Cell(formats.signed(formats.difference(*pair)), tone(key, *pair)))
        rows.append([*row, better])
    head = ["Metric", *map(formats.model_name, models), *(["Difference"] if compared else [])]
    return Table([*head, "Better is"], rows, note, title=title)


def _users_note(data: Mapping[str, Any], model: str) -> str:
    facts = {
        "candidates": ("candidates",),
        "users averaged in GAUC": ("gauc_users", "scored"),
        "users left out, whose candidates have one class": ("gauc_users", "left_out"),
    }
    values = {name: formats.number(data, "metrics", model, *keys) for name, keys in facts.items()}
    return "; ".join(f"{formats.count(n)} {name}" for name, n in values.items() if n is not None)


def _figure(data: Mapping[str, Any]) -> Figure | None:
    if baseline(data) is None:
        return None
    drawings = [
        _bars(gains).drawing(title, f"{title}, in AUC and GAUC")
        for key, title in {**_SLICES, **_similarity_slices(data)}.items()
        if (gains := _gains(data, key))
    ]
    title = f"{formats.model_name(series(data)[0])} minus {formats.model_name(BASELINE)}, by slice"
    return Figure.of(title, "", drawings, [Key("s1", "AUC"), Key("s4", "GAUC")])


def _similarity_slices(data: Mapping[str, Any]) -> dict[str, str]:
    """Returns the titles of the slicings by similarity that have several slices."""
    prefix, model = "similarity_", series(data)[0]
    return {
        key: f"Gain by {key.removeprefix(prefix)} similarity"
        for key in formats.mapping(data, "metrics", model, "slices")
        if key.startswith(prefix)
        and len(formats.records(data, "metrics", model, "slices", key)) > 1
    }


Gain = tuple[str, float | None, float | None, float | None]


def _gains(data: Mapping[str, Any], key: str) -> list[Gain]:
    """Returns name, candidates, gain in AUC and in GAUC of the slices that both models have."""
    pair = series(data)[0], BASELINE
    mine, theirs = (formats.records(data, "metrics", model, "slices", key) for model in pair)
    other = {str(one.get("slice")): one for one in theirs}

    def gain(one: Mapping[str, Any], metric: str) -> float | None:
        before = formats.number(other[str(one.get("slice"))], metric)
        return formats.difference(formats.number(one, metric), before)

    return [
        (name, formats.number(one, "candidates"), gain(one, "auc"), gain(one, "gauc"))
        for one in mine
        if (name := str(one.get("slice"))) in other
    ]


def _bars(gains: list[Gain]) -> svg.Panel:
    values = [value for _, _, *pair in gains for value in pair if value is not None]
    low, high = min([0, *values]), max([0, *values])
    room = max(_LABEL_ROOM * (high - low), 0.0005)
    low, high = (low - room if low < 0 else low), high + room
    rows = len(gains)
    panel = svg.Panel((low, high), (rows, 0), left=108, height=38 + 52 * rows, right=24)
    panel.x_axis(svg.ticks(low, high, lambda value: formats.signed(value, 3), 4), grid=True)
    panel.rule((0, 0), (0, rows), "zero")
    for row, (name, candidates, *pair) in enumerate(gains):
        panel.row_name(row + 0.5, name.replace("-", "–"), f"{formats.count(candidates)} cand.")
        for gain, metric, color, shift in zip(pair, *_GAIN_SERIES, strict=True):
            top = row + shift
            if gain is None:
                panel.note((0, top + 0.16), "not defined", shift=(6, 4), css="faint")
                continue
            panel.bar((0, gain), (top, top + 0.3), color, f"{name}: {metric} {gain:+.4f}")
            side, away = ("start", 5) if gain >= 0 else ("end", -5)
            panel.note((gain, top + 0.15), formats.signed(gain), anchor=side, shift=(away, 4))
    return panel
