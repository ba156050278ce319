"""Figures of how well models rank, and of what the records lose."""

from collections.abc import Callable

from docs_build import results
from docs_build.figure import Figure, of_row


def _quality(file: str, field: str, form: str, split: str, model: str) -> Figure:
    return of_row(file, field, form, split=split, model=model)


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
