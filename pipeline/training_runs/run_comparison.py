"""Training runs side by side: their differences and their metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report import formats
from pipeline.runtime import text_table
from pipeline.training_runs.run_list import NAMES, ListedRun


def describe(runs: Sequence[ListedRun]) -> str:
    """Returns a table of what differs and a table of metrics, and a warning about other data.

    Args:
      runs: two or more; for two, a column has the second metric minus the first.
    """
    differences = _rows([_facts(one) for one in runs])
    head = [one.name for one in runs]
    parts = []
    if warning := _data(runs):
        parts.append(warning)
    parts.append(
        text_table.aligned([["differs", *head], *differences])
        if differences
        else "No setting, version or input differs."
    )
    parts.append(_metrics(runs))
    return "\n\n".join(parts)


def _facts(one: ListedRun) -> dict[str, str]:
    """Returns settings, inputs, code and environment by dotted name."""
    run = one.run
    facts = {
        **one.config,
        "data": run.data_fingerprint,
        "embeddings": run.embeddings,
        "code": run.code,
        "environment": run.environment,
        "variables": run.variables,
    }
    return dict(formats.flat(facts))


def _rows(facts: Sequence[Mapping[str, str]]) -> list[list[str]]:
    names = dict.fromkeys(name for one in facts for name in one)
    rows = [[name, *(one.get(name, formats.MISSING) for one in facts)] for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]


def _data(runs: Sequence[ListedRun]) -> str:
    """Returns a warning where the runs read different data, with folders and fingerprints."""
    if len({one.run.data_fingerprint for one in runs}) == 1:
        return ""
    lines = [f"{one.name} {one.run.data_fingerprint} ({one.run.examples})" for one in runs]
    return "Other data: these runs' figures do not compare.\n  " + "\n  ".join(lines)


def _metrics(runs: Sequence[ListedRun]) -> str:
    pair = len(runs) == 2
    rows: list[list[str]] = []
    for split in dict.fromkeys(split for one in runs for split in one.metrics):
        for key in NAMES:
            name = f"{split}.{key}"
            values = [one.metric(name) for one in runs]
            row = [name, *map(formats.fixed, values)]
            rows.append([*row, formats.signed(formats.difference(values[1], values[0]))] if pair
                        else row)  # fmt: skip
    for key, title in (("steps", "steps"), ("candidates_per_second", "candidates/s")):
        values = [formats.number(one.training, key) for one in runs]
        rows.append([title, *map(formats.count, values), *([""] if pair else [])])
    head: list[Any] = ["metric", *(one.name for one in runs), *(["difference"] if pair else [])]
    return text_table.aligned([head, *rows])
