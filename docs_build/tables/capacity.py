"""Tables of docs/capacity.md: measured scaling, and a worked example by the formulas."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from docs_build import capacity_formulas as formulas
from docs_build import results
from docs_build.figures import CAPACITY, OPTIMIZERS
from docs_build.join_figures import join_line
from docs_build.tables.table import Table, markdown
from features.schema import ExampleSchema, Modality
from serving_signatures.names import ID_PROJECTIONS, TARGET_AWARE_PROJECTIONS

_GB = 1e9
_CORES = 2
"""Of the machine that all results are of."""


@dataclasses.dataclass(frozen=True)
class Workload:
    """The worked example.

    Attributes:
      impressions: per day.
      users: active users.
      items: N, of the catalog and of every embedding set.
      widths: M of each modality.
      behaviors: L, of every request: the most that it can be.
      candidates: C of a request.
      width: D, and the attention's d.
      projection_width: P.
    """

    impressions: int = 100_000_000
    users: int = 5_000_000
    items: int = 20_000_000
    widths: tuple[int, ...] = (128, 128)
    behaviors: int = 200
    candidates: int = 20
    width: int = 32
    projection_width: int = 16

    @property
    def requests(self) -> int:
        """Requests per day."""
        return self.impressions // self.candidates

    @property
    def schema(self) -> ExampleSchema:
        """The records' schema: one label, no side features."""
        modalities = tuple(
            Modality(f"modality_{number}", width) for number, width in enumerate(self.widths)
        )
        return ExampleSchema(("click",), modalities, self.behaviors)

    @property
    def record_bytes(self) -> float:
        """Bytes of a record."""
        id_bytes = formulas.varint_bytes(self.items)
        return formulas.record_bytes(self.schema, self.candidates, self.behaviors, id_bytes)


def _gb(value: float) -> str:
    return f"{value / _GB:,.1f} GB"


def _join_scaling() -> str:
    """The join by length of history: two joins of the same logs."""
    rows = []
    for history in (50, 200):
        cells = (
            CAPACITY[f"capacity.join.{history}_{name}"].text()
            for name in ("behaviors", "seconds", "bytes", "peak_mib")
        )
        rows.append((str(history), *cells))
    head = (
        *("`--history_length`", "mean behaviors", "seconds of processor per million events"),
        *("bytes per million events", "peak MiB, 4 million events"),
    )
    return markdown(head, rows, numeric=True)


def _join_sizes() -> str:
    """The join by size of the log, all of one shape."""
    rows = []
    for row in results.load("scale.json")["rows"]:
        if row["way"] == "default":
            size = row["bytes"] / _GB
            seconds, shards = f"{row['seconds']:,.0f}", f"{row['largest_train_shard_mib']:,.0f}"
            memory = f"{row['peak_mib']:,.0f}"
            rows.append((f"{row['events']:,}", seconds, memory, f"{size:.1f}", shards))
    head = ("events", "seconds", "peak MiB", "GB written", "MiB of the largest shard")
    return markdown(head, rows, numeric=True)


def _training_scaling() -> str:
    """Training by length of history."""
    names = {
        "flat": "single candidates (`training.batches_of=candidates`)",
        "grouped": "whole requests (`training.batches_of=requests`)",
        "reading": "reading alone",
    }
    rows = [
        (text, *(CAPACITY[f"capacity.training.{one}_{name}"].text() for one in (50, 200)))
        for name, text in names.items()
    ]
    head = ("batches", "50 behaviors", "200 behaviors")
    return markdown(head, rows, numeric=True)


def _serving() -> str:
    """Latency and throughput of DMF by candidates and behaviors."""
    rows = []
    for candidates in (100, 400, 1200):
        for behaviors in (50, 200, 1000):
            one, four = (_served(candidates, behaviors, at_once) for at_once in (1, 4))
            rows.append(
                (
                    f"{candidates:,}",
                    f"{behaviors:,}",
                    f"{one['p50_ms']:.1f}",
                    f"{one['p99_ms']:.1f}",
                    f"{four['qps'] / _CORES:.1f}",
                )
            )
    head = (
        *("C", "L", "median ms, one at a time", "99th percentile, ms"),
        "requests per second and core, four at a time",
    )
    return markdown(head, rows, numeric=True)


def _served(candidates: int, behaviors: int, at_once: int) -> Mapping[str, Any]:
    """Returns what was measured of DMF with that many requests at once."""
    return results.pick(
        results.load("serving.json")["rows"],
        model="dmf",
        signature="score_request",
        concurrency=at_once,
        candidates=candidates,
        history_length=behaviors,
    )


_HEAD = ("what", "figure", "formula", "how sure")
_EXACT, _MOST = "exact", "upper bound"


def _example_join() -> str:
    """The worked example: the join of a day, as a part of a data set that grows."""
    load = Workload()
    behaviors = load.users * load.behaviors
    event = formulas.event_bytes(labels=1)
    broadcast = formulas.broadcast_bytes(load.items, load.widths)
    partitions = min(-(-load.impressions // 25_000), 4096)
    distinct = min((load.impressions + behaviors) // partitions, load.items)
    shipped = partitions * formulas.shipped_bytes(distinct, load.widths)
    start, slope = join_line()
    day = load.impressions / 1e6 * (start + slope * load.behaviors * sum(load.widths) / 128)
    state = behaviors / 1e6 * start
    rows = [
        ("records per day", f"{load.requests:,}", "impressions / C", _EXACT),
        ("bytes per record", f"{load.record_bytes:,.0f}", "record formula", "within 5%"),
        ("output per day", _gb(load.requests * load.record_bytes), "records × bytes", "within 5%"),
        ("partitions", f"{partitions:,}", "impressions / 25,000, at most 4,096", _EXACT),
        ("state of a part", _gb(formulas.state_bytes(behaviors)), "26 U L", _MOST),
        ("waiting events", _gb((load.impressions + behaviors) * event), "59 (E + U L)", _MOST),
        ("look-up tables", _gb(broadcast), "N Σ (M + 20)", "within 2%"),
        (
            "broadcast: launcher's memory",
            _gb(formulas.reading_bytes(load.items, load.widths, 50_000)),
            "2 N Σ (M + 20) + 55 M G, G = 50,000",
            "extrapolated",
        ),
        ("shuffle: shipped vectors", _gb(shipped), "events and behaviors, all distinct", _MOST),
        ("processor time of the day", f"{day / 3600:.1f} hours", "time formula", "extrapolated"),
        (
            "processor time of the state",
            f"{state / 3600:.1f} hours",
            "U L rows, read and grouped",
            "extrapolated",
        ),
    ]
    return markdown(_HEAD, rows)


def _example_training() -> str:
    """The worked example: training, model and caches."""
    load = Workload()
    table = formulas.table_bytes(load.items, load.width)
    kept = formulas.training_bytes(load.items, load.width)
    state = formulas.training_bytes(load.items, load.width, averages=1)
    buffer = formulas.SHUFFLED_RECORDS * load.record_bytes
    saved = formulas.saved_model_bytes(load.items, load.width, load.widths)
    rate = results.pick(results.load("training_history_200.json")["rows"], way="ours")[
        "candidates_per_cpu_second"
    ]
    hours = load.impressions / rate / 3600
    rows = [
        ("vocabulary", _gb(8 * load.items), "8 N", "if every item occurs"),
        ("item table, ids and priors", _gb(table), "N (4 D + 12)", _EXACT),
        ("with slots of `lazy_adam` and average", _gb(state), "N (16 D + 44)", _EXACT),
        ("shuffle buffer", _gb(buffer), "100,000 × bytes per record", "within 5%"),
        ("`backup/`", _gb(2 * state + 3 * kept), "two states, three best weights", _MOST),
        ("`weights/`", _gb(kept), "N (12 D + 44)", _EXACT),
        (
            "processor time, one pass",
            f"{hours:.1f} hours",
            "impressions / rate at L = 200",
            "measured with a larger model",
        ),
        ("SavedModel", _gb(saved), "N (4 D + 12) + N Σ (M + 12) + index", "within 1%"),
    ]
    return markdown(_HEAD, rows)


def _example_serving() -> str:
    """The worked example: caches and serving."""
    load = Workload()
    ids = formulas.id_row_bytes(1, load.width, load.width)
    aware = formulas.target_aware_row_bytes(load.widths, load.projection_width)
    entry = formulas.redis_entry_bytes(ID_PROJECTIONS, ids, 8)
    entry += formulas.redis_entry_bytes(TARGET_AWARE_PROJECTIONS, aware, 8)
    mean = load.requests / 86_400
    rate = _served(100, 200, 4)["qps"] / _CORES
    rows = [
        ("`id_projections`", _gb(load.items * (ids + 8)), "N (4 (3 H d + D + 1) + 8)", "within 5%"),
        (
            "`target_aware_projections`",
            _gb(load.items * (aware + 16)),
            "N (Σ (M + 4) + 4 P + 16)",
            "within 5%",
        ),
        (
            "both caches in Redis, per tag",
            _gb(load.items * entry),
            "N (rows + 16 + keys of 44 and 54)",
            "without Redis' bookkeeping",
        ),
        (
            "LRU of 100,000 items, both caches",
            _gb(100_000 * (ids + aware)),
            "items × row bytes, per tag",
            "arrays alone",
        ),
        (
            "request by ids",
            f"{formulas.request_bytes(load.candidates, load.behaviors):,} bytes",
            "9 C + 25 L",
            "within 2%",
        ),
        (
            "requests per second",
            f"{mean:,.0f} mean, {4 * mean:,.0f} at a peak of four times",
            "records / 86,400",
            "the peak is assumed",
        ),
        (
            "cores at the peak",
            f"{4 * mean / rate:.1f}",
            "peak / rate at C = 100, L = 200",
            "upper bound: C = 20 was not measured",
        ),
    ]
    return markdown(_HEAD, rows)


def _optimizer_memory() -> str:
    """Peak memory of a training with `lazy_adam` by rows, with the formula's part."""
    rows = []
    for size in (100_000, 1_000_000, 10_000_000):
        state = formulas.training_bytes(size, 32) / 2**20
        measured = OPTIMIZERS[f"optimizers.lazy_adam.{size}_mib"].text()
        rows.append((f"{size:,}", f"{state:,.0f}", measured))
    head = ("items, D = 32", "table, ids and slots, MiB", "measured peak of the process, MiB")
    return markdown(head, rows, numeric=True)


TABLES: dict[str, Table] = {
    "capacity.join": _join_scaling,
    "capacity.scale": _join_sizes,
    "capacity.training": _training_scaling,
    "capacity.serving": _serving,
    "capacity.optimizers": _optimizer_memory,
    "capacity.example_join": _example_join,
    "capacity.example_training": _example_training,
    "capacity.example_serving": _example_serving,
}
