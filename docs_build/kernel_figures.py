"""Figures of native kernels: requests and training steps, beside stock ops."""

from docs_build import results
from docs_build.figure import Figure, of_field

_SERVING, _TRAINING = "kernels_serving.json", "kernels_training.json"
_RATIOS = {
    "default": "default_ratios",
    "default_kernels": "default_kernel_ratios",
    "whole": "ratios",
    "whole_kernels": "kernel_ratios",
}


def _ratio(ratios: str, field: str, history: int, signature: str) -> Figure:
    values = {"history_length": history, "concurrency": 1, "signature": signature}
    return Figure(_SERVING, lambda held: results.pick(held[ratios], **values)[field], ".1f")


# Of 1,200 candidates, one request at a time, one thread: kernels.whole_kernels.over_id_only.200.
KERNELS = {
    f"kernels.{name}.{short}.{history}{'.cached' if signature == 'score_cached' else ''}": _ratio(
        ratios, field, history, signature
    )
    for name, ratios in _RATIOS.items()
    for short, field in (
        ("over_id_only", "latency_over_id_only"),
        ("cpu_over_id_only", "processor_over_id_only"),
        ("over_early_fusion", "qps_over_early_fusion"),
    )
    for history in (50, 200, 1000)
    for signature in ("score_request", "score_cached")
} | {
    "kernels.training.flat": of_field(_TRAINING, "ratio_kernels", ".2f"),
    "kernels.training.flat_cpu": of_field(_TRAINING, "ratio_kernels_cpu", ".2f"),
    "kernels.training.grouped": of_field(_TRAINING, "ratio_kernels_grouped", ".2f"),
    "kernels.training.grouped_cpu": of_field(_TRAINING, "ratio_kernels_grouped_cpu", ".2f"),
    "kernels.training.adam": of_field(_TRAINING, "ratio_kernels_adam", ".2f"),
    **{
        f"kernels.training.{way}_to_pytorch": of_field(_TRAINING, f"ratio_{way}_to_pytorch", ".1f")
        for way in ("ours", "grouped", "kernels", "kernels_grouped")
    },
}
