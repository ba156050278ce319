"""Joins of a log, and what one looks at afterwards."""

import hashlib
import os

from pipeline.join.options import JoinOptions
from tests.pipeline.join import logs


def options(events, output, /, **values):
    """Options of a join with the defaults otherwise; `values` may replace the two as well."""
    return JoinOptions.from_dict({"events": str(events), "output": str(output), **values})


def random_log(folder):
    """Writes a log of 200 events; returns its folder and its rows."""
    rows = logs.random_rows(3, events=200)
    return logs.write_log(folder, rows), rows


def shard_hashes(output):
    """The sha256 of each shard by name."""
    return {
        name: hashlib.sha256((output / name).read_bytes()).hexdigest()
        for name in os.listdir(output)
        if name.endswith((".tfrecord", ".tfrecord.gz"))
    }


def add_up(manifest):
    """How many rows were written, quarantined or dropped."""
    counts = manifest["counts"]
    return counts["written"] + sum(counts["quarantined"].values()) + sum(counts["dropped"].values())
