"""The pre-flight of a table: the columns of all its files, by one name and one type.

Files of one table may differ: in the order of columns, the width of integers, the encoding of
texts, in columns that are null throughout or that only some have. A column that cannot be made one
is a problem only for who reads it.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa

from features.tables import kinds
from features.tables.locations.hive_keys import Keys
from features.tables.names import feature_name
from features.tables.options import TableOptions
from features.tables.places import Content

_FROM_TEXT = ("csv",)
"""Formats whose types are guessed from texts, and can be read as text as well."""


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
      name: under which it is read.
      kind: the canonical type over all files; None for a type that nothing here reads.
      received: the type in the first file that has it.
      path: of that file.
      own: its name in that file.
      problem: why it cannot be read although it is there; empty if it can.
      lacking: the first file that has rows but not this column; None if all have it.
      own_types: by file, of a column that is read in its own types.
    """

    name: str
    kind: pa.DataType | None
    received: pa.DataType
    path: str
    own: str
    problem: str = ""
    lacking: str | None = None
    own_types: Mapping[str, pa.DataType] = dataclasses.field(default_factory=dict)


Layout = Mapping[str, str]
"""The columns of a file: its own names by ours."""


@dataclasses.dataclass(frozen=True)
class TableSchema:
    """The columns of a table.

    Attributes:
      columns: by name.
      layouts: of the files, each once.
      layout_of: the position of each file's layout.
      renames_used: the names that `TableOptions.columns` gave to a column of some file.
      nameless: type by their own name of columns that have no name here: theirs has no letter, or
        becomes that of another column.
    """

    columns: Mapping[str, Column]
    layouts: tuple[Layout, ...]
    layout_of: tuple[int, ...]
    renames_used: frozenset[str]
    nameless: Mapping[str, pa.DataType] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Found:
    """A column in one file."""

    path: str
    own: str
    kind: pa.DataType
    from_text: bool


def table_schema(
    files: Sequence[tuple[str, Content, Keys]],
    table: str,
    options: TableOptions,
    raw: Sequence[str] = (),
) -> TableSchema:
    """Returns the columns of a table.

    Args:
      files: path, content and folder keys of each.
      table: as the flag is called that names it.
      options: of the table.
      raw: columns that are read in their own types.
    """
    renamed = options.renamed(table)
    # What an empty file says of its columns' types is mostly the default of its writer.
    has_rows = [any(place.rows for place in content.places) for _, content, _ in files]
    counts = has_rows if any(has_rows) else [True] * len(files)
    key_kinds = _key_kinds(files)
    layouts: list[Layout] = []
    layout_of: list[int] = []
    found: dict[str, dict[str, _Found]] = {}
    problems: dict[str, str] = {}
    used: set[str] = set()
    nameless: dict[str, pa.DataType] = {}
    for (path, content, keys), is_filled in zip(files, counts, strict=True):
        layout, clashes = _layout(content.schema, renamed)
        used |= {name for name, own in renamed.items() if layout.get(name) == own}
        if layout not in layouts:
            layouts.append(layout)
        layout_of.append(layouts.index(layout))
        if not is_filled:
            continue
        taken = set(layout.values())
        for field in content.schema:
            if field.name not in taken:
                nameless.setdefault(field.name, field.type)
        for name, clash in clashes.items():
            problems.setdefault(name, f"{path!r} has {clash}")
        for name, own in layout.items():
            kind = content.schema.field(content.schema.names.index(own)).type
            one = _Found(path, own, kind, content.format in _FROM_TEXT)
            found.setdefault(name, {})[path] = one
        for key, _ in keys:
            name = feature_name(key)
            if name not in layout:
                found.setdefault(name, {})[path] = _Found(path, key, key_kinds[key], False)
    columns = {}
    filled = [path for (path, _, _), is_filled in zip(files, counts, strict=True) if is_filled]
    for name, by_file in found.items():
        lacking = next((path for path in filled if path not in by_file), None)
        column = _column(name, tuple(by_file.values()), options, name in raw)
        problem = problems.get(name) or column.problem
        columns[name] = dataclasses.replace(column, lacking=lacking, problem=problem)
    return TableSchema(columns, tuple(layouts), tuple(layout_of), frozenset(used), nameless)


def key_value(value: str | None, kind: pa.DataType) -> pa.Scalar:
    """Returns the value of a `KEY=VALUE` folder as a column has it."""
    if value is not None and kind == pa.int64():
        return pa.scalar(int(value), kind)
    return pa.scalar(value, kind)


def _layout(schema: pa.Schema, renamed: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Returns a file's own names by ours, and what is wrong with those that are not clear.

    What the user names comes first, then what has our name, then what becomes it.
    """
    times = Counter(schema.names)
    layout = {name: own for name, own in renamed.items() if own in times}
    given = set(layout.values())
    others = [own for own in times if own not in given]
    for own in others:
        if feature_name(own) == own:
            layout.setdefault(own, own)
    becoming: dict[str, list[str]] = {}
    for own in others:
        name = feature_name(own)
        if name and name != own and name not in layout:
            becoming.setdefault(name, []).append(own)
    clashes = {}
    for name, owns in becoming.items():
        layout[name] = owns[0]
        if len(owns) > 1:
            both = " and ".join(map(repr, owns))
            clashes[name] = (
                f"the columns {both}, which are both {name!r} here. Say which one is meant with "
                f"--column {name}={owns[0]}"
            )
    for name, own in layout.items():
        if times[own] > 1:
            clashes[name] = (
                f"{times[own]} columns {own!r}, and nothing says which one is meant. Write the "
                "file with each name once"
            )
    return layout, clashes


def _column(name: str, found: tuple[_Found, ...], options: TableOptions, is_raw: bool) -> Column:
    """Returns a column with the one type that all files' values have."""
    first = next((one for one in found if not kinds.is_null(one.kind)), found[0])
    column = Column(name, None, first.kind, first.path, first.own)
    if is_raw:
        own_types = {one.path: one.kind for one in found}
        return dataclasses.replace(column, kind=first.kind, own_types=own_types)
    by_file = [(one, kinds.canonical(one.kind)) for one in found]
    if any(kind is None for _, kind in by_file):
        odd = next(one for one, kind in by_file if kind is None)
        return Column(name, None, odd.kind, odd.path, odd.own)
    canonical = [kind for _, kind in by_file if kind is not None]
    if name in options.text_columns:
        return dataclasses.replace(column, kind=pa.string())
    from_text = all(one.from_text for one, kind in by_file if kind != pa.string())
    kind = kinds.unified(canonical, from_text)
    if kind is not None:
        return dataclasses.replace(column, kind=kind)
    other = next(one for one, kind in by_file if kinds.unified([kind, canonical[0]]) is None)
    mine = found[0]
    problem = (
        f"column {name!r} is {mine.kind} in {mine.path!r} and {other.kind} in {other.path!r}. "
        "Write both alike"
    )
    if kinds.is_id(mine.kind) and kinds.is_id(other.kind):
        problem += f", or read both as text with --text_column {name}"
    return dataclasses.replace(column, problem=problem)


def _key_kinds(files: Sequence[tuple[str, Content, Keys]]) -> dict[str, pa.DataType]:
    """Returns int64 for each folder key whose values are all whole numbers, else string."""
    values: dict[str, set[str]] = {}
    for _, _, keys in files:
        for name, value in keys:
            values.setdefault(name, set()).update([] if value is None else [value])
    return {
        name: pa.int64() if found and all(map(_is_whole, found)) else pa.string()
        for name, found in values.items()
    }


def _is_whole(text: str) -> bool:
    return text.isdecimal() and text.isascii() and len(text) < 19
