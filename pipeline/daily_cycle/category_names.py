"""The texts of categorical values, of which records hold fingerprints."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import pyarrow.compute as pc

from features.ids import hashing
from features.schema import ExampleSchema
from features.tables import kinds
from features.tables.table import Table, open_table
from pipeline.join.options import JoinOptions
from pipeline.version_gate.comparison import Scope


def named(scopes: Sequence[Scope], schema: ExampleSchema, options: JoinOptions) -> list[Scope]:
    """Returns scopes whose slices by a categorical feature are called by its text.

    Args:
      scopes: those slices are called by the value in the records.
      schema: of the records.
      options: of their join, whose items and log have the texts. Integers stay as they are.
    """
    features = (*schema.item_features, *schema.context_features)
    categorical = {one.name for one in features if one.kind == "categorical"}
    wanted: dict[str, set[str]] = {}
    for scope in scopes:
        # 0 is padding and null, which no text has: looking for it would take all of the log.
        if scope.slicing in categorical and scope.name != "0":
            wanted.setdefault(scope.slicing, set()).add(scope.name)
    texts = _texts(options, wanted)
    return [
        dataclasses.replace(scope, name=texts.get(scope.slicing, {}).get(scope.name, scope.name))
        for scope in scopes
    ]


def _texts(
    options: JoinOptions, wanted: Mapping[str, Collection[str]]
) -> dict[str, dict[str, str]]:
    """Returns by feature the texts of those wanted values that are fingerprints of one."""
    found: dict[str, dict[str, str]] = {name: {} for name in wanted}
    for flag, locations in (("items", options.items), ("events", options.events)):
        is_missing = any(len(found[name]) < len(wanted[name]) for name in wanted)
        if is_missing and locations:
            table = open_table(locations, flag, options.tables, is_log=flag == "events", quiet=True)
            _add(found, table, wanted)
    return found


def _add(
    found: Mapping[str, dict[str, str]], table: Table, wanted: Mapping[str, Collection[str]]
) -> None:
    texts = {name for name, kind in table.reader.kinds.items() if kinds.is_text(kind)}
    names = sorted(texts & found.keys())
    for unit in table.units:
        names = [name for name in names if len(found[name]) < len(wanted[name])]
        if not names:
            return
        for batch, _ in table.reader.read(unit, names):
            for name in names:
                distinct = pc.unique(batch[name]).drop_null()
                values = map(str, hashing.ids_of_column(distinct).tolist())
                pairs = zip(values, distinct.to_pylist(), strict=True)
                found[name].update(pair for pair in pairs if pair[0] in wanted[name])
