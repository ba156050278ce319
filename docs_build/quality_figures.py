"""Figures of how well models rank, and of what the records lose."""

from collections.abc import Callable

from docs_build.figure import Figure


def _daily(way: str, field: str, form: str) -> Figure:
    return Figure("daily_cycle.json", lambda held: held["results"][way][field], form)


DAILY = {
    f"daily.{way.replace(' ', '_')}.{field}": _daily(way, field, form)
    for way in ("never updated", "cycle", "from scratch")
    for field, form in (
        *((name, ".3f") for name in ("auc", "gauc", "ne", "calibration")),
        ("processor_seconds", ",.0f"),
    )
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
