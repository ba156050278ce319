"""Runs a part's steps: each that is not done already, in order, until one stops it."""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import logging

from features.errors import UserInputError
from pipeline.daily_cycle import ledger
from pipeline.daily_cycle.config import CycleConfig
from pipeline.daily_cycle.ledger import Done, Ledger

LEDGER = "cycle"
"""The folder of the records, below the cycle's own."""

Outcome = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class PartRun:
    """One part on its way through the steps.

    Attributes:
      config: what to do.
      part: the part's name.
      accepted: the parts before this one whose model came to serve, ascending.
      outcomes: of the steps so far, by name.
    """

    config: CycleConfig
    part: str
    accepted: tuple[str, ...] = ()
    outcomes: dict[str, Outcome] = dataclasses.field(default_factory=dict)

    @property
    def is_settling(self) -> bool:
        """Whether the part is one of the first, whose histories differ from the next part's."""
        return len(self.accepted) <= self.config.settling_parts

    def folder(self, *names: str) -> str:
        """Returns a folder of the cycle's own."""
        return self.config.folder(*names)


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of the cycle.

    Attributes:
      name: of its record.
      run: does it, and returns its outcome. Run again, it does nothing twice.
      settings: of the configuration, all that decides the outcome besides the steps before.
      undo: for a step that judges the part itself: takes the part out again where it stops, so
        that the next run begins with the log anew. None where a stop leaves the part as it is.
    """

    name: str
    run: Callable[[PartRun], Outcome]
    settings: Callable[[CycleConfig], Any]
    undo: Callable[[PartRun], None] | None = None


def run_part(config: CycleConfig, part: str, steps: Sequence[Step], only: str | None = None) -> str:
    """Runs the steps of a part that are not done.

    A part whose every step is done stays as it is, also under other settings. Of a part on its
    way, a step whose settings or inputs changed is done again.

    Args:
      config: what to do.
      part: the part's name.
      steps: in order.
      only: the one step to run; those before it must be done. None for all.

    Returns:
      A sentence for people.

    Raises:
      UserInputError: a part before this one is neither done nor left out, a step before `only` is
        not done, or a step stopped the part. What served before serves on.
      RetryError: a fault of the moment; the same call goes on.
    """
    if only is not None and only not in (names := [step.name for step in steps]):
        raise UserInputError(f"--step {only!r} is none of {', '.join(names)}.")
    records = Ledger(config.folder(LEDGER), part)
    if (skipped := records.skipped()) is not None:
        raise UserInputError(
            f"Part {part!r} was left out on {skipped.at}: {skipped.reason} To run it after all, "
            f"remove skipped.json in {config.folder(LEDGER, part)!r}."
        )
    if _is_done(records, steps):
        return f"Part {part} is done already."
    run = PartRun(config, part, _accepted(config, part, steps))
    before: list[str] = []
    for step in steps:
        wanted = ledger.key(step.name, step.settings(config), list(run.accepted), before)
        done = records.done(step.name)
        is_done = done is not None and done.key == wanted
        if not is_done and only is not None and step.name != only:
            raise UserInputError(
                f"--step {only}: step {step.name!r} of part {part!r} is not done. Run it first, "
                "or leave --step out to run all."
            )
        if done is not None and is_done:
            logging.info("== %s of %s: done on %s", step.name, part, done.began)
        else:
            done = _run_step(run, step, wanted, records)
        run.outcomes[step.name] = done.outcome
        before.append(ledger.key(done.outcome))
        if step.name == only:
            return f"Step {step.name} of part {part} is done."
    return f"Part {part} is done."


def skip(config: CycleConfig, part: str, steps: Sequence[Step], reason: str) -> None:
    """Leaves a part out: later parts follow the one before it.

    A part that is joined already stays in the data set, and its records in later histories.

    Raises:
      UserInputError: the part is done.
    """
    records = Ledger(config.folder(LEDGER), part)
    if _is_done(records, steps):
        raise UserInputError(f"--skip: part {part!r} is done already.")
    records.write_skipped(reason)


def _is_done(records: Ledger, steps: Sequence[Step]) -> bool:
    return records.done(steps[-1].name) is not None


def _run_step(run: PartRun, step: Step, wanted: str, records: Ledger) -> Done:
    logging.info("== %s of %s", step.name, run.part)
    began, started = ledger.now(), time.perf_counter()
    try:
        outcome = step.run(run)
    except UserInputError as error:
        records.write_stopped(step.name, str(error), forget=step.undo is not None)
        if step.undo is not None:
            step.undo(run)
        raise UserInputError(f"Part {run.part!r} stopped at {step.name!r}: {error}") from error
    done = Done(wanted, outcome, began, round(time.perf_counter() - started, 2))
    records.write_done(step.name, done)
    return records.done(step.name) or done  # As it is read back: a later key is of that.


def _accepted(config: CycleConfig, part: str, steps: Sequence[Step]) -> tuple[str, ...]:
    """Returns the parts before this one that are done, ascending.

    Raises:
      UserInputError: one of them is neither done nor left out, or a later one has begun.
    """
    folder, accepted = config.folder(LEDGER), []
    for name in ledger.parts(folder):
        records = Ledger(folder, name)
        if name == part or records.skipped() is not None:
            continue
        if name > part:
            if records.done(steps[0].name) is not None:
                raise UserInputError(
                    f"Part {name!r} has begun already, and comes after {part!r}: a data set grows "
                    "in the order of its parts. Leave this part out."
                )
            continue
        if not _is_done(records, steps):
            stopped = records.stopped()
            why = f" It stopped at {stopped.step!r}: {stopped.reason}" if stopped else ""
            raise UserInputError(
                f"Part {name!r} comes before {part!r} and is not done.{why} Finish it first "
                f"(--part {name}), or leave it out (--part {name} --skip REASON)."
            )
        accepted.append(name)
    return tuple(accepted)
