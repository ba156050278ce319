"""Parts by steps, as a table."""

from collections.abc import Sequence

from pipeline.daily_cycle import ledger
from pipeline.daily_cycle.config import CycleConfig
from pipeline.daily_cycle.cycle import LEDGER
from pipeline.daily_cycle.part_record import PartRecord
from pipeline.runtime import text_table


def table(config: CycleConfig, steps: Sequence[str]) -> str:
    """Returns one row per part and one column per step, and the reasons of parts that stopped.

    Args:
      config: of the cycle.
      steps: the names of all steps, in order.
    """
    folder = config.folder(LEDGER)
    records = [PartRecord.read(folder, name, steps) for name in ledger.parts(folder)]
    if not records:
        return f"No part has begun in {config.work!r}."
    rows = [("part", *steps, "version")]
    reasons = []
    for one in records:
        stop = one.stopped.step if one.stopped else ""
        cells = [
            "done" if name in one.done else "STOPPED" if name == stop else "-" for name in steps
        ]
        rows.append((one.name, *cells, _version(one)))
        for what, why in (("stopped", one.stopped), ("left out", one.skipped)):
            if why is not None:
                at = f" at {why.step}" if why.step else ""
                reasons.append(f"{one.name}: {what}{at} on {why.at}: {why.reason}")
    return "\n".join([text_table.aligned(rows), *reasons])


def _version(record: PartRecord) -> str:
    if record.skipped is not None:
        return "left out"
    promoted = record.outcome("promote")
    return f"{promoted['version']} {promoted['label']}" if promoted else "-"
