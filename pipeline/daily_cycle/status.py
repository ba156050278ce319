"""Parts by steps, as a table."""

from collections.abc import Sequence

from pipeline.daily_cycle import ledger
from pipeline.daily_cycle.config import CycleConfig
from pipeline.daily_cycle.cycle import LEDGER, Step
from pipeline.daily_cycle.ledger import Ledger
from pipeline.runtime import text_table

_DONE, _STOPPED, _OPEN = "done", "STOPPED", "-"


def table(config: CycleConfig, steps: Sequence[Step]) -> str:
    """Returns one row per part and one column per step, and the reasons of parts that stopped."""
    folder = config.folder(LEDGER)
    names = ledger.parts(folder)
    if not names:
        return f"No part has begun in {config.work!r}."
    rows, reasons = [("part", *(step.name for step in steps), "version")], []
    for part in names:
        records = Ledger(folder, part)
        stopped, skipped = records.stopped(), records.skipped()
        cells = []
        for step in steps:
            done = records.done(step.name)
            is_stop = stopped is not None and stopped.step == step.name
            cells.append(_STOPPED if is_stop else _OPEN if done is None else _DONE)
        promoted = records.done("promote")
        version = "-" if promoted is None else _version(promoted.outcome)
        rows.append((part, *cells, "left out" if skipped else version))
        for what, one in (("stopped", stopped), ("left out", skipped)):
            if one is not None:
                at = f" at {one.step}" if one.step else ""
                reasons.append(f"{part} {what}{at} on {one.at}: {one.reason}")
    return "\n".join([text_table.aligned(rows), *reasons])


def _version(outcome: object) -> str:
    assert isinstance(outcome, dict)
    return f"{outcome['version']} {outcome['label']}"
