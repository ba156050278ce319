"""A small Airflow of a test's own, in SQLite, whose tasks run on this machine."""

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.conftest import REPOSITORY

DAG_FILE = REPOSITORY / "docker/airflow/daily_cycle.py"
_PROCESSES = (("api-server", "--workers=1"), ("dag-processor",), ("scheduler",))


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of a run: where it stands, and how often it was tried."""

    run: str
    name: str
    state: str | None
    tries: int


@dataclasses.dataclass(frozen=True)
class Airflow:
    """An installed Airflow with a home folder of its own.

    Attributes:
      venv: where it is installed.
      home: of its configuration, database and logs.
    """

    venv: Path
    home: Path

    @property
    def dags(self) -> Path:
        """The DAG folder."""
        return self.home / "dags"

    def environment(self) -> dict[str, str]:
        """Variables of every process: nothing of this project, no network but this machine."""
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        return kept | {
            "PATH": f"{self.venv}/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "2",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__MP_START_METHOD": "fork",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def run(self, *command: str) -> str:
        """Runs a command to its end, and returns what it prints."""
        done = subprocess.run(
            [str(self.venv / "bin" / command[0]), *command[1:]],
            env=self.environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def add(self, dag_id: str, settings: str) -> None:
        """Puts the DAG with settings of its own into the DAG folder."""
        self.dags.mkdir(parents=True, exist_ok=True)
        (self.dags / f"{dag_id}.json").write_text(settings, encoding="utf-8")
        shutil.copy(DAG_FILE, self.dags / f"{dag_id}.py")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Runs what schedules and executes tasks."""
        self.run("airflow", "db", "migrate")
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        environment = self.environment() | {
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API_AUTH__JWT_SECRET": "of this test alone. " * 4,
            "NO_PROXY": "*",
        }
        started = []
        with open(self.home / "processes.log", "w", encoding="utf-8") as log:
            try:
                for name in _PROCESSES:
                    command = [str(self.venv / "bin/airflow"), *name]
                    started.append(
                        subprocess.Popen(
                            command,
                            env=environment,
                            cwd=self.home,
                            stdin=subprocess.DEVNULL,
                            stdout=log,
                            stderr=log,
                            start_new_session=True,
                        )
                    )
                    if name[0] == "api-server":  # A task that does not reach it fails.
                        _wait_for(port)
                yield
            finally:
                for number in (signal.SIGTERM, signal.SIGKILL):
                    for process in started:
                        with contextlib.suppress(ProcessLookupError):
                            os.killpg(process.pid, number)
                    for process in started:
                        with contextlib.suppress(subprocess.TimeoutExpired):
                            process.wait(15)

    def tasks(self, dag_id: str) -> list[Task]:
        """Returns the tasks that there are, by run and by when they ended."""
        rows = self._query(
            "select r.run_id, t.task_id, t.state, t.try_number from task_instance t "
            "join dag_run r using (dag_id, run_id) where dag_id = ? "
            "order by r.run_after, t.end_date",
            dag_id,
        )
        return [Task(*row) for row in rows]

    def runs(self, dag_id: str) -> list[tuple[str, str]]:
        """Returns the day of each run's interval, and the run's state."""
        query = "select data_interval_start, state from dag_run where dag_id = ? order by run_after"
        return [(start[:13], state) for start, state in self._query(query, dag_id)]

    def ended(self, dag_id: str) -> list[str]:
        """Returns the states of the runs that ended."""
        return [state for _, state in self.runs(dag_id) if state in ("success", "failed")]

    def is_paused(self, dag_id: str) -> bool:
        """Whether the scheduler leaves the DAG alone."""
        ((paused,),) = self._query("select is_paused from dag where dag_id = ?", dag_id)
        return bool(paused)

    def wait_until(self, what: Callable[[], bool], seconds: float) -> None:
        """Waits until something holds.

        Raises:
          TimeoutError: it does not; with the end of the processes' output.
        """
        deadline = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline:
                text = (self.home / "processes.log").read_text(encoding="utf-8")
                raise TimeoutError(f"not within {seconds:.0f} s\n{text[-4000:]}")
            time.sleep(0.5)

    def _query(self, query: str, *values: str) -> Sequence[tuple]:
        path = self.home / "airflow.db"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()


def _wait_for(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.5)
    raise TimeoutError(f"nothing listens at port {port}")
