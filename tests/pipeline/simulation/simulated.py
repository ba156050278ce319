"""A small simulated log for tests, read back into arrays."""

import dataclasses
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.simulation.settings import MarketplaceSettings
from pipeline.simulation.simulation import simulate

SMALL = {
    "events": 300_000,
    "users": 2_000,
    "items": 3_000,
    "candidates": 4,
    "modalities": {"text": 48, "image": 16},
    "days": 3,
    "cold_fraction": 0.2,
    "missing_embeddings": 0.1,
}


def small(**changes) -> MarketplaceSettings:
    """Settings of a log of several blocks that takes about a second."""
    return MarketplaceSettings.from_dict({**SMALL, **changes})


@dataclasses.dataclass(frozen=True)
class Log:
    """A log on disk."""

    folder: str
    manifest: dict

    @classmethod
    def simulate(cls, folder, **changes) -> "Log":
        return cls(str(folder), simulate(str(folder), small(**changes), rows_per_file=100_000))

    def path(self, *names: str) -> str:
        return os.path.join(self.folder, *names)

    def table(self, name: str) -> pa.Table:
        return pq.read_table(self.path(name))

    def columns(self, name: str) -> dict[str, np.ndarray]:
        table = self.table(name)
        return {key: table[key].to_numpy() for key in table.column_names}

    def json(self, name: str) -> dict:
        with open(self.path(name)) as file:
            return json.load(file)
