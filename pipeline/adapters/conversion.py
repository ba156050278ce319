"""What every conversion does: find the sources, write the tables, publish, say how to join."""

import dataclasses
import os
import shlex
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from absl import logging

from features.errors import UserInputError
from features.files import manifest, storage
from pipeline.adapters.table import Table
from pipeline.publishing.publication import QUARANTINE, Publication

CHUNK_ROWS = 1 << 16
Sources = dict[str, tuple[str, ...]]
"""Paths by role, such as `ratings`; a role without a file is not there."""


class Tables:
    """The tables of a conversion in the making.

    Args:
      source: folder of the sources.
      building: the folder that is written.
      output: the folder that it will be.
      max_bad_fraction: the largest share of quarantined rows of a table.
      chunk_rows: the most rows to hold before they are Arrow, or to read from Parquet at once.
    """

    def __init__(
        self, source: str, building: str, output: str, max_bad_fraction: float, chunk_rows: int
    ):
        self._source, self._building, self._output = source, building, output
        self._max_bad_fraction = max_bad_fraction
        self.chunk_rows = chunk_rows
        self._opened: dict[str, Table] = {}

    def open(self, name: str, schema: pa.Schema, rows_a_group: int = 1 << 17) -> Table:
        """Starts a table; `name` is its folder, below the output."""
        self._opened[name] = Table(
            name.replace("/", "-"),
            os.path.join(self._building, *name.split("/")),
            os.path.join(self._building, QUARANTINE),
            schema,
            rows_a_group,
            self.chunk_rows,
            self._source,
        )
        return self._opened[name]

    def close(self, name: str) -> Table:
        """Completes a table.

        Raises:
          UserInputError: too many of its rows were quarantined.
        """
        self._opened[name].close(self._max_bad_fraction)
        return self._opened[name]

    def path(self, name: str) -> str:
        """Returns the folder that a table will have, for the command that joins it."""
        return os.path.join(self._output, *name.split("/"))

    def counts(self) -> dict[str, Any]:
        """Returns each table's counts, for the manifest."""
        return {
            name: {
                "read": table.read,
                "written": table.written,
                "quarantined": table.quarantined,
                **({"emptied": dict(table.emptied)} if table.emptied else {}),
            }
            for name, table in self._opened.items()
        }

    def files(self) -> dict[str, str]:
        """Returns the sha256 of every file of the tables by its path below the output."""
        return {
            os.path.relpath(path, self._building): manifest.file_sha256(path)
            for table in self._opened.values()
            for path in table.paths
        }


@dataclasses.dataclass(frozen=True)
class Adapter:
    """One public data set's format.

    Attributes:
      name: as in `--dataset`.
      find_sources: returns the files of a folder, or raises `UserInputError` naming what is
        missing.
      convert: writes the tables and returns the flags of `pipeline.build_examples` that join
        them, `--output` excepted.
    """

    name: str
    find_sources: Callable[[str], Sources]
    convert: Callable[[Sources, Tables], list[str]]


def run(
    adapter: Adapter,
    source: str,
    output: str,
    max_bad_fraction: float = 0.01,
    chunk_rows: int = CHUNK_ROWS,
) -> dict[str, Any]:
    """Converts a data set, or finds that its conversion is there already.

    Args:
      adapter: of the data set's format.
      source: folder of the data set as it was published.
      output: folder to publish.
      max_bad_fraction: the largest share of quarantined rows of a table.
      chunk_rows: rows handled at once; the output does not depend on it.

    Returns:
      The published manifest; `join_command` is the command that joins the tables.

    Raises:
      UserInputError: the source or an option must be changed. Nothing is published then.
    """
    for flag, folder in (("input", source), ("output", output)):
        if storage.is_remote(folder):
            raise UserInputError(
                f"--{flag}: {folder!r} is not on a local disk. Convert there, then copy the folder."
            )
    if not os.path.isdir(source):
        raise UserInputError(
            f"--input: {source!r} is not a folder. Give the folder that holds the files of "
            f"{adapter.name} as they were published."
        )
    if not 0 <= max_bad_fraction <= 1:
        raise UserInputError(f"--max_bad_fraction must be from 0 to 1, not {max_bad_fraction}.")
    sources = adapter.find_sources(source)
    paths = [path for role in sources.values() for path in role]
    identity = {
        "parameters": {"dataset": adapter.name, "max_bad_fraction": max_bad_fraction},
        "inputs": [_fingerprint(path, source) for path in paths],
    }
    publication = Publication(output, identity)
    if (found := publication.existing()) is not None:
        logging.info("%s holds just this conversion already: nothing to do.", output)
        return found
    with publication.staging() as building:
        tables = Tables(source, building, output, max_bad_fraction, chunk_rows)
        flags = adapter.convert(sources, tables)
        counts = tables.counts()
        if not counts["events"]["written"]:
            raise UserInputError(
                f"{source!r} holds no event that can be used; {counts['events']['read']:,} rows "
                "were read. Give the data set as it was published."
            )
        values = {
            "counts": counts,
            "files": tables.files(),
            "join_command": _join_command(flags, output),
        }
        return publication.complete(values)


def find_file(folder: str, names: tuple[str, ...], required: bool = True) -> tuple[str, ...]:
    """Returns the first of the named files that a folder has.

    Args:
      folder: to look in.
      names: in the order of preference.
      required: whether it is an error if there is none.

    Raises:
      UserInputError: there is none.
    """
    for name in names:
        if os.path.isfile(path := os.path.join(folder, name)):
            return (path,)
    if required:
        raise UserInputError(
            f"{folder!r} has no {' or '.join(names)}. It holds {listing(folder)}. Give the folder "
            "that holds the files as they were published."
        )
    return ()


def listing(folder: str) -> str:
    """Returns the first names of a folder, for messages."""
    names = sorted(os.listdir(folder))
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return (", ".join(names[:8]) or "nothing") + more


def _join_command(flags: list[str], output: str) -> str:
    destination = f"--output={output.rstrip(os.sep)}-examples"
    return shlex.join(["python", "-m", "pipeline.build_examples", *flags, destination])


def _fingerprint(path: str, folder: str) -> dict[str, object]:
    return {
        "name": os.path.relpath(path, folder),
        "bytes": os.path.getsize(path),
        "sha256": manifest.file_sha256(path),
    }
