"""What the adapters' tests share: converting, reading the result, running the printed command."""

import collections
import dataclasses
import json
import shlex
import types
import typing

import pyarrow.parquet as pq

from features.files import manifest
from pipeline.adapters import converter
from pipeline.join.job import build_examples
from pipeline.join.options import JoinOptions
from tests.pipeline.join import oracle


def convert(adapter, source, output, **options):
    """Converts, and holds the counts to what is in the files."""
    options = {"max_bad_fraction": 1.0, **options}
    done = converter.run(adapter.ADAPTER, str(source), str(output), **options)
    assert done == manifest.read_manifest(str(output))
    for name, counts in done["counts"].items():
        assert counts["read"] == counts["written"] + counts["quarantined"], name
        assert counts["written"] == len(rows(output, name)), name
        assert counts["quarantined"] == len(quarantined(output, name)), name
    return done


def rows(output, table):
    """Returns a table's rows as dicts, in order."""
    paths = sorted((output / table).glob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def quarantined(output, table):
    """Returns a table's quarantined rows."""
    path = output / "quarantine" / f"{table.replace('/', '-')}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def reasons(output, table):
    """Returns place and reason of a table's quarantined rows."""
    return [
        (line["file"], line.get("line", line.get("row")), line["reason"])
        for line in quarantined(output, table)
    ]


def options_of(command):
    """Returns the options that a printed command stands for."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "pipeline.build_examples"]
    kinds = {field.name: field.type for field in dataclasses.fields(JoinOptions)}
    values = {}
    for word in words[3:]:
        name, separator, text = word.removeprefix("--").partition("=")
        assert word.startswith("--") and separator, word
        kind = kinds[name]
        if typing.get_origin(kind) is types.UnionType:
            (kind,) = (one for one in typing.get_args(kind) if one is not type(None))
        if typing.get_origin(kind) is dict:
            key, _, value = text.partition("=")
            values.setdefault(name, {})[key] = value
        elif name in ("derive_label", "behavior_type"):
            values[name] = (*values.get(name, ()), text)
        elif typing.get_origin(kind) is tuple:
            values[name] = text.split(",")
        else:
            values[name] = text
    return JoinOptions.from_dict(values)


def join(done):
    """Runs the printed command's join in this process; returns its options and manifest."""
    options = options_of(done["join_command"])
    return options, build_examples(options)


def joined_requests(options, splits):
    """Returns how often a join wrote each request: split, ids, candidates, clicks, history."""
    return collections.Counter(
        (
            split,
            record["request_id"][0],
            record["user_id"][0],
            tuple(record["candidate_item_id"]),
            tuple(record["click"]),
            tuple(record["history_item_id"]),
        )
        for split in splits
        for shard in oracle.read_records(options.output, split).values()
        for record in shard
    )
