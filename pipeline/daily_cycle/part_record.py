"""Everything that the ledger has of a part, for the status and the pages."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.daily_cycle.ledger import Done, Ledger, Stopped


@dataclasses.dataclass(frozen=True)
class PartRecord:
    """The records of a part.

    Attributes:
      name: of the part.
      done: its finished steps, in order.
      steps: the names of all steps, in order.
      stopped: why it stopped; None where it did not.
      skipped: why a person left it out; None where nobody did.
    """

    name: str
    done: Mapping[str, Done]
    steps: Sequence[str]
    stopped: Stopped | None
    skipped: Stopped | None

    @classmethod
    def read(cls, folder: str, part: str, steps: Sequence[str]) -> "PartRecord":
        """Reads a part's records.

        Args:
          folder: of all parts' records.
          part: its name.
          steps: the names of all steps, in order.

        Raises:
          UserInputError: a record is damaged.
        """
        records = Ledger(folder, part)
        found = {name: records.done(name) for name in steps}
        done = {name: one for name, one in found.items() if one is not None}
        return cls(part, done, steps, records.stopped(), records.skipped())

    @property
    def state(self) -> str:
        """`done`, `left out`, `stopped` or `open`."""
        if self.skipped is not None:
            return "left out"
        if self.steps[-1] in self.done:
            return "done"
        return "open" if self.stopped is None else "stopped"

    @property
    def seconds(self) -> float:
        """Wall time of the finished steps."""
        return sum(one.seconds for one in self.done.values())

    def outcome(self, step: str) -> Mapping[str, Any]:
        """Returns the outcome of a step, empty where it is not done."""
        return self.done[step].outcome if step in self.done else {}
