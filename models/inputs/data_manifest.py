"""What the manifest of joined examples says: checked once, where a data set is opened."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StrictFloat, StrictInt, StrictStr, model_validator
from pydantic.dataclasses import dataclass

from features.files import structure

_VOCABULARY = "vocabulary/item_id.txt"

REMEDY = "Copy the data set again, or join again."
"""What to do about a data set that is not as the join wrote it."""

Count = Annotated[StrictInt, Field(ge=0)]
Sha256 = Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[StrictStr, Field(pattern=r"^[0-9]{1,18}$")]
"""A count as the key of a JSON object."""


@dataclass(frozen=True)
class _Shard:
    """One file of records."""

    sha256: Sha256
    records: Count
    bytes: Count = 0
    split: StrictStr = ""


@dataclass(frozen=True)
class _Split:
    """The records of one split."""

    shards: list[StrictStr]
    records: Count
    candidates: Count
    candidates_per_record: dict[Number, Count]
    requests: Count = 0
    positives: dict[str, Count] = Field(default_factory=dict)
    zero_weights: Count = 0
    history_length: dict[Number, Count] = Field(default_factory=dict)
    candidates_per_request: dict[Number, Count] = Field(default_factory=dict)
    time_range: tuple[StrictInt, StrictInt] = (0, 0)

    @model_validator(mode="after")
    def _adds_up(self) -> "_Split":
        sizes = self.candidates_per_record.items()
        counted = sum(records for _, records in sizes)
        candidates = sum(int(size) * records for size, records in sizes)
        if (counted, candidates) != (self.records, self.candidates):
            raise ValueError(
                f"candidates_per_record adds up to {counted} records with {candidates} candidates, "
                f"expected {self.records} with {self.candidates}"
            )
        return self


@dataclass(frozen=True)
class _Vocabulary:
    """The file of the ids that have an embedding row of their own."""

    ids: Count = 0
    sha256: Sha256 = ""


_OneVocabulary = Annotated[dict[str, _Vocabulary], Field(min_length=1, max_length=1)]


@dataclass(frozen=True)
class _Counts:
    """Rows that were read, and what became of them."""

    read: Count = 0
    quarantined: dict[str, Count] = Field(default_factory=dict)
    dropped: dict[str, Count] = Field(default_factory=dict)
    downsampling: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class _EmbeddingSet:
    """An embedding set that was joined."""

    fingerprint: StrictStr
    coverage: StrictFloat | StrictInt = 0.0


@dataclass(frozen=True)
class _Codes:
    """Counts of the 256 similarity codes, by the value of the first label."""

    label_0: list[Count]
    label_1: list[Count]

    @model_validator(mode="after")
    def _has_all(self) -> "_Codes":
        if len(self.label_0) != len(self.label_1):
            raise ValueError(f"{len(self.label_0)} codes of label 0, {len(self.label_1)} of 1")
        return self


@dataclass(frozen=True)
class _DataManifest:
    """The keys that readers of a data set use, with their types."""

    schema: dict[str, Any]
    splits: dict[str, _Split]
    shards: dict[str, _Shard]
    vocabulary: _OneVocabulary = Field(default_factory=dict)
    parts: list[StrictStr] = Field(default_factory=list)
    counts: _Counts = Field(default_factory=_Counts)
    embedding_sets: dict[str, _EmbeddingSet] = Field(default_factory=dict)
    similarity: dict[str, _Codes] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _shards_add_up(self) -> "_DataManifest":
        listed = [name for split in self.splits.values() for name in split.shards]
        if sorted(listed) != sorted(self.shards):
            odd = sorted(set(listed) ^ set(self.shards)) or sorted(listed)
            raise ValueError(
                f"each shard belongs to one split and has an entry, which is not so for {odd[:3]}"
            )
        for name, split in self.splits.items():
            records = sum(self.shards[one].records for one in split.shards)
            if records != split.records:
                raise ValueError(
                    f"split {name!r} has {split.records} records, its shards have {records}"
                )
        return self


def check(folder: str, values: Mapping[str, Any]) -> None:
    """Checks keys, types and sums of a data set's manifest.

    Args:
      folder: of the data set, for the message.
      values: content of its manifest.

    Raises:
      UserInputError: names what is missing, of another type, or does not add up.
    """
    structure.check(_DataManifest, values, f"The manifest of {folder!r}", REMEDY)


def vocabulary(folder: str, values: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Returns a vocabulary's file name, and what its manifest says of the file.

    Args:
      folder: of a data set or a counted vocabulary, for the message.
      values: content of its manifest; data sets of early versions name no vocabulary.

    Raises:
      UserInputError: it names none or several, or says something else of the file.
    """
    named = values.get("vocabulary", {_VOCABULARY: {}})
    structure.check(_OneVocabulary, named, f"The manifest of {folder!r}", REMEDY)
    ((name, entry),) = named.items()
    return name, entry
