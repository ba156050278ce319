"""Events of OpenLineage: each step says when it starts and how it ends, and what it read and wrote.

They are sent where a server is configured as OpenLineage's library has it, by `OPENLINEAGE_URL` or
a file; else the library is not even loaded. A server that is down or hangs costs an event and
`LONGEST_SECONDS`, never a step.
"""

import dataclasses
import importlib
import importlib.util
import json
import logging as python_logging
import os
import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from absl import logging

from features.version import VERSION
from pipeline.daily_cycle import lineage_datasets
from pipeline.daily_cycle.cycle import Outcome, PartRun, Step
from pipeline.daily_cycle.lineage_datasets import Dataset

LONGEST_SECONDS = 5.0
"""How long an event may take. A step sends two."""

_VARIABLES = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
_PREFIX = "OPENLINEAGE__TRANSPORT"
_FILES = ("openlineage.yml", "~/.openlineage/openlineage.yml")
_LOCAL = "file"


def traced(step: Step) -> Step:
    """Returns a step that sends its events, or the step itself where no server is configured."""
    if not is_configured():
        return step
    if importlib.util.find_spec("openlineage") is None:
        logging.warning(
            "No events of lineage are sent, although a server is configured: install dmf-ctr with "
            "its extra `lineage`: pip install 'dmf-ctr[lineage]'."
        )
        return step

    def run(part_run: PartRun) -> Outcome:
        # Loaded here, so that the time of an event is the server's alone.
        importlib.import_module("openlineage.client.facet_v2")
        # Otherwise each event says which transport it takes; the library has a variable for more.
        python_logging.getLogger("openlineage.client").setLevel(python_logging.WARNING)
        _send(part_run, step.name, "START")
        try:
            outcome = step.run(part_run)
        except BaseException as error:
            _send(part_run, step.name, "FAIL", error=error)
            raise
        _send(part_run, step.name, "COMPLETE", outcome)
        return outcome

    return dataclasses.replace(step, run=run)


def is_configured() -> bool:
    """Whether OpenLineage's library would find where to send events."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    named = any(os.environ.get(name) for name in _VARIABLES)
    given = any(name.startswith(_PREFIX) for name in os.environ)
    return named or given or any(os.path.isfile(os.path.expanduser(file)) for file in _FILES)


def run_id(run: PartRun, step: str = "") -> str:
    """Returns the id of a step's run, or of the part's; the same however often it is run."""
    parts = [_namespace(), os.path.realpath(run.config.work), run.config.name, run.part, step]
    return str(uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(parts)))


def _send(
    run: PartRun,
    step: str,
    state: str,
    outcome: Outcome | None = None,
    error: BaseException | None = None,
) -> None:
    """Sends an event, or warns why it was not sent."""
    problems: list[str] = []

    def send() -> None:
        try:
            _emit(run, step, state, outcome, error)
        except Exception as problem:  # noqa: BLE001  Whatever it is, the step goes on.
            problems.append(f"{type(problem).__name__}: {problem}")

    # A thread of its own: the library's own time limit is per try and per byte.
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    thread.join(LONGEST_SECONDS)
    if thread.is_alive():
        problems.append(f"no answer within {LONGEST_SECONDS:g} s")
    for problem in problems:
        logging.warning("Lineage: %s of %s was not sent: %s.", state, step, problem.rstrip("."))


def _emit(
    run: PartRun, step: str, state: str, outcome: Outcome | None, error: BaseException | None
) -> None:
    from openlineage.client import OpenLineageClient
    from openlineage.client import event_v2 as events
    from openlineage.client.facet_v2 import error_message_run, job_type_job, parent_run

    namespace, job = _namespace(), f"{run.config.name}.cycle"
    facets: dict[str, Any] = {
        "parent": parent_run.ParentRunFacet(
            run=parent_run.Run(runId=run_id(run)),
            job=parent_run.Job(namespace=namespace, name=job),
        )
    }
    if error is not None:
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            message=str(error) or type(error).__name__, programmingLanguage="PYTHON"
        )
    kind = job_type_job.JobTypeJobFacet(
        processingType="BATCH", integration="DMF_CTR", jobType="TASK"
    )
    written = [] if outcome is None else lineage_datasets.outputs(run, step, outcome)
    event = events.RunEvent(
        eventType=events.RunState[state],
        eventTime=datetime.now(UTC).isoformat(),
        producer=f"urn:dmf-ctr:{VERSION}",
        run=events.Run(runId=run_id(run, step), facets=facets),
        job=events.Job(namespace=namespace, name=f"{job}.{step}", facets={"jobType": kind}),
        inputs=_as_facets(lineage_datasets.inputs(run, step), events.InputDataset),
        outputs=_as_facets(written, events.OutputDataset),
    )
    client = OpenLineageClient()
    client.emit(event)
    client.close(LONGEST_SECONDS)


def _as_facets(datasets: Sequence[Dataset], kind: Any) -> list[Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset as versions
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics
    from openlineage.client.facet_v2 import schema_dataset as schemas

    found = []
    for one in datasets:
        facets: dict[str, Any] = {}
        if one.version is not None:
            facets["version"] = versions.DatasetVersionDatasetFacet(datasetVersion=one.version)
        if one.fields:
            fields = [schemas.SchemaDatasetFacetFields(*field) for field in one.fields.items()]
            facets["schema"] = schemas.SchemaDatasetFacet(fields=fields)
        own = {}
        if one.rows is not None and kind.__name__ == "OutputDataset":
            counted = statistics.OutputStatisticsOutputDatasetFacet(rowCount=one.rows)
            own = {"outputFacets": {"outputStatistics": counted}}
        namespace, name = _place(one.place)
        found.append(kind(namespace=namespace, name=name, facets=facets, **own))
    return found


def _place(path: str) -> tuple[str, str]:
    """Returns namespace and name of a path, as OpenLineage's naming has them."""
    scheme, separator, rest = path.partition("://")
    if separator and scheme != _LOCAL:
        authority, _, name = rest.partition("/")
        return f"{scheme}://{authority}", name.rstrip("/") or "/"
    return _LOCAL, os.path.realpath(rest if separator else path)


def _namespace() -> str:
    return os.environ.get("OPENLINEAGE_NAMESPACE") or "default"
