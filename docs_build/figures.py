"""Figures of `benchmarks/results/` by name: a file, a function of what it holds, a format.

Those of a file stand together; what is derived (a ratio, another unit) is derived here.
"""

import functools
from typing import Any

from docs_build import results
from docs_build.client_figures import BACKFILL, CLIENT, LOADING, REQUEST_LOG, SERVING_LOAD
from docs_build.figure import MIB, MILLION, Figure, of_field, of_row
from docs_build.join_figures import JOIN, SCALE, join_line, per_million
from docs_build.kernel_figures import KERNELS
from docs_build.quality_figures import DAILY, DOWNSAMPLING, QUANTIZATION
from docs_build.study_figures import FIGURES as STUDY


def _serving(field: str, form: str, model: str, history: int, **values: Any) -> Figure:
    wanted = {"candidates": 1200, "concurrency": 1, "signature": "score_request", **values}
    return of_row("serving.json", field, form, model=model, history_length=history, **wanted)


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
    return of_row("training.json", field, ".2f", way=way, threads=threads)


TRAINING = {
    "training.materialized_ratio": of_field("training.json", "ratio_materialized", ".1f"),
    "training.materialized_ratio_cpu": of_field("training.json", "ratio_materialized_cpu", ".1f"),
    "training.below_the_head_ratio": of_field(
        "training.json", "ratio_materialized_below_the_head", ".1f"
    ),
    "training.grouped_ratio": of_field("training.json", "ratio_grouped", ".1f"),
    "training.grouped_ratio_cpu": of_field("training.json", "ratio_grouped_cpu", ".1f"),
    "training.grouped_to_materialized_ratio": of_field(
        "training.json", "ratio_grouped_to_materialized", ".1f"
    ),
    "training.reading_ratio": of_field("training.json", "ratio_input", ".0f"),
    "training.reading_ratio_cpu": of_field("training.json", "ratio_input_cpu", ".0f"),
    "training.largest_difference": of_field("training.json", "largest_difference", ".0e"),
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
    return of_row("attention.json", "ratio_to_factorized", ".1f", way=way, history_length=history)


# To the factorized attention: attention.early_fusion.200, ...
ATTENTION = {
    f"attention.{way}.{history}": _attention(way, history)
    for way in ("id_only", "materialized", "early_fusion")
    for history in _HISTORIES
}

# To Parquet's speed, by processor time: formats.csv.join, ...
FORMATS = {
    f"formats.{name}.{measured}": of_row(
        "table_formats.json", f"{measured}_cpu_speed", ".2f", format=name
    )
    for name in ("parquet", "orc", "csv", "jsonl")
    for measured in ("reading", "join")
} | {
    f"formats.{name}.mib": of_row("table_formats.json", "bytes", ",.0f", 1 / MIB, format=name)
    for name in ("parquet", "orc", "csv", "jsonl")
}


def _trained(history: int, way: str) -> Figure:
    return of_row(f"training_history_{history}.json", "candidates_per_cpu_second", ",.0f", way=way)


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
    "capacity.training.mixed_precision": of_row(
        "training_history_50.json", "ratio_to_ours_cpu", ".1f", way="ours, mixed_precision"
    ),
}


FIGURES: dict[str, Figure] = {
    **JOIN,
    **KERNELS,
    **SERVING,
    **TRAINING,
    **OPTIMIZERS,
    **STUDY,
    **DAILY,
    **DOWNSAMPLING,
    **CONTENT_LOOKUP,
    **ATTENTION,
    **BACKFILL,
    **LOADING,
    **FORMATS,
    **SERVING_LOAD,
    **REQUEST_LOG,
    **CLIENT,
    **CAPACITY,
    **SCALE,
    **QUANTIZATION,
}
"""All figures by name."""
