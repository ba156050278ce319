"""The gate as one function, for `pipeline.gate` and for whoever runs it every day."""

import dataclasses
import datetime
import hashlib
from typing import Any

from pydantic import TypeAdapter

from features.errors import UserInputError
from features.files import manifest, storage
from features.version import VERSION
from models.inputs.example_set import ExampleSet
from pipeline.releases.gate_records import GateRecords
from pipeline.releases.verdict import Verdict
from pipeline.version_gate import comparison, held_out, judgment
from pipeline.version_gate.comparison import HeldOut
from pipeline.version_gate.held_out import UnscorableError
from pipeline.version_gate.options import GateLimits, GateOptions
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.exported_version import ExportedVersion
from serving_signatures.versions.loaded_version import LoadedVersion
from serving_signatures.versions.rollout import STABLE, Rollout


def gate(options: GateOptions) -> Verdict:
    """Compares a version with the champion on held-out records, and records the verdict.

    The same versions, records, limits and code give the same verdict: it is then read from its
    record, and nothing is scored.

    Args:
      options: what is compared.

    Returns:
      The verdict, which may be that the version is refused.

    Raises:
      UserInputError: a version or the records cannot be read, or do not fit each other.
    """
    folder = ExportFolder(options.export_dir)
    challenger = folder.intact_version(options.version)
    champion = _champion(folder, challenger, options)
    examples = ExampleSet.open(options.examples)
    opened, split = held_out.open_records(examples, options.part, options.split)
    subject = {
        "challenger": _side(challenger),
        "champion": None if champion is None else _side(champion),
        "examples": {
            "fingerprint": opened.fingerprint,
            "manifest_sha256": _manifest_sha256(opened.folder),
            "part": options.part,
            "split": split,
        },
        "limits": TypeAdapter(GateLimits).dump_python(options.limits, mode="json"),
        "resamples": options.resamples,
        "max_users": options.max_users,
    }
    records = GateRecords(folder)
    earlier = records.find(challenger.number, None if champion is None else champion.number)
    same = {"code_version": VERSION, **subject}
    if earlier is not None and all(earlier.values.get(key) == same[key] for key in same):
        return earlier
    versions = [LoadedVersion.open(one.folder) for one in (challenger, champion) if one]
    counts = held_out.train_counts(examples, opened)
    try:
        scored = held_out.score(versions, opened, split, counts, options.max_users)
        found = judged(scored, options.limits, options.resamples)
    except UnscorableError as error:
        found = {"passed": False, "reasons": [f"The records cannot be scored by {error}."]}
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    place = {"created": created, "examples_folder": options.examples}
    return records.write({"notes": [], "scopes": [], **found, **subject, **place})


def judged(scored: HeldOut, limits: GateLimits, resamples: int) -> dict[str, Any]:
    """Compares what both versions scored.

    Args:
      scored: the candidates with the predictions.
      limits: what the challenger must keep.
      resamples: draws of the bootstrap.

    Returns:
      JSON values: `passed`, `reasons`, `notes`, and `scopes` with every figure.
    """
    scopes = comparison.compare(scored, resamples)
    reasons = judgment.reasons(scopes, scored.lost, limits)
    return {
        "passed": not reasons,
        "reasons": reasons,
        "notes": judgment.notes(scopes, limits),
        "scopes": [
            {**dataclasses.asdict(one), "judges": judgment.judges(one, limits)} for one in scopes
        ],
    }


def _champion(
    folder: ExportFolder, challenger: ExportedVersion, options: GateOptions
) -> ExportedVersion | None:
    number = options.champion
    if number is None:
        number = Rollout.read(folder.path, folder.name).labels.get(STABLE)
    if number is None:
        return None
    if number == challenger.number:
        raise UserInputError(
            f"Version {number} would be compared with itself: it is the challenger and the "
            "champion. Give another --version, a newer one than is stable, or another --champion."
        )
    return folder.intact_version(number)


def _side(version: ExportedVersion) -> dict[str, Any]:
    return {"version": version.number, "manifest_sha256": version.manifest_sha256}


def _manifest_sha256(folder: str) -> str:
    data = storage.read_bytes(storage.join(folder, manifest.FILE_NAME))
    return hashlib.sha256(data).hexdigest()
