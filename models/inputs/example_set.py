"""A joined data set, as the models read it."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from features import id_kinds
from features.errors import UserInputError
from features.files import checked, manifest, storage
from features.ids import id_table
from features.schema import Downsampling, ExampleSchema
from models.inputs import data_manifest, remote_files

_HASHING_THREADS = 2
_OWN_VOCABULARY = "Run build_vocabulary again, or write ids in ascending order, one per line."


@dataclasses.dataclass(frozen=True)
class ExampleSet:
    """A folder that the join wrote.

    Attributes:
      folder: local path or URI.
      schema: what its records hold.
      manifest: the content of its `manifest.json`.
      vocabulary_path: a vocabulary file instead of the join's, see `with_vocabulary`.
      vocabulary_entry: what the manifest beside that file says of it; empty without one.
      downsampled: the splits that lack negatives, where the schema says that negatives were left
        out.
    """

    folder: str
    schema: ExampleSchema
    manifest: dict[str, Any]
    vocabulary_path: str | None = None
    vocabulary_entry: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    downsampled: tuple[str, ...] = ("train",)

    @classmethod
    def open(cls, folder: str) -> "ExampleSet":
        """Opens a data set.

        Args:
          folder: local or remote, see `features.files.storage`.

        Raises:
          UserInputError: the folder is not a complete data set.
        """
        remote_files.register(folder)
        values = manifest.read_manifest(folder)
        if "schema" not in values or "shards" not in values:
            raise UserInputError(
                f"{folder!r} is a {sorted(values)} folder, not joined examples. Give the --output "
                "of pipeline.build_examples."
            )
        data_manifest.check(folder, values)
        return cls(folder, ExampleSchema.from_dict(values["schema"]), values)

    @property
    def fingerprint(self) -> str:
        """A name of the content: equal where every shard has the same bytes, in any folder."""
        hashes = {name: one["sha256"] for name, one in self.manifest["shards"].items()}
        return hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()[:16]

    def shards(self, split: str) -> list[str]:
        """Returns the paths of a split's shards, in order, after `verify`.

        Raises:
          UserInputError: the split is empty or unknown, or a shard is not what the join wrote.
        """
        paths = self.paths(split)
        self.verify(paths)
        return paths

    def paths(self, split: str) -> list[str]:
        """Returns the paths of a split's shards, in order, without a look at the files.

        Raises:
          UserInputError: the split is empty or unknown.
        """
        return [storage.join(self.folder, name) for name in self._split(split)["shards"]]

    def verify(self, paths: Iterable[str]) -> None:
        """Compares shards with the manifest: local ones by size and sha256, remote ones by size.

        A local shard is hashed once per process, and again only where it was written since.

        Args:
          paths: of shards of this data set.

        Raises:
          UserInputError: a shard is missing, cut, damaged or another one; names the first.
        """
        expected = {path: self._entries[path] for path in paths}
        present: dict[str, int] = {}
        for folder in {path.rpartition("/")[0] for path in expected}:
            present |= storage.file_sizes(folder)
        for path, one in expected.items():
            if path not in present:
                raise UserInputError(f"Shard {path!r} of the manifest is missing. Join again.")
            declared = one.get("bytes", present[path])
            if present[path] != declared:
                raise UserInputError(
                    f"Shard {path!r} has {present[path]} bytes, but the manifest says {declared}. "
                    f"{data_manifest.REMEDY}"
                )
        if not storage.is_remote(self.folder):
            # Hashing leaves the interpreter to others.
            with ThreadPoolExecutor(_HASHING_THREADS) as pool:
                for _ in pool.map(_verify, expected, expected.values()):
                    pass

    def records(self, path: str) -> int:
        """Returns the records of a shard that the manifest says."""
        return int(self._entries[path]["records"])

    def candidates_per_record(self, split: str) -> dict[int, int]:
        """Returns the records of a split by their number of candidates."""
        counts = self._split(split)["candidates_per_record"]
        return {int(candidates): records for candidates, records in counts.items()}

    def check_candidates(self, split: str, received: int) -> None:
        """Raises `UserInputError` where so many candidates were read, but the manifest differs."""
        declared = self._split(split)["candidates"]
        if received != declared:
            raise UserInputError(
                f"The shards of split {split!r} of {self.folder!r} have {received} candidates, but "
                f"the manifest says {declared}. {data_manifest.REMEDY}"
            )

    def downsampling(self, split: str) -> Downsampling | None:
        """Returns how negatives of a split were left out, None where all are there."""
        return self.schema.downsampling if split in self.downsampled else None

    def check_label(self, label: str, splits: tuple[str, ...] = ("train", "validation")) -> None:
        """Raises `UserInputError` where all candidates of a split have one label or no weight."""
        for split in splits:
            values = self._split(split)
            positives, candidates = values.get("positives", {}).get(label), values["candidates"]
            if values.get("zero_weights") == candidates:
                raise UserInputError(
                    f"All {candidates:,} candidates of the {split} split of {self.folder!r} have a "
                    "weight of 0: there is nothing to learn. Join with another --weight_column, or "
                    "without."
                )
            if positives in (0, candidates):
                raise UserInputError(
                    f"{label!r} is {int(positives > 0)} for all {candidates:,} candidates of the "
                    f"{split} split of {self.folder!r}: there is nothing to learn. Join with "
                    "another label or rule, or let the split cover more of the log."
                )

    def check_fits(self, schema: ExampleSchema) -> None:
        """Refuses to be read by a model that was trained with another schema or kind of ids.

        Raises:
          UserInputError: names what differs.
        """
        if schema.of_requests != self.schema.of_requests:
            raise UserInputError(
                f"The model was trained with the schema {schema}, but {self.folder!r} has "
                f"{self.schema}. Join with the same labels, embeddings and side features."
            )
        received, expected = self.schema.id_kinds.item, schema.id_kinds.item
        remedy = "Join the log whose ids are as the model's were, or train a model on this one."
        id_kinds.check(received, repr(self.folder), expected, "the model", remedy)

    def with_vocabulary(self, path: str) -> "ExampleSet":
        """Returns the same data set with another vocabulary.

        Args:
          path: folder that `pipeline.build_vocabulary` wrote, or a file of ascending ids, one per
            line.

        Raises:
          UserInputError: it is neither, or its ids are of another kind.
        """
        if storage.is_file(path):
            return dataclasses.replace(self, vocabulary_path=path, vocabulary_entry={})
        values = manifest.read_manifest(path)
        if "vocabulary" not in values:
            raise UserInputError(
                f"{path!r} holds {sorted(values)}, but no vocabulary. Give the --output of "
                "pipeline.build_vocabulary, or a file of ids."
            )
        received, expected = id_kinds.item_kind(values), self.schema.id_kinds.item
        remedy = "Run build_vocabulary on examples of the same ids."
        id_kinds.check(received, f"Vocabulary {path!r}", expected, repr(self.folder), remedy)
        name, entry = data_manifest.vocabulary(path, values)
        chosen = storage.join(path, name)
        return dataclasses.replace(self, vocabulary_path=chosen, vocabulary_entry=entry)

    def vocabulary(self) -> np.ndarray:
        """Returns the ids that have an embedding row of their own, `[N]` int64, ascending.

        By default these are the items of the train split's candidates.

        Raises:
          UserInputError: the file is not the one that was written, or no list of ids.
        """
        return id_table.read_vocabulary(*self._vocabulary())

    def identity(self) -> dict[str, Any]:
        """Returns JSON values that are equal for data sets with the same content."""
        path, *_ = self._vocabulary()
        vocabulary = checked.sha256(path) if storage.is_file(path) else None
        return {"shards": self.manifest["shards"], "vocabulary": vocabulary}

    @functools.cached_property
    def _entries(self) -> dict[str, dict[str, Any]]:
        """The manifest's entries of shards, by path."""
        shards = self.manifest["shards"].items()
        return {storage.join(self.folder, name): entry for name, entry in shards}

    def _vocabulary(self) -> tuple[str, Mapping[str, Any], str]:
        """Returns path, manifest entry and remedy of the vocabulary file."""
        if self.vocabulary_path is not None:
            return self.vocabulary_path, self.vocabulary_entry, _OWN_VOCABULARY
        name, entry = data_manifest.vocabulary(self.folder, self.manifest)
        return storage.join(self.folder, name), entry, data_manifest.REMEDY

    def _split(self, split: str) -> dict[str, Any]:
        splits = self.manifest["splits"]
        if not splits.get(split, {}).get("shards"):
            filled = sorted(name for name, values in splits.items() if values["shards"])
            raise UserInputError(
                f"{self.folder!r} has no records in split {split!r}; it has {filled}."
            )
        return splits[split]


def _verify(path: str, expected: Mapping[str, Any]) -> None:
    checked.verify(path, expected, data_manifest.REMEDY)
