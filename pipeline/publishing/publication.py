"""Publishing a data set: staged first, published when it is complete.

On local disks it is staged in a folder beside its name and renamed (`output_folder`); on object
stores its manifest is written last (`output_objects`).
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from features.errors import RetryError, UserInputError
from features.files import locks, manifest, storage
from features.version import VERSION
from pipeline.publishing.output_folder import QUARANTINE as QUARANTINE
from pipeline.publishing.output_folder import OutputFolder
from pipeline.publishing.output_objects import OutputObjects


class MadeOtherwiseError(UserInputError):
    """The output holds a data set of other inputs or parameters."""


class Publication:
    """The publication of one data set.

    Args:
      output: the folder to publish, local or remote, see `features.files.storage`.
      identity: JSON values that determine its bytes; compared with an existing manifest's.

    Attributes:
      output: the folder to publish.
    """

    def __init__(self, output: str, identity: Mapping[str, Any]):
        self._place: OutputFolder | OutputObjects = (
            OutputObjects(output) if storage.is_remote(output) else OutputFolder(output)
        )
        self._identity = identity
        self.output = output

    def existing(self) -> dict[str, Any] | None:
        """Returns the manifest if this data set is published already, None if the output is free.

        Raises:
          UserInputError: the output holds something else.
        """
        output = self._place.path
        if self._place.is_free():
            return None
        advice = "Choose another --output, give --new_version, or remove the folder."
        if not storage.is_file(storage.join(output, manifest.FILE_NAME)):
            raise UserInputError(f"{output!r} exists and is no data set. {advice}")
        found = manifest.read_manifest(output)
        wanted = {**self._identity, "code_version": VERSION}
        if difference := describe_difference(found, wanted):
            raise MadeOtherwiseError(
                f"{output!r} holds a data set made otherwise: {difference}. {advice}"
            )
        self._place.finish()
        return found

    @contextlib.contextmanager
    def staging(self) -> Iterator[str]:
        """Yields an empty staging directory, which is removed if the body fails.

        The quarantine is kept then.

        Raises:
          UserInputError: another job writes the output, or it cannot be written.
          UserInputError, RetryError: the body's own, with a note that nothing was published and
            the path of the quarantine.
        """
        self._place.begin()
        try:
            yield self._place.staging
        except (UserInputError, RetryError) as error:
            kept = self.abandon()
            where = f" The rows that were left out are in {kept!r}." if kept else ""
            kind = RetryError if isinstance(error, RetryError) else UserInputError
            raise kind(f"{error}{where} Nothing was published.") from error
        except Exception:
            self.abandon()
            raise
        finally:
            self._place.release()

    def complete(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Publishes, the manifest last, and returns the manifest."""
        self._place.complete({**values, **self._identity})
        return manifest.read_manifest(self._place.path)

    def abandon(self) -> str | None:
        """Removes the staged files, keeps the quarantine and returns the path of that, if any."""
        return self._place.abandon()


@contextlib.contextmanager
def locked(output: str) -> Iterator[None]:
    """On local disks, keeps other jobs from an output that is not staged as a whole.

    Raises:
      UserInputError: another job writes it.
    """
    if storage.is_remote(output):
        yield
        return
    with locks.locked(output):
        yield


def newest_version(output: str, identity: Mapping[str, Any]) -> Publication:
    """Returns the publication of the first of `output`, `output-v2`, ... that is free or the same.

    Args:
      output: the folder to publish.
      identity: as of `Publication`.

    Raises:
      UserInputError: one of them exists and is no data set.
    """
    output, version = output.rstrip("/"), 1
    while True:
        name = output if version == 1 else f"{output}-v{version}"
        publication = Publication(name, identity)
        try:
            publication.existing()
            return publication
        except MadeOtherwiseError:
            version += 1


def describe_difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Describes what differs, down to the parameter; empty where all that is wanted is found."""
    parts = []
    for key, here in wanted.items():
        if (there := found.get(key)) == here:
            continue
        if isinstance(there, dict) and isinstance(here, dict):
            names = [name for name in here if there.get(name) != here[name]]
            names += [name for name in there if name not in here]
            parts += [f"{name} was {there.get(name)!r}, now {here.get(name)!r}" for name in names]
        else:
            parts.append(f"{key} was {there!r}, now {here!r}")
    text = "; ".join(parts)
    return text if len(text) < 600 else text[:600] + "..."
