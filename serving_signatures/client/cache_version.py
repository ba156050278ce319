"""What the manifest of a cache's version says: checked once, where a version is opened."""

from typing import Annotated, Any

from pydantic import Field, StrictInt, StrictStr, model_validator
from pydantic.dataclasses import dataclass

from features.errors import UserInputError
from features.files import manifest, storage, structure, versions

_REMEDY = (
    f"Write the number of another version into {versions.POINTER}, or run the backfill with "
    "--recompute."
)

_Count = Annotated[StrictInt, Field(ge=0, le=1 << 40)]


@dataclass(frozen=True)
class _Column:
    """Dtype and shape of one output of one item."""

    dtype: Annotated[StrictStr, Field(pattern=r"^(u?int(8|16|32|64)|float(16|32|64))$")]
    shape: Annotated[list[_Count], Field(max_length=8)]


@dataclass(frozen=True)
class Part:
    """One file of a cache.

    Attributes:
      file: its name in `parts/`.
      rows: how many items it has.
      sha256: of its bytes; also its name.
    """

    file: Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{64}\.parquet$")]
    rows: _Count
    sha256: Annotated[StrictStr, Field(pattern=r"^[0-9a-f]{64}$")]

    @model_validator(mode="after")
    def _is_named_by_its_bytes(self) -> "Part":
        if self.file != f"{self.sha256}.parquet":
            raise ValueError(f"{self.file} is not the name of a file of sha256 {self.sha256}")
        return self


@dataclass(frozen=True)
class _Version:
    """The keys that readers of a version use."""

    cache: StrictStr
    version: _Count
    tag: StrictStr
    items: _Count
    columns: dict[StrictStr, _Column]
    parts: list[Part]

    @model_validator(mode="after")
    def _parts_add_up(self) -> "_Version":
        rows = sum(part.rows for part in self.parts)
        if rows != self.items:
            raise ValueError(f"the parts have {rows} rows, expected {self.items}")
        if len({part.file for part in self.parts}) != len(self.parts):
            raise ValueError("a part is listed twice")
        return self


def path_of(base: str, number: int) -> str:
    """Returns the path of a version's manifest."""
    return versions.path_of(base, number, ".json")


def read_version(base: str, number: int) -> dict[str, Any]:
    """Reads the manifest of a version.

    Args:
      base: the cache's own folder.
      number: of the version.

    Raises:
      UserInputError: it is missing, damaged, or of another cache or version.
    """
    path = path_of(base, number)
    if not storage.is_file(path):
        raise UserInputError(f"{base!r} has no version {number}: {path!r} is missing. {_REMEDY}")
    try:
        values = manifest.read_values(path)
    except UserInputError as error:
        raise UserInputError(f"{error} {_REMEDY}") from error
    structure.check(_Version, values, repr(path), _REMEDY)
    received, expected = (values["cache"], values["version"]), (storage.base_name(base), number)
    if received != expected:
        raise UserInputError(
            f"{path!r} is of {received[0]}, version {received[1]}; expected {expected[0]}, version "
            f"{expected[1]}. {_REMEDY}"
        )
    return values
