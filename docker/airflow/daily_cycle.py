"""The daily cycle as a DAG of Apache Airflow: a run per part of the log, a task per step.

Copy this file and `daily_cycle.json` into Airflow's DAG folder; a second pair of other names is the
cycle of another model. Each task runs

    PYTHON -m pipeline.submit --job=cycle --target=TARGET --once ... -- --part=PART --step=STEP

as a list of words, without a shell and without templates. Airflow's own Python needs nothing of
this project. docs/daily_cycle.md explains the settings.
"""

import dataclasses
import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, BaseOperator, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowException, AirflowFailException

STEPS = (
    *("inspect_log", "join", "inspect_examples", "check_champion", "train", "export"),
    *("gate", "caches", "load", "promote", "prune"),
)
"""Those of `pipeline.daily_cycle.steps`, in order."""

DONE, USER_ERROR = 0, 2
UNITS = {"day": timedelta(days=1), "hour": timedelta(hours=1)}
MOMENTS = {"day": "%Y-%m-%d", "hour": "%Y-%m-%dT%H"}
TARGETS = ("local", "docker", "kubernetes")
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclasses.dataclass(frozen=True)
class CycleSettings:
    """The settings of the file beside this one.

    Attributes:
      python: that has `pipeline.submit`, a path.
      config: of `pipeline.cycle`, as the job finds it, in the container where there is one.
      start: the first part's day, or its hour (2026-05-01T07).
      end: the last part's; None where the log goes on.
      every: `day` or `hour`, the length of a part.
      part_format: of a part's name in the log, as strftime has it; None for that of `start`.
      delay_minutes: from a part's end, UTC, to its run: when its log is complete.
      target: of `pipeline.submit`.
      submission: file of its settings; None for their defaults.
      folder: where the command starts, so that relative paths begin there.
      retries: of a step that fails otherwise than with exit code 2.
      retry_seconds: pause before the first of them, twice as long each time.
      longest_retry_seconds: at most.
      step_hours: after which a step is ended, and counts as failed.
    """

    python: str
    config: str
    start: str
    end: str | None = None
    every: str = "day"
    part_format: str | None = None
    delay_minutes: int = 60
    target: str = "kubernetes"
    submission: str | None = None
    folder: str = "/"
    retries: int = 8
    retry_seconds: int = 60
    longest_retry_seconds: int = 3600
    step_hours: int = 24

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, kind = getattr(self, field.name), field.type
            if isinstance(value, bool) or not isinstance(value, kind):
                raise ValueError(
                    f"{field.name}={value!r}: expected {getattr(kind, '__name__', kind)}."
                )
            if isinstance(value, int) and value < 0:
                raise ValueError(f"{field.name}={value!r}: expected 0 or more.")
        if self.every not in UNITS or self.target not in TARGETS:
            raise ValueError(
                f"every={self.every!r}, target={self.target!r}: expected one of "
                f"{', '.join(UNITS)}, and one of {', '.join(TARGETS)}."
            )
        if self.delay >= self.unit:
            raise ValueError(
                f"delay_minutes={self.delay_minutes}: expected less than the part's {self.every}."
            )
        names = [self.part(self.first + n * self.unit) for n in range(400)]
        if sorted(set(names)) != names or not all(map(PART.fullmatch, names)):
            raise ValueError(
                f"part_format={self.part_format!r}: expected names that ascend with time, of "
                f"letters, digits, _ and -, received {names[:2]}."
            )

    @property
    def unit(self) -> timedelta:
        """The length of a part."""
        return UNITS[self.every]

    @property
    def delay(self) -> timedelta:
        """From a part's end to its run."""
        return timedelta(minutes=self.delay_minutes)

    @property
    def first(self) -> datetime:
        """The start of the first part."""
        return self._moment("start", self.start)

    @property
    def last(self) -> datetime | None:
        """The start of the last part's interval; None where the log goes on."""
        return None if self.end is None else self._moment("end", self.end) + self.delay

    @property
    def timetable(self) -> CronDataIntervalTimetable:
        """An interval per part, `delay` later than the part; a run follows its interval's end."""
        hour, minute = divmod(self.delay_minutes, 60)
        cron = f"{minute} {hour if self.every == 'day' else '*'} * * *"
        return CronDataIntervalTimetable(cron, timezone="UTC")

    def part(self, moment: datetime) -> str:
        """Returns the name of the part that a moment lies in."""
        return moment.astimezone(UTC).strftime(self.part_format or MOMENTS[self.every])

    def command(self, part: str, step: str) -> list[str]:
        """Returns the words of a step's command."""
        return [
            *(self.python, "-m", "pipeline.submit", "--job=cycle", f"--target={self.target}"),
            "--once",
            *([] if self.submission is None else [f"--config={self.submission}"]),
            *("--", f"--config={self.config}", f"--part={part}", f"--step={step}"),
        ]

    def _moment(self, name: str, text: str) -> datetime:
        try:
            return datetime.strptime(text, MOMENTS[self.every]).replace(tzinfo=UTC)
        except ValueError:
            example = datetime(2026, 5, 1, 7).strftime(MOMENTS[self.every])
            raise ValueError(
                f"{name}={text!r}: expected the {self.every} of a part, UTC, as in {example}."
            ) from None


def read_settings(path: Path) -> CycleSettings:
    """Returns the settings of a JSON file.

    Raises:
      ValueError: the file has other settings than there are, or a value is none of them.
    """
    values = json.loads(path.read_text(encoding="utf-8"))
    known = [field.name for field in dataclasses.fields(CycleSettings)]
    if not isinstance(values, dict) or (unknown := sorted(set(values) - set(known))):
        what = unknown if isinstance(values, dict) else "no settings"
        raise ValueError(f"{path}: received {what}, expected settings among {', '.join(known)}.")
    try:
        return CycleSettings(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


class CycleStep(BaseOperator):
    """Runs one step of the cycle, for the part that the run's interval begins in.

    Exit code 2 fails the task at once, whatever its retries: a person has to look at the part. Any
    other failure is retried.

    Args:
      settings: of the cycle.
      step: its name.
      kwargs: of every operator.
    """

    def __init__(self, *, settings: CycleSettings, step: str, **kwargs: Any):
        super().__init__(task_id=step, **kwargs)
        self._settings = settings
        self._step = step
        self._hook = SubprocessHook()

    def execute(self, context: Any) -> None:
        """Runs the command, whose output becomes the task's log."""
        part = self._settings.part(context["data_interval_start"])
        command = self._settings.command(part, self._step)
        done = self._hook.run_command(command, env=dict(os.environ), cwd=self._settings.folder)
        sentence = f"Step {self._step} of part {part}: exit code {done.exit_code}. {done.output}"
        if done.exit_code == USER_ERROR:
            raise AirflowFailException(sentence)
        if done.exit_code != DONE:
            raise AirflowException(sentence)

    def on_kill(self) -> None:
        """Passes a stop on; the submission passes it to the job, which may save what it has."""
        if self._hook.sub_process is not None:
            self._hook.sub_process.terminate()


def create_dag(dag_id: str, settings: CycleSettings) -> DAG:
    """Returns the DAG: the steps in a row, the parts one after the other, past ones too."""
    dag = DAG(
        dag_id,
        description="From a part of the log to a promoted model.",
        schedule=settings.timetable,
        start_date=settings.first,
        end_date=settings.last,
        catchup=True,
        max_active_runs=1,
        # A part that stopped is to be looked at before the next one: nothing is scheduled until
        # then.
        max_consecutive_failed_dag_runs=1,
        tags=["dmf-ctr"],
        default_args={
            "depends_on_past": True,
            "retries": settings.retries,
            "retry_delay": timedelta(seconds=settings.retry_seconds),
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": timedelta(seconds=settings.longest_retry_seconds),
            "execution_timeout": timedelta(hours=settings.step_hours),
        },
    )
    with dag:
        before = None
        for step in STEPS:
            task = CycleStep(settings=settings, step=step)
            if before is not None:
                before >> task
            before = task
    return dag


dag = create_dag(Path(__file__).stem, read_settings(Path(__file__).with_suffix(".json")))
