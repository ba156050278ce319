"""A process of Beam's in-process runner: Beam's worker, which logs as the job that started it.

Beam's own would log its start, and write level and logger before each line of the job.
"""

from collections.abc import Sequence

from absl import app
from apache_beam.runners.worker import sdk_worker_main

from pipeline.runtime import entry_point
from pipeline.runtime import quiet as _quiet  # noqa: F401  Hides Beam's lines.


def _main(arguments: Sequence[str]) -> None:
    entry_point.configure_logging()
    sdk_worker_main.main(arguments)


if __name__ == "__main__":
    app.run(_main)
