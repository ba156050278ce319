"""The pages of the cycle: one per part, and one over all parts.

    report/2026-05-02.html   what came in, what drifted, old against new, what was promoted and why
    report/index.html        the parts side by side, with curves

Both are made of the ledger's records alone, so they can be written again at any time.
"""

import os
from collections.abc import Callable, Sequence
from functools import partial

from models.evaluation import diagnostics
from pipeline.daily_cycle import ledger, part_page, parts_page
from pipeline.daily_cycle.config import CycleConfig
from pipeline.daily_cycle.cycle import LEDGER
from pipeline.daily_cycle.part_record import PartRecord

FOLDER, INDEX = "report", "index.html"


def write(config: CycleConfig, part: str, steps: Sequence[str]) -> None:
    """Writes the page of a part and the one over all; a page that cannot be made is left out.

    Args:
      config: of the cycle.
      part: whose page is written.
      steps: the names of all steps, in order.
    """
    folder = config.folder(LEDGER)
    records = [PartRecord.read(folder, name, steps) for name in ledger.parts(folder)]
    os.makedirs(config.folder(FOLDER), exist_ok=True)
    for record in records:
        if record.name == part:
            path = config.folder(FOLDER, f"{part}.html")
            _attempt(path, partial(part_page.write, path, config.name, record))
    path = config.folder(FOLDER, INDEX)
    _attempt(path, partial(parts_page.write, path, config.name, records))


def _attempt(path: str, write_page: Callable[[], None]) -> None:
    diagnostics.attempt(f"report {path}", write_page, None)
