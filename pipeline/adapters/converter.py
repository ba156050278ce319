"""Converts a data set by its adapter: find sources, write tables, publish, name the join."""

import dataclasses
import fnmatch
import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from absl import logging

from features.errors import UserInputError
from features.files import checked, storage
from pipeline.adapters.table import Table
from pipeline.adapters.text_rows import Column, TextRow
from pipeline.publishing.publication import QUARANTINE, Publication
from pipeline.runtime import left_out, plain_text, shell_text

_CHUNK_ROWS = 1 << 16
_JOIN = ("python", "-m", "pipeline.build_examples")
_CUT_ABOVE = 128
"""Candidates of a record by the join's default."""

Sources = dict[str, tuple[str, ...]]
"""Paths by role, such as `ratings`; no path where an optional file is absent."""


class Tables:
    """The tables of an output that is being written.

    Args:
      source: folder of the sources.
      building: folder to write to.
      output: folder under which the tables are published.
      max_bad_fraction: the largest share of quarantined rows of a table.
      chunk_rows: the most rows to hold before they are Arrow, or to read from Parquet at once.

    Attributes:
      notes: what the user should know of the conversion, one sentence or two each.
    """

    def __init__(
        self, source: str, building: str, output: str, max_bad_fraction: float, chunk_rows: int
    ):
        self._source, self._building, self._output = source, building, output
        self._max_bad_fraction = max_bad_fraction
        self.chunk_rows = chunk_rows
        self.notes: list[str] = []
        self._opened: dict[str, Table] = {}

    def open(self, name: str, schema: pa.Schema, rows_per_group: int = 1 << 17) -> Table:
        """Starts a table; `name` is its folder, below the output."""
        self._opened[name] = Table(
            name.replace("/", "-"),
            os.path.join(self._building, *name.split("/")),
            os.path.join(self._building, QUARANTINE),
            schema,
            rows_per_group,
            self.chunk_rows,
            self._source,
        )
        return self._opened[name]

    def write(
        self,
        name: str,
        columns: Sequence[Column],
        rows: Iterable[TextRow],
        names: Sequence[str] = (),
        unique: bool = False,
    ) -> None:
        """Writes a table of rows of text.

        Args:
          name: of the table.
          columns: of the table.
          rows: as they were read.
          names: what the values of a row are called; nothing where they are JSON objects.
          unique: whether of rows with one id, the first column, the first counts; memory holds ids.

        Raises:
          UserInputError: too many rows were quarantined.
        """
        table = self.open(name, pa.schema([(column.name, column.type) for column in columns]))
        checked = sorted(columns, key=lambda column: column.order)

        seen: set[Any] = set()

        def parse(row: TextRow) -> list[list[Any]]:
            values = dict(zip(names, row.values, strict=True)) if names else row.values
            parsed = {one.name: one.parse(values.get(one.source), one.source) for one in checked}
            identifier = parsed[columns[0].name]
            if unique and identifier in seen:
                table.repeated += 1
                return []
            if unique:
                seen.add(identifier)
            for one in columns:
                if one.lenient and parsed[one.name] is None and values.get(one.source) is not None:
                    table.emptied[one.name] += 1
            return [[parsed[one.name] for one in columns]]

        for row in rows:
            table.take_several(row, parse)
        self.close(name)

    def close(self, name: str) -> Table:
        """Completes a table.

        Raises:
          UserInputError: too many of its rows were quarantined.
        """
        self._opened[name].close(self._max_bad_fraction)
        return self._opened[name]

    def path(self, name: str) -> str:
        """Returns the folder under which a table is published, for the command that joins it."""
        return os.path.join(self._output, *name.split("/"))

    def counts(self) -> dict[str, Any]:
        """Returns each table's counts, for the manifest."""
        return {
            name: {
                "read": table.read,
                "written": table.written,
                "quarantined": table.quarantined,
                **({"source_rows": table.source_rows} if table.source_rows != table.read else {}),
                **({"repeated": table.repeated} if table.repeated else {}),
                **({"emptied": dict(table.emptied)} if table.emptied else {}),
            }
            for name, table in self._opened.items()
        }

    def files(self) -> dict[str, str]:
        """Returns the sha256 of every file of the tables by its path below the output."""
        return {
            os.path.relpath(path, self._building): checked.sha256(path)
            for table in self._opened.values()
            for path in table.paths
        }


@dataclasses.dataclass(frozen=True)
class Adapter:
    """The format of one public data set, named as in `--dataset`.

    `find_sources` returns the files of a folder, or raises `UserInputError` naming what is missing;
    `convert` writes the tables and returns the flags of `pipeline.build_examples` that join them,
    `--output` excepted.
    """

    name: str
    find_sources: Callable[[str], Sources]
    convert: Callable[[Sources, Tables], list[str]]


def run(
    adapter: Adapter,
    source: str,
    output: str,
    max_bad_fraction: float = 0.01,
    chunk_rows: int = _CHUNK_ROWS,
) -> dict[str, Any]:
    """Converts a data set; does nothing where the output holds the same already.

    Args:
      adapter: of the data set's format.
      source: folder of the data set as it was published.
      output: folder to publish.
      max_bad_fraction: the largest share of quarantined rows of a table.
      chunk_rows: rows handled at once; the output does not depend on it.

    Returns:
      The published manifest; `join_command` is the command that joins the tables, and `notes`, if
      any, are what the user should know.

    Raises:
      UserInputError: the source or an option must be changed. Nothing is published then.
    """
    for flag, folder in (("input", source), ("output", output)):
        plain_text.check(folder, f"--{flag}")
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
        "inputs": [
            {
                "name": os.path.relpath(path, source),
                "bytes": os.path.getsize(path),
                "sha256": checked.sha256(path),
            }
            for path in paths
        ],
    }
    publication = Publication(output, identity)
    if (found := publication.existing()) is not None:
        logging.info("%s holds this data set already: nothing to do.", output)
        _check_command(found, output)
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
        flags.append(f"--output={output.rstrip(os.sep)}-examples")
        command = shell_text.command([*_JOIN, *flags])
        values = {"counts": counts, "files": tables.files(), "join_command": command}
        values |= {"notes": tables.notes} if tables.notes else {}
        return publication.complete(values)


def _check_command(published: Mapping[str, Any], output: str) -> None:
    """Checks that a published command is a join and no more, since people run what is printed.

    Raises:
      UserInputError: it is another command.
    """
    command = published.get("join_command")
    try:
        words = shlex.split(str(command))
        as_written = shell_text.command(words) == command and tuple(words[:3]) == _JOIN
    except (ValueError, UserInputError):
        as_written = False
    if not as_written:
        raise UserInputError(
            f"--output: the manifest of {output!r} holds the command {command!r:.200}, expected "
            f"{' '.join(_JOIN)} with flags. Give another folder to convert to."
        )


def log_left_out(published: dict[str, Any], output: str) -> None:
    """Logs rows and values that no table has."""
    listed = f"They are in {storage.join(output, QUARANTINE)}."
    for name, counts in published["counts"].items():
        left_out.log(name, {"quarantined": counts["quarantined"]}, counts["read"], listed)
        left_out.log(name, {"an earlier row has the id": counts.get("repeated", 0)})
        emptied = {f"{column} cannot be read": n for column, n in counts.get("emptied", {}).items()}
        left_out.log(name, emptied, where="They are null.", what="values")


def find_file(folder: str, names: tuple[str, ...], required: bool = True) -> tuple[str, ...]:
    """Returns the path of the first of the named files that a folder has.

    A name with `*` matches one file.

    Raises:
      UserInputError: there is none though it is required, or several match one name.
    """
    for name in names:
        found = sorted(fnmatch.filter(os.listdir(folder), name))
        if len(found) > 1:
            raise UserInputError(
                f"{folder!r} has several files {name}: {', '.join(found)}. Leave one, since user "
                "and item ids mean different things in different releases."
            )
        if found:
            return (os.path.join(folder, found[0]),)
    if required:
        what = "file " if "*" in names[0] else ""
        raise missing(folder, what + " or ".join(names))
    return ()


def whole_requests(largest: int) -> list[str]:
    """Returns the flag without which the join cuts a request of that many candidates, if any."""
    return [f"--max_candidates={largest}"] if largest > _CUT_ABOVE else []


def missing(folder: str, what: str) -> UserInputError:
    """Returns the error of a folder that lacks a file; it lists the first names of the folder."""
    names = sorted(os.listdir(folder))
    listing = ", ".join(names[:8]) or "nothing"
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return UserInputError(
        f"{folder!r} has no {what}. It holds {listing}{more}. Give the folder that holds the files "
        "as they were published."
    )
