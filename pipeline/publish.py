"""Publishing a data set: built under another name, checked, and renamed when complete."""

import glob
import os
import shutil
from collections.abc import Mapping
from typing import Any

from features import manifest
from features.errors import UserInputError

QUARANTINE = "quarantine"


class Publication:
    """A data set on its way to its name.

    Args:
      output: the folder to publish.
      identity: JSON values that determine its bytes; compared with an existing manifest's.

    Attributes:
      building: the folder that is written meanwhile.
    """

    def __init__(self, output: str, identity: Mapping[str, Any]):
        self._output = os.path.abspath(output)
        self._identity = identity
        self.building = self._output + ".building"

    def existing(self) -> dict[str, Any] | None:
        """Returns the manifest if just this data set is there already, None if nothing is.

        Raises:
          UserInputError: something else is there.
        """
        if not os.path.lexists(self._output) or _is_empty_folder(self._output):
            return None
        advice = "Choose another --output, or remove the folder."
        if not os.path.exists(os.path.join(self._output, manifest.FILE_NAME)):
            raise UserInputError(f"{self._output!r} exists and is no data set. {advice}")
        found = manifest.read_manifest(self._output)
        wanted = {**self._identity, "code_version": manifest.CODE_VERSION}
        differing = [key for key in wanted if found.get(key) != wanted[key]]
        if differing:
            raise UserInputError(
                f"{self._output!r} holds a data set made otherwise: "
                f"{_first_difference(found, wanted, differing)}. {advice}"
            )
        return found

    def begin(self) -> str:
        """Removes what a killed job left and returns the empty building folder."""
        shutil.rmtree(self.building, ignore_errors=True)
        try:
            os.makedirs(self.building)
        except OSError as error:
            raise UserInputError(f"--output: cannot write {self.building!r}: {error}.") from error
        return self.building

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Writes the manifest, renames the folder and returns the manifest."""
        for leftover in glob.glob(
            os.path.join(glob.escape(self.building), "**/*.tmp"), recursive=True
        ):
            os.remove(leftover)
        manifest.write_manifest(self.building, {**values, **self._identity})
        if _is_empty_folder(self._output):
            os.rmdir(self._output)
        os.rename(self.building, self._output)
        shutil.rmtree(self._output + ".rejected", ignore_errors=True)
        return manifest.read_manifest(self._output)

    def abandon(self) -> str | None:
        """Removes what was built, keeps its quarantine and returns where that is, if any."""
        kept = None
        quarantine = os.path.join(self.building, QUARANTINE)
        if os.path.isdir(quarantine) and os.listdir(quarantine):
            kept = os.path.join(self._output + ".rejected", QUARANTINE)
            shutil.rmtree(os.path.dirname(kept), ignore_errors=True)
            os.makedirs(os.path.dirname(kept))
            os.rename(quarantine, kept)
        shutil.rmtree(self.building, ignore_errors=True)
        return kept


def _is_empty_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.listdir(path)


def _first_difference(
    found: Mapping[str, Any], wanted: Mapping[str, Any], differing: list[str]
) -> str:
    """Describes what differs, down to the parameter."""
    parts = []
    for key in differing:
        there, here = found.get(key), wanted[key]
        if isinstance(there, dict) and isinstance(here, dict):
            names = [name for name in here if there.get(name) != here[name]]
            names += [name for name in there if name not in here]
            parts += [f"{name} was {there.get(name)!r}, now {here.get(name)!r}" for name in names]
        else:
            parts.append(f"{key} was {there!r}, now {here!r}")
    text = "; ".join(parts)
    return text if len(text) < 600 else text[:600] + "..."
