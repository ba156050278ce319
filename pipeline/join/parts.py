"""A data set that grows: each log becomes a dated part that goes on from the parts before.

    examples/manifest.json            all published parts together
    examples/part=2026-05-01/         a data set of its own, with the state for the next part
    examples/part=2026-05-02/

A part is joined from its own log and the state of the part before (`inputs.part_state`), and has
the records that a join of all logs would have.
"""

import dataclasses
import os
import shutil
from typing import Any

import numpy as np

from features.errors import UserInputError
from features.files import checked, manifest, storage
from features.id_kinds import KEY
from features.ids import id_table
from pipeline.join.inputs import part_state
from pipeline.join.inputs.join_inputs import JoinInputs
from pipeline.join.inputs.part_state import PartState
from pipeline.join.options import JoinOptions
from pipeline.join.transport import summary
from pipeline.publishing import publication

_MAY_DIFFER = ("partitions", "wait_for_labels", "compression")
_PREFIX = "part="
_REMOVED = ".removed"
"""Ends the name of a part's folder that is being removed."""


@dataclasses.dataclass(frozen=True)
class Earlier:
    """The parts before this one.

    Attributes:
      state: of the newest of them.
      vocabulary: `[N]` int64, the items of their first split.
      fingerprints: each part's name and the sha256 of its manifest, in order.
    """

    state: PartState
    vocabulary: np.ndarray
    fingerprints: list[dict[str, str]]


NOTHING_EARLIER = Earlier(PartState(), np.zeros(0, np.int64), [])


class PartedOutput:
    """A data set of parts, to which a part is added.

    Args:
      output: the data set's folder.
      part: the part's name.

    Attributes:
      folder: the part's folder.

    Raises:
      UserInputError: the output holds a data set without parts.
    """

    def __init__(self, output: str, part: str):
        self._output, self._part = output.rstrip("/"), part
        self.folder = folder_of(self._output, part)
        self._parts = self._published()

    def earlier(
        self, inputs: JoinInputs, parameters: dict[str, Any], options: JoinOptions
    ) -> Earlier:
        """Returns the parts before this one.

        Args:
          inputs: of this part.
          parameters: of this part, for the manifest.
          options: of this part.

        Raises:
          UserInputError: their parameters, encoders or schema differ from this part's, or a file
            that the newest of them left is damaged.
        """
        names = self._parts
        if self._part in names:
            names = names[: names.index(self._part)]
        if not names:
            return NOTHING_EARLIER
        folder = folder_of(self._output, names[-1])
        values = manifest.read_manifest(folder)
        _check_alike(folder, values, parameters, inputs)
        (vocabulary,) = values["vocabulary"]
        return Earlier(
            state=part_state.open_state(folder, values, options),
            vocabulary=id_table.read_vocabulary(
                storage.join(folder, vocabulary),
                values["vocabulary"][vocabulary],
                part_state.REMEDY,
            ),
            fingerprints=[
                {"part": name, "sha256": checked.sha256(_manifest(self._output, name))}
                for name in names
            ],
        )

    def complete(self) -> dict[str, Any]:
        """Adds the complete part to the data set's manifest, and returns that.

        Later parts whose folder was removed leave the manifest: they are to be joined again.
        """
        names = self._parts if self._part in self._parts else [*self._parts, self._part]
        later = names[names.index(self._part) + 1 :]
        gone = [name for name in later if not storage.is_file(_manifest(self._output, name))]
        names = [name for name in names if name not in gone]
        _write(self._output, names)
        return manifest.read_manifest(self._output)

    def _published(self) -> list[str]:
        """Returns the parts that the manifest names, in order."""
        if not storage.is_file(storage.join(self._output, manifest.FILE_NAME)):
            return []
        values = manifest.read_manifest(self._output)
        if "parts" not in values:
            raise UserInputError(
                f"{self._output!r} holds a data set without parts. Choose another --output, or "
                "leave --part out."
            )
        return values["parts"]


def withdraw(output: str, part: str) -> None:
    """Takes the newest part out of a local data set, as if it had not been joined.

    Does nothing where the part is not there.

    Args:
      output: the data set's folder.
      part: the part's name.

    Raises:
      UserInputError: there is a later part, whose histories reach back into this one.
    """
    with publication.locked(output):
        names = _names(output)
        if part in names:
            if names[-1] != part:
                raise UserInputError(
                    f"{output!r}: part {part!r} cannot be taken out, because {names[-1]!r} was "
                    "joined after it. Take out the later parts first."
                )
            _write(output, names[:-1])
        _remove(output, part)


def keep_newest(output: str, count: int) -> list[str]:
    """Removes the oldest parts of a local data set, and returns their names.

    Histories, counts and vocabulary of later parts keep what they had from them.

    Args:
      output: the data set's folder.
      count: parts to keep, at least 1.
    """
    with publication.locked(output):
        names = _names(output)
        kept, old = names[-count:], names[:-count]
        if old:
            _write(output, kept)
        # Also what a killed removal has left.
        present = [one for one in os.listdir(output) if one.startswith(_PREFIX)] if kept else []
        left = {one.removeprefix(_PREFIX).removesuffix(_REMOVED) for one in present}
        for name in sorted({*old, *(one for one in left if one < kept[0])}):
            _remove(output, name)
    return old


def _remove(output: str, part: str) -> None:
    """Removes a part's folder: hidden first, so that a killed removal leaves no half of a part."""
    folder = folder_of(output, part)
    hidden = f"{folder}{_REMOVED}"
    if os.path.isdir(folder):
        shutil.rmtree(hidden, ignore_errors=True)
        os.rename(folder, hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def _names(output: str) -> list[str]:
    """Returns the parts that a data set's manifest names, in order; none without a manifest."""
    if not storage.is_file(storage.join(output, manifest.FILE_NAME)):
        return []
    return list(manifest.read_manifest(output)["parts"])


def _write(output: str, names: list[str]) -> None:
    """Writes the manifest of a data set that consists of these parts; removes it without any."""
    if not names:
        storage.remove_file(storage.join(output, manifest.FILE_NAME))
        return
    values = {name: manifest.read_manifest(folder_of(output, name)) for name in names}
    manifest.write_manifest(output, _merged(values))


def folder_of(output: str, part: str) -> str:
    """Returns the folder of a part in a data set."""
    return storage.join(output, f"{_PREFIX}{part}")


def _manifest(output: str, part: str) -> str:
    return storage.join(folder_of(output, part), manifest.FILE_NAME)


def _check_alike(
    folder: str,
    values: dict[str, Any],
    parameters: dict[str, Any],
    inputs: JoinInputs,
) -> None:
    """Checks that a part fits the one before it.

    Raises:
      UserInputError: a parameter, an encoder or the schema differs.
    """
    there = values["parameters"]
    differing = [
        f"{name} was {there.get(name)!r}, now {parameters.get(name)!r}"
        for name in {**parameters, **there}
        if name not in _MAY_DIFFER and there.get(name) != parameters.get(name)
    ]
    for name, files in inputs.embeddings.items():
        encoder = values["embedding_sets"].get(name, {}).get("encoder", "")
        if encoder and files.encoder and encoder != files.encoder:
            differing.append(f"the encoder of {name} was {encoder!r}, now {files.encoder!r}")
    schema = inputs.schema
    kinds = values["schema"].get(KEY, {})
    for name, kind in schema.id_kinds.to_dict().items():
        if kinds.get(name, kind) != kind:
            differing.append(f"the {name} ids were of kind {kinds[name]!r}, now {kind!r}")
    if not differing and values["schema_fingerprint"] != schema.fingerprint():
        differing.append(f"the records' schema was {values['schema']}, now {schema.to_dict()}")
    if differing:
        raise UserInputError(
            f"--part: {folder!r} was made otherwise: {'; '.join(differing)}. Use the same "
            "parameters, or begin a new data set with another --output."
        )


def _merged(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns the manifest of all parts together."""
    latest = list(parts.values())[-1]
    counts: summary.Summary = {}
    splits: dict[str, Any] = {}
    shards: dict[str, Any] = {}
    similarity: summary.Summary = {}
    for name, values in parts.items():
        prefix = f"part={name}/"
        counts = summary.merge(counts, values["counts"])
        shards.update({prefix + shard: one for shard, one in values["shards"].items()})
        for split, own in values["splits"].items():
            own = {**own, "shards": [prefix + shard for shard in own["shards"]]}
            splits = summary.merge(splits, {split: own})
        codes = {
            modality: {label: np.array(one) for label, one in by_label.items()}
            for modality, by_label in values["similarity"].items()
        }
        similarity = summary.merge(similarity, codes)
    for split in splits.values():
        split["time_range"] = [min(split["time_range"]), max(split["time_range"])]
    last_name = list(parts)[-1]
    kept = ("schema", "schema_fingerprint", "parameters", "embedding_sets", "side_tables")
    return {
        **{name: latest[name] for name in kept},
        "parts": list(parts),
        "inputs": {name: values["inputs"] for name, values in parts.items()},
        "counts": counts,
        "splits": splits,
        "shards": shards,
        "similarity": summary.plain(similarity),
        "vocabulary": {
            f"part={last_name}/{path}": one for path, one in latest["vocabulary"].items()
        },
    }
