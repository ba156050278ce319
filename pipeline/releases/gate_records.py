"""What the gate said of a model's versions, in files beside them."""

import contextlib
import datetime
import os
import re
from collections.abc import Mapping
from typing import Any

from features.errors import UserInputError
from features.files import manifest, storage
from features.version import VERSION
from pipeline.releases import verdict as verdicts
from pipeline.releases.verdict import Verdict
from serving_signatures.versions.export_folder import ExportFolder
from serving_signatures.versions.exported_version import ExportedVersion

FOLDER = "gates"
"""The folder of the records in a model's folder; TF Serving reads numbers alone."""

_OVERRIDES = "overrides.json"
_RECORD = re.compile(r"(?:alone|against-\d+)\.json")
_OWN = re.compile(rf"(?:{_RECORD.pattern}|overrides\.json)(?:\.[0-9a-f]{{32}}.*)?")
"""Names of files here, and of what a killed process leaves of one."""


class GateRecords:
    """The records of a model's versions, one per challenger and champion; the newest replaces.

    Args:
      folder: of the versions.
    """

    def __init__(self, folder: ExportFolder) -> None:
        self._versions = folder
        self._folder = os.path.join(folder.path, FOLDER)

    def write(self, values: Mapping[str, Any]) -> Verdict:
        """Writes a record.

        Raises:
          UserInputError: a version was removed or replaced since it was scored.
        """
        sides = [side for side in (values["challenger"], values["champion"]) if side]
        path = self._path(*(side["version"] for side in sides))
        with self._versions.locked():
            for side in sides:
                found = self._versions.version(side["version"])
                if found.manifest_sha256 != side["manifest_sha256"]:
                    raise UserInputError(
                        f"Version {found.number} in {self._versions.path!r} was replaced while it "
                        "was compared. Run the gate again."
                    )
            manifest.write_values(path, {**values, "code_version": VERSION})
        return Verdict.read(path)

    def find(self, version: int, champion: int | None) -> Verdict | None:
        """Returns the record of two versions, None where there is none.

        Raises:
          UserInputError: it was changed after it was written.
        """
        path = self._path(version, *(() if champion is None else (champion,)))
        return Verdict.read(path) if os.path.exists(path) else None

    def summary(self, version: int) -> str:
        """Returns what the newest record of a version says, for a table."""
        try:
            found = self._of_version(version)
            overridden = ["without gate"] if self._overrides(version) else []
        except UserInputError:
            return "damaged record"
        newest = max(found, key=_age, default=None)
        return ", ".join([*([] if newest is None else [newest.summary]), *overridden]) or "-"

    def require(self, version: ExportedVersion, stable: int | None) -> Verdict:
        """Returns the passed record that lets a version have a label.

        Args:
          version: that is to have it.
          stable: the version that it has to have been compared with, None for any.

        Raises:
          UserInputError: there is none, it was not passed, or it is about other files.
        """
        if stable is None:
            found = sorted(self._of_version(version.number), key=_age)
        else:
            record = self.find(version.number, stable)
            found = [] if record is None else [record]
        against = "" if stable is None else f" against version {stable}, which is stable"
        gate = (
            f"`python -m pipeline.gate --export_dir {self._versions.path} --version "
            f"{version.number} --examples FOLDER`"
        )
        without = "promote it --without_gate REASON, which is recorded"
        if not found:
            raise UserInputError(
                f"Version {version.number} has not passed the gate{against}. Run {gate}, or "
                f"{without}."
            )
        verdict = found[-1]
        self._check_sides(verdict, version, stable, gate)
        if not verdict.passed:
            raise UserInputError(
                f"The gate refused version {version.number}{against}: "
                f"{' '.join(verdict.reasons[:3])} All of it is in {verdict.path!r}. Keep the "
                f"version that serves, or {without}."
            )
        return verdict

    def override(self, version: ExportedVersion, label: str, stable: int | None, why: str) -> None:
        """Records that a version gets a label without a gate; call it under the folder's lock."""
        entry = {
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "reason": why,
            "label": label,
            "version": version.number,
            "manifest_sha256": version.manifest_sha256,
            "stable_before": stable,
        }
        path = self._path_of(version.number, _OVERRIDES)
        values = {"overrides": [*self._overrides(version.number), entry]}
        manifest.write_values(path, {**values, "code_version": VERSION})

    def remove_left(self) -> None:
        """Removes the records of versions that are gone; call it under the folder's lock."""
        there = {str(number) for number in self._versions.found()}
        for name in storage.list_folders(self._folder):
            if name.isascii() and name.isdecimal() and name not in there:
                folder = os.path.join(self._folder, name)
                for file in filter(_OWN.fullmatch, os.listdir(folder)):
                    os.remove(os.path.join(folder, file))
                with contextlib.suppress(OSError):  # It holds what is not ours.
                    os.rmdir(folder)

    def _check_sides(
        self, verdict: Verdict, version: ExportedVersion, stable: int | None, gate: str
    ) -> None:
        """Compares a record with the versions that it has to be about; a champion may be gone."""
        expected = version.number, verdict.champion if stable is None else stable
        if (verdict.version, verdict.champion) != expected:
            raise UserInputError(
                f"{verdict.path!r} is about versions {verdict.version} and {verdict.champion}, not "
                f"{expected[0]} and {expected[1]}: it was copied there. Remove it, and run {gate}."
            )
        versions = self._versions.found()
        for side in filter(None, (verdict.values["challenger"], verdict.values["champion"])):
            found, was = versions.get(side["version"]), side["manifest_sha256"]
            if isinstance(found, ExportedVersion) and found.manifest_sha256 != was:
                raise UserInputError(
                    f"{verdict.path!r} is about another version {found.number}: its manifest had "
                    f"the sha256 {was}, that in the folder has {found.manifest_sha256}. Run {gate}."
                )

    def _of_version(self, version: int) -> list[Verdict]:
        folder = self._path_of(version, "")
        names = os.listdir(folder) if os.path.isdir(folder) else []
        records = sorted(filter(_RECORD.fullmatch, names))
        return [Verdict.read(os.path.join(folder, name)) for name in records]

    def _overrides(self, version: int) -> list[Any]:
        path = self._path_of(version, _OVERRIDES)
        return verdicts.read_values(path)["overrides"] if os.path.exists(path) else []

    def _path(self, version: int, *champion: int) -> str:
        return self._path_of(version, f"against-{champion[0]}.json" if champion else "alone.json")

    def _path_of(self, version: int, name: str) -> str:
        return os.path.join(self._folder, str(version), name)


def _age(verdict: Verdict) -> str:
    return str(verdict.values["created"])
