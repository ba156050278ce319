"""The manifests of an embedding set: encoder, width, and which files belong to it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from features import id_kinds
from features.errors import UserInputError
from features.files import checked, manifest, storage
from features.id_kinds import Kind
from features.tables.table import Table


@dataclasses.dataclass(frozen=True)
class Declared:
    """What manifests say of a set.

    Attributes:
      dimension: the embedding width M; None without a manifest.
      encoder: name and version of the encoder; empty without a manifest.
      item_kind: the kind of the item ids; None where no manifest says it.
      sha256: of the files that a manifest describes, by path.
    """

    dimension: int | None
    encoder: str
    item_kind: Kind | None
    sha256: dict[str, str]


def dimension(table: Table) -> int | None:
    """Returns the width M that a manifest of a set says, None without one.

    Raises:
      UserInputError: a manifest is no embedding set's.
    """
    for path, _ in table.passed_over:
        if storage.base_name(path) == manifest.FILE_NAME:
            return int(values_of(path.rpartition("/")[0])["dimension"])
    return None


def read(table: Table) -> Declared:
    """Reads each `manifest.json` that lies in a folder of the set, and checks files against it.

    A manifest describes the files in and below its folder, by their names from there.

    Raises:
      UserInputError: a file is missing, is another one or is not described, a manifest is no
        embedding set's, or two are of different encoders or widths.
    """
    found = {
        path.rpartition("/")[0]: values_of(path.rpartition("/")[0])
        for path, _ in table.passed_over
        if storage.base_name(path) == manifest.FILE_NAME
    }
    hashes: dict[str, str] = {}
    for folder, values in found.items():
        deeper = [one for one in found if one.startswith(f"{folder}/")]
        hashes |= _checked(table, folder, values["sha256"], deeper)
    dimensions = {folder: values["dimension"] for folder, values in found.items()}
    encoders = {
        folder: f"{values.get('encoder')} {values.get('version')}"
        for folder, values in found.items()
    }
    _check_alike("width", dimensions)
    _check_alike("encoder", encoders)
    kinds = [_item_kind(folder, values) for folder, values in found.items()]
    return Declared(
        dimension=next(iter(dimensions.values()), None),
        encoder=next(iter(encoders.values()), ""),
        item_kind=next((kind for kind in kinds if kind), None),
        sha256=hashes,
    )


def values_of(folder: str) -> dict[str, Any]:
    """Reads the manifest of a set.

    Raises:
      UserInputError: there is none, or it is no embedding set's.
    """
    values = manifest.read_manifest(folder)
    width, hashes = values.get("dimension"), values.get("sha256")
    is_width = isinstance(width, int) and not isinstance(width, bool) and width > 0
    if not is_width or not isinstance(hashes, dict):
        raise UserInputError(
            f"{storage.join(folder, manifest.FILE_NAME)!r} is no manifest of an embedding set: "
            f"'dimension' is {width!r}, expected a whole number, and 'sha256' "
            f"{type(hashes).__name__}, expected the sha256 of each file by name. Write them, or "
            "move it out of the folder."
        )
    return values


def _item_kind(folder: str, values: Mapping[str, Any]) -> Kind | None:
    try:
        return id_kinds.item_kind(values)
    except UserInputError as error:
        raise UserInputError(f"{storage.join(folder, manifest.FILE_NAME)!r}: {error}") from error


def _checked(
    table: Table, folder: str, described: dict[str, str], deeper: list[str]
) -> dict[str, str]:
    """Compares a folder's files with its manifest, and returns the sha256 of each."""
    hashes = {}
    advice = "Copy the embedding set again, or write a new manifest."
    for path in table.paths:
        is_mine = path.startswith(f"{folder}/")
        if not is_mine or any(path.startswith(f"{one}/") for one in deeper):
            continue
        expected = described.get(path.removeprefix(f"{folder}/"))
        hashes[path] = checked.sha256(path)
        if expected != hashes[path]:
            raise UserInputError(
                f"{path!r} is not the file that {folder!r}'s manifest describes (sha256 "
                f"expected {expected}). {advice}"
            )
    missing = [
        name
        for name in described
        if (path := storage.join(folder, name)) not in hashes and path not in table.paths
    ]
    if missing:
        reasons = dict(table.passed_over)
        why = reasons.get(storage.join(folder, missing[0]), "not there")
        raise UserInputError(
            f"{folder!r}: {len(missing)} files of its manifest are not read, such as "
            f"{missing[0]!r}: {why}. {advice}"
        )
    return hashes


def _check_alike(what: str, by_folder: Mapping[str, object]) -> None:
    distinct: dict[object, str] = {}
    for folder, value in by_folder.items():
        distinct.setdefault(value, folder)
    if len(distinct) > 1:
        (one, first), (other, second), *_ = distinct.items()
        raise UserInputError(
            f"manifests of one embedding set name the {what} {one!r} ({first!r}) and {other!r} "
            f"({second!r}): similarities between them would mean nothing. Give sets of one encoder."
        )
