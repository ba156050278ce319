"""What each step reads and writes, as datasets: names that do not change, versions that do.

A part is a version of its data set, not a data set of its own: a graph of lineage would grow by
every day otherwise. Versions, schemas and rows come from manifests and records, as far as they are
there when they are asked for.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

from features.files import checked, manifest
from pipeline.daily_cycle import ledger, model_steps
from pipeline.daily_cycle.cycle import Outcome, PartRun
from pipeline.join import parts
from pipeline.statistics import assessment
from serving_signatures import names


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A dataset at one moment.

    Attributes:
      place: its folder, file or pattern.
      version: what changes when its content does; None where it is not known yet.
      fields: type by column or feature.
      rows: that this step wrote.
    """

    place: str
    version: str | None = None
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rows: int | None = None


def inputs(run: PartRun, step: str) -> list[Dataset]:
    """Returns what a step reads, as far as it is there."""
    return [one for find in _READS.get(step, ()) for one in find(run)]


def outputs(run: PartRun, step: str, outcome: Outcome) -> list[Dataset]:
    """Returns what a step has written, by its outcome."""
    done = dataclasses.replace(run, outcomes={**run.outcomes, step: outcome})
    return [one for find in _WRITES.get(step, ()) for one in find(done)]


def _logs(run: PartRun) -> list[Dataset]:
    columns = _statistics(run).get("log", {}).get("columns", {})
    fields = {name: column["type"] for name, column in columns.items()}
    config = run.config
    return [
        Dataset(config.events, _version(_joined(run, "inputs", "events")), fields),
        *(
            Dataset(place, _version(_joined(run, "inputs", "label_logs", name)))
            for name, place in sorted(config.label_logs.items())
        ),
    ]


def _embeddings(run: PartRun) -> list[Dataset]:
    sets = _statistics(run).get("embedding_sets", {})
    return [
        Dataset(
            place,
            _joined(run, "embedding_sets", name, "fingerprint"),
            {} if name not in sets else {"embedding": sets[name]["type"]},
        )
        for name, place in sorted(run.config.embeddings.items())
    ]


def _items(run: PartRun) -> list[Dataset]:
    if run.config.items is None:
        return []
    return [Dataset(run.config.items, _version(_joined(run, "inputs", "items")))]


def _catalog(run: PartRun) -> list[Dataset]:
    return [] if run.config.caches is None else [Dataset(run.config.caches.items)]


def _examples(run: PartRun) -> list[Dataset]:
    schema = _joined(run, "schema") or {}
    features = [*schema.get("context_features", ()), *schema.get("item_features", ())]
    fields = {
        **dict.fromkeys(schema.get("labels", ()), "label"),
        **{one["name"]: one["kind"] for one in features},
        **{one["name"]: f"vector[{one['dimension']}]" for one in schema.get("modalities", ())},
    }
    place, version = run.folder("examples"), run.outcomes.get("join", {}).get("manifest")
    return [Dataset(place, version, fields, _joined(run, "counts", "written"))]


def _start(run: PartRun) -> list[Dataset]:
    if not run.accepted:
        return []
    path = os.path.join(model_steps.model_folder(run, run.accepted[-1]), manifest.FILE_NAME)
    return [Dataset(run.folder("models"), checked.sha256(path))]


def _model(run: PartRun) -> list[Dataset]:
    return [Dataset(run.folder("models"), run.outcomes["train"]["manifest"])]


def _served(run: PartRun) -> list[Dataset]:
    return [Dataset(model_steps.serving_folder(run))]


def _version_of_model(run: PartRun) -> list[Dataset]:
    number = run.outcomes["export"]["version"]
    return [Dataset(model_steps.serving_folder(run), str(number))]


def _projections(run: PartRun) -> list[Dataset]:
    tags = run.outcomes["export"]["tags"]
    filled = run.outcomes["caches"]["caches"]
    return [Dataset(run.folder("projections", name), tags[names.CACHES[name]]) for name in filled]


def _inspected(kind: str) -> Callable[[PartRun], list[Dataset]]:
    def find(run: PartRun) -> list[Dataset]:
        path = run.folder("statistics", run.part, kind, assessment.FILE_NAME)
        return [Dataset(run.folder("statistics"), f"{run.part}/{kind} {checked.sha256(path)}")]

    return find


_READS: Mapping[str, tuple[Callable[[PartRun], list[Dataset]], ...]] = {
    "inspect_log": (_logs, _embeddings),
    "join": (_logs, _embeddings, _items),
    "inspect_examples": (_examples,),
    "check_champion": (_served, _examples),
    "train": (_examples, _start),
    "export": (_model, _examples),
    "gate": (_version_of_model, _examples),
    "caches": (_version_of_model, _catalog, _embeddings),
    "load": (_projections,),
    "promote": (_version_of_model,),
}
_WRITES: Mapping[str, tuple[Callable[[PartRun], list[Dataset]], ...]] = {
    "inspect_log": (_inspected("log"),),
    "join": (_examples,),
    "inspect_examples": (_inspected("examples"),),
    "train": (_model,),
    "export": (_version_of_model,),
    "caches": (_projections,),
}


def _statistics(run: PartRun) -> dict[str, Any]:
    path = run.folder("statistics", run.part, "log", assessment.FILE_NAME)
    return manifest.read_values(path) if os.path.isfile(path) else {}


def _joined(run: PartRun, *keys: str) -> Any:
    """Returns a value of the part's manifest, None where the part is not joined."""
    folder = parts.folder_of(run.folder("examples"), run.part)
    if not os.path.isfile(os.path.join(folder, manifest.FILE_NAME)):
        return None
    value: Any = manifest.read_manifest(folder)
    for key in keys:
        value = None if value is None else value.get(key)
    return value


def _version(listed: Any) -> str | None:
    return None if listed is None else ledger.key(listed)
