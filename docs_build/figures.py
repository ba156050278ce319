"""Figures of `benchmarks/results/` by name: a file, a function of what it holds, a format.

Those of a file stand together; what is derived (a ratio, another unit) is derived here.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from docs_build import results

MIB = 2**20

Value = Callable[[Mapping[str, Any]], float]


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure of a results file.

    Attributes:
      file: in `benchmarks/results/`.
      value: of what the file holds.
      form: a format specification: `.2f` for 0.63, `,.0f` for 1,068, `+.1f` for a difference.
    """

    file: str
    value: Value
    form: str = ".0f"

    def text(self) -> str:
        """Returns the figure as the pages show it."""
        return format(self.value(results.load(self.file)), self.form).replace("-", "−")


def _field(file: str, name: str, form: str) -> Figure:
    return Figure(file, lambda result: result[name], form)


def _row(file: str, field: str, form: str, scale: float = 1, **values: Any) -> Figure:
    """A field of the first of `rows` that has these values."""
    return Figure(file, lambda held: results.pick(held["rows"], **values)[field] * scale, form)


def _join(field: str, form: str, way: str, events: int, scale: float = 1) -> Figure:
    return _row("join.json", field, form, scale, way=way, events=events)


MILLION = 1_000_000


def _by_processor_time(held: Mapping[str, Any]) -> float:
    """Row-wise to ours, events per second of processor: other jobs ran.

    As for wall time, the start of row-wise counts once; its share is that of the wall time.
    """
    ours, rowwise = (results.pick(held["rows"], way=way) for way in ("ours", "rowwise"))
    start = rowwise["start_seconds"] / rowwise["seconds"]
    more = ours["events"] / rowwise["events"]
    ratio: float = rowwise["cpu_seconds"] * (start + (1 - start) * more) / ours["cpu_seconds"]
    return ratio


JOIN = {
    "join.rowwise_ratio": _field("join.json", "ratio_rowwise", ".0f"),
    "join.rowwise_bytes_ratio": Figure("join.json", lambda held: 1 / held["ratio_bytes"], ".0f"),
    "join.limit_ratio": _field("join.json", "ratio_limit", ".2f"),
    "join.large_ratio": _field("join.json", "ratio_large", ".1f"),
    "join.seconds": _join("seconds", ".1f", "ours", MILLION),
    "join.mib": _join("bytes", ".0f", "ours", MILLION, 1 / MIB),
    "join.peak_mib": _join("peak_mib", ".0f", "ours", MILLION),
    "join.limit_seconds": _join("seconds", ".1f", "limit", MILLION),
    "join.large_seconds": _join("seconds", ".0f", "ours", 10 * MILLION),
    "join.large_mib": _join("bytes", ".0f", "ours", 10 * MILLION, 1 / MIB),
    "join.large_peak_mib": _field("join.json", "large_peak_mib", ".0f"),
    "join.rowwise_seconds": _join("seconds_at_events", ".0f", "rowwise", MILLION // 10),
    "join.records": _field("join.json", "records_compared", ",.0f"),
    # Against row-wise with a record per request.
    "join.rowwise_request_ratio": Figure("join_request_records.json", _by_processor_time, ".0f"),
    "join.rowwise_request_bytes_ratio": Figure(
        "join_request_records.json", lambda held: 1 / held["ratio_bytes"], ".0f"
    ),
}


def _serving(field: str, form: str, model: str, history: int, **values: Any) -> Figure:
    wanted = {"candidates": 1200, "concurrency": 1, "signature": "score_request", **values}
    return _row("serving.json", field, form, model=model, history_length=history, **wanted)


def _serving_ratio(field: str, history: int, concurrency: int, signature: str) -> Figure:
    values = {"history_length": history, "concurrency": concurrency, "signature": signature}
    return Figure("serving.json", lambda held: results.pick(held["ratios"], **values)[field], ".1f")


_SERVED = {
    "id_only": ("id_only", "score_request"),
    "dmf": ("dmf", "score_request"),
    "dmf_cached": ("dmf", "score_cached"),
    "dmf_materialized": ("dmf_materialized", "score_request"),
    "early_fusion": ("early_fusion", "score_request"),
}
_HISTORIES = (50, 200, 1000)

SERVING = {
    # Of 1,200 candidates, one request at a time: serving.dmf.200_ms, serving.dmf_cached.50_p99_ms.
    **{
        f"serving.{name}.{history}_{'' if field == 'p50_ms' else 'p99_'}ms": _serving(
            field, ".1f", model, history, signature=signature
        )
        for name, (model, signature) in _SERVED.items()
        for history in _HISTORIES
        for field in ("p50_ms", "p99_ms")
    },
    # DMF's: serving.over_early_fusion.200, ...cached.200, ...200_at_4 for four requests at once.
    **{
        f"serving.{name}.{'cached.' if signature == 'score_cached' else ''}{history}"
        f"{'_at_4' if concurrency == 4 else ''}": _serving_ratio(
            field, history, concurrency, signature
        )
        for name, field in (
            ("over_early_fusion", "qps_over_early_fusion"),
            ("over_id_only", "latency_over_id_only"),
        )
        for history in _HISTORIES
        for concurrency in (1, 4)
        for signature in ("score_request", "score_cached")
    },
}


def _training(way: str, field: str = "ratio_to_ours", threads: str = "2,2") -> Figure:
    return _row("training.json", field, ".2f", way=way, threads=threads)


TRAINING = {
    "training.materialized_ratio": _field("training.json", "ratio_materialized", ".1f"),
    "training.materialized_ratio_cpu": _field("training.json", "ratio_materialized_cpu", ".1f"),
    "training.below_the_head_ratio": _field(
        "training.json", "ratio_materialized_below_the_head", ".1f"
    ),
    "training.grouped_ratio": _field("training.json", "ratio_grouped", ".1f"),
    "training.grouped_ratio_cpu": _field("training.json", "ratio_grouped_cpu", ".1f"),
    "training.grouped_to_materialized_ratio": _field(
        "training.json", "ratio_grouped_to_materialized", ".1f"
    ),
    "training.reading_ratio": _field("training.json", "ratio_input", ".0f"),
    "training.reading_ratio_cpu": _field("training.json", "ratio_input_cpu", ".0f"),
    "training.largest_difference": _field("training.json", "largest_difference", ".0e"),
    **{
        f"training.{name}{suffix}": _training(f"ours, {name}", f"ratio_to_ours{suffix}")
        for name in ("mixed_precision", "jit_compile", "adam")
        for suffix in ("", "_cpu")
    },
    **{
        f"training.threads_{threads.replace(',', '_')}": _training("ours", threads=threads)
        for threads in ("1,1", "1,2", "2,1")
    },
    # What ours would gain on materialized if nothing but the head took time.
    "training.head_limit_ratio": Figure(
        "training.json",
        lambda held: (
            results.pick(held["rows"], way="head alone")["candidates_per_second"]
            / results.pick(held["rows"], way="materialized")["candidates_per_second"]
        ),
        ".1f",
    ),
}


def _optimizer(rows: int, name: str, field: str, form: str) -> Figure:
    return Figure(
        "optimizers.json",
        lambda held: results.pick(held["results"], rows=rows)[name][field],
        form,
    )


OPTIMIZERS = {
    f"optimizers.{name}.{rows}_{unit}": _optimizer(rows, name, field, form)
    for name in ("adam", "lazy_adam")
    for rows in (10_000, 100_000, MILLION, 10 * MILLION)
    for unit, field, form in (("ms", "median_ms", ",.1f"), ("mib", "peak_mib", ",.0f"))
}


def _quality(file: str, field: str, form: str, split: str, model: str) -> Figure:
    return _row(file, field, form, split=split, model=model)


def _gain(file: str, of: str, split: str, model: str, end: str = "") -> Figure:
    return Figure(
        file,
        lambda held: results.pick(held["rows"], split=split, model=model)[f"{of}_difference"][
            f"relative_percent{end}"
        ],
        "+.2f",
    )


_ID_ONLY = "id_only"
_MEASURES = (("auc", ".4f"), ("gauc", ".4f"), ("ne", ".4f"), ("calibration", ".3f"))
_MODELS = (
    *("dmf", "early_fusion", "dta", "sa_ta_tiers", "sa_ta", "sim_score", "raw_vectors", "simtier"),
    *("make", "din", "gradient_boosting", "popularity", "dmf_shuffled"),
)
_SOURCES = {
    "quality.global": ("quality.json", "global", (_ID_ONLY, *_MODELS)),
    "quality.user": ("quality.json", "user", (_ID_ONLY, *_MODELS)),
    "quality.transfer": ("quality_transfer.json", "global", (_ID_ONLY, "dmf")),
}

QUALITY = {
    "quality.events": Figure(
        "quality.json", lambda held: sum(held["data"][0]["candidates"].values()), ",.0f"
    ),
    # quality.user.dmf.gauc, quality.global.id_only.auc_std, ...
    **{
        f"{source}.{model}.{measure}{suffix}": _quality(
            file, f"{measure}{field}", form, split, model
        )
        for source, (file, split, models) in _SOURCES.items()
        for model in models
        for measure, form in _MEASURES
        for suffix, field in (("", "_mean"), ("_std", "_std"))
    },
    # In percent over ID-only: quality.global.dmf.gauc_gain, ..._gain_low, ..._gain_high.
    **{
        f"{source}.{model}.{measure}_gain{end}": _gain(file, measure, split, model, end)
        for source, (file, split, models) in _SOURCES.items()
        for model in models
        if model != _ID_ONLY
        for measure in ("auc", "gauc")
        for end in ("", "_low", "_high")
    },
}


def _daily(way: str, field: str, form: str) -> Figure:
    return Figure("daily.json", lambda held: held["results"][way][field], form)


DAILY = {
    f"daily.{way.replace(' ', '_')}.{field}": _daily(way, field, form)
    for way in ("all days", "day by day", "latest day")
    for field, form in (("auc", ".3f"), ("candidates", ",.0f"))
}


def _downsampling(way: str, field: str, form: str) -> Figure:
    return Figure("downsampling.json", lambda held: held["results"][way][field], form)


DOWNSAMPLING = {
    f"downsampling.{name}.{field}": _downsampling(way, field, form)
    for name, way in (("all", "all negatives"), ("share", "a share"))
    for field, form in (
        ("candidates", ",.0f"),
        ("uncorrected_mean", ".2f"),
        *((f"{figure}_mean", ".4f") for figure in ("calibration", "ne", "auc")),
        *((f"{figure}_std", ".4f") for figure in ("calibration", "ne", "auc")),
    )
}


def _lookup(field: str, form: str, way: str, scale: float = 1) -> Figure:
    return Figure(
        "content_lookup.json",
        lambda held: results.pick(held["lookup"], items=MILLION, way=way)[field] * scale,
        form,
    )


def _inside(field: str, form: str) -> Figure:
    return Figure(
        "content_lookup.json",
        lambda held: results.pick(held["models"], items=MILLION)[field],
        form,
    )


# Of a million items.
CONTENT_LOOKUP = {
    "content_lookup.buckets_speed_up": _lookup("speed_up", ".1f", "hash_buckets"),
    "content_lookup.buckets_bytes_per_item": _lookup("index_bytes_an_item", ".1f", "hash_buckets"),
    "content_lookup.buckets_load_seconds": _lookup("index_load_ms", ".2f", "hash_buckets", 1e-3),
    "content_lookup.hash_table_speed_up": _lookup("speed_up", ".1f", "static_hash_table"),
    "content_lookup.hash_table_load_seconds": _lookup(
        "index_load_ms", ".1f", "static_hash_table", 1e-3
    ),
    "content_lookup.table_bytes_per_item": _inside("table_bytes_an_item", ".0f"),
    "content_lookup.request_ratio": _inside("request_ratio", ".0f"),
    "content_lookup.latency_ratio": _inside("latency_ratio", ".2f"),
}


def _attention(way: str, history: int) -> Figure:
    return _row("attention.json", "ratio_to_factorized", ".1f", way=way, history_length=history)


# To the factorized attention: attention.early_fusion.200, ...
ATTENTION = {
    f"attention.{way}.{history}": _attention(way, history)
    for way in ("id_only", "materialized", "early_fusion")
    for history in _HISTORIES
}

BACKFILL = {
    f"backfill.{run.replace(' ', '_')}.{field}": _row("backfill.json", field, form, run=run)
    for run in ("all", "new items", "again")
    for field, form in (("cpu_seconds", ".0f"), ("peak_mib", ",.0f"), ("computed", ",.0f"))
} | {"backfill.new_to_all": _field("backfill.json", "cpu_new_to_all", ".2f")}

LOADING = {
    f"loading.{way}.{field}": _row("load_projections.json", field, form, way=way)
    for way in ("load_projections", "put")
    for field, form in (
        ("seconds", ".0f"),
        ("rows_per_second", ",.0f"),
        ("cpu_seconds", ".1f"),
        ("server_cpu_seconds", ".1f"),
    )
} | {
    "loading.put_to_load_cpu": _field("load_projections.json", "put_to_load_cpu", ".1f"),
    "loading.rows": _row("load_projections.json", "rows", ",.0f", way="put"),
}


# To Parquet's speed, by processor time: formats.csv.join, ...
FORMATS = {
    f"formats.{name}.{measured}": _row(
        "table_formats.json", f"{measured}_cpu_speed", ".2f", format=name
    )
    for name in ("parquet", "orc", "csv", "jsonl")
    for measured in ("reading", "join")
} | {
    f"formats.{name}.mib": _row("table_formats.json", "bytes", ",.0f", 1 / MIB, format=name)
    for name in ("parquet", "orc", "csv", "jsonl")
}


def _memory(name: str) -> Figure:
    return Figure("serving_load.json", lambda held: held["rss_mib"][name], ",.0f")


SERVING_LOAD = {
    "serving_load.requests": _field("serving_load.json", "requests", ",.0f"),
    "serving_load.refused": _field("serving_load.json", "refused", ",.0f"),
    "serving_load.seconds": _field("serving_load.json", "seconds", ".0f"),
    "serving_load.growth_mib": _field("serving_load.json", "growth_mib", "+.1f"),
    **{f"serving_load.{name}_mib": _memory(name) for name in ("start", "after_warmup", "end")},
}


def _change(percentile: str, of: str, **values: Any) -> Figure:
    """What a log adds to a percentile, percent: itself, or an end of its interval."""
    field = f"{percentile}_ratio{of}"
    file = "request_log.json"
    return Figure(
        file, lambda held: 100 * (results.pick(held["rows"], **values)[field] - 1), "+.1f"
    )


def _offered(rate: float, percentile: str) -> Figure:
    file = "request_log.json"
    return Figure(
        file, lambda held: results.pick(held["logs"], rate=rate)["offer_us"][percentile], ".0f"
    )


def _processor(rate: float) -> Figure:
    """Returns how much more processor time a client with a log takes, percent."""
    file = "request_log.json"
    return Figure(
        file, lambda held: 100 * (results.pick(held["processor"], rate=rate)["ratio"] - 1), "+.1f"
    )


# By signature, percent of the calls, percentile, and end of the interval.
REQUEST_LOG = {
    "request_log.rounds": _field("request_log.json", "rounds", ".0f"),
    "request_log.processor.1": _processor(0.01),
    "request_log.processor.100": _processor(1.0),
    **{
        f"request_log.{signature}.{rate * 100:.0f}.{percentile}{of}": _change(
            percentile, of, rate=rate, signature=signature
        )
        for signature in ("score_request", "score_cached")
        for rate in (0.01, 1.0)
        for percentile in ("p50", "p99")
        for of in ("", "_low", "_high")
    },
    **{
        f"request_log.{signature}.{percentile}_ms": _row(
            "request_log.json", f"{percentile}_ms", ".1f", rate=0.0, signature=signature
        )
        for signature in ("score_request", "score_cached")
        for percentile in ("p50", "p99")
    },
    **{
        f"request_log.offer.{rate * 100:.0f}.{percentile}": _offered(rate, percentile)
        for rate in (0.01, 1.0)
        for percentile in ("p50", "p99")
    },
}


def _joined(history: int) -> Mapping[str, Any]:
    return results.load(f"join_history_{history}.json")


def per_million(held: Mapping[str, Any], field: str) -> float:
    """Returns what a million events more add to a field of a join's rows: its start is left out."""
    small, large = held["rows"]
    difference: float = large[field] - small[field]
    return difference / (large["events"] - small["events"]) * MILLION


def join_line() -> tuple[float, float]:
    """Returns the join's seconds of processor per million events: without behaviors, per behavior.

    From two joins of the same logs that differ in the length of histories alone.
    """
    short, long = map(_joined, (50, 200))
    lengths = [one["rows"][1]["mean_behaviors"] for one in (short, long)]
    seconds = [per_million(one, "cpu_seconds") for one in (short, long)]
    slope = (seconds[1] - seconds[0]) / (lengths[1] - lengths[0])
    return seconds[0] - slope * lengths[0], slope


def _trained(history: int, way: str) -> Figure:
    return _row(f"training_history_{history}.json", "candidates_per_cpu_second", ",.0f", way=way)


# Of capacity planning; times are of the processor, since other jobs ran.
CAPACITY = {
    "capacity.join_seconds": Figure("join_history_50.json", lambda _: join_line()[0], ".1f"),
    "capacity.join_milliseconds_per_behavior": Figure(
        "join_history_200.json", lambda _: join_line()[1] * 1e3, ".0f"
    ),
    **{
        f"capacity.join.{history}_{name}": Figure(f"join_history_{history}.json", value, form)
        for history in (50, 200)
        for name, value, form in (
            ("seconds", functools.partial(per_million, field="cpu_seconds"), ".1f"),
            ("bytes", functools.partial(per_million, field="bytes"), ",.0f"),
            ("peak_mib", lambda held: held["rows"][1]["peak_mib"], ",.0f"),
            ("behaviors", lambda held: held["rows"][1]["mean_behaviors"], ".0f"),
        )
    },
    **{
        f"capacity.training.{history}_{name}": _trained(history, way)
        for history in (50, 200)
        for name, way in (("flat", "ours"), ("grouped", "ours, grouped"), ("reading", "reading"))
    },
    # On a CPU with AVX512-BF16, unlike that of training.json.
    "capacity.training.mixed_precision": _row(
        "training_history_50.json", "ratio_to_ours_cpu", ".1f", way="ours, mixed_precision"
    ),
}


def _over_sets(field: str, of_all: Callable[..., float], form: str, scale: float = 1) -> Figure:
    return Figure(
        "quantization.json",
        lambda held: of_all(row[field] for row in held["rows"]) * scale,
        form,
    )


# The worst of all measured embedding sets.
QUANTIZATION = {
    "quantization.mean_error": _over_sets("code_mean_error", max, ".4f"),
    "quantization.largest_error": _over_sets("code_largest_error", max, ".4f"),
    "quantization.int8_mean_error": _over_sets("quantized_mean_error", max, ".4f"),
    "quantization.rank_correlation": _over_sets("mean_rank_correlation", min, ".4f"),
    "quantization.least_rank_correlation": _over_sets("least_rank_correlation", min, ".3f"),
    "quantization.other_bucket_percent": _over_sets("other_bucket", max, ".1f", 100),
}

FIGURES: dict[str, Figure] = {
    **JOIN,
    **SERVING,
    **TRAINING,
    **OPTIMIZERS,
    **QUALITY,
    **DAILY,
    **DOWNSAMPLING,
    **CONTENT_LOOKUP,
    **ATTENTION,
    **BACKFILL,
    **LOADING,
    **FORMATS,
    **SERVING_LOAD,
    **REQUEST_LOG,
    **CAPACITY,
    **QUANTIZATION,
}
"""All figures by name."""
