"""Tables of the training benchmarks."""

from docs_build.figures import OPTIMIZERS, TRAINING
from docs_build.quality_figures import DAILY, DOWNSAMPLING
from docs_build.tables.table import Table, markdown


def _speed() -> str:
    """Ratios of candidates per second."""

    def figure(name: str) -> str:
        return TRAINING[f"training.{name}"].text()

    def both(name: str) -> tuple[str, str]:
        return figure(name), figure(f"{name}_cpu")

    rows = [
        ("ours to materialized", "5", *both("materialized_ratio")),
        ("the same without the head, which both have", "", figure("below_the_head_ratio"), ""),
        ("ours, grouped, to materialized, flat", "", figure("grouped_to_materialized_ratio"), ""),
        ("reading to ours", "5", *both("reading_ratio")),
        ("grouped to flat", "2", *both("grouped_ratio")),
    ]
    head = ("ratio of candidates per second", "target", "wall time", "processor time")
    return markdown(head, rows, numeric=True)


def _options() -> str:
    """The speed with a setting, to that without."""
    names = {
        "mixed_precision": "`training.mixed_precision=True`",
        "jit_compile": "`training.jit_compile=True`",
        "adam": "`training.optimizer=adam`",
    }
    rows = [
        (text, *(TRAINING[f"training.{name}{clock}"].text() for clock in ("", "_cpu")))
        for name, text in names.items()
    ]
    rows += [
        (
            f"`training.intra_op_threads={within}`, `training.inter_op_threads={across}`",
            TRAINING[f"training.threads_{within}_{across}"].text(),
            "",
        )
        for within, across in ((1, 1), (1, 2), (2, 1))
    ]
    return markdown(("setting, to ours", "wall time", "processor time"), rows, numeric=True)


def _optimizers() -> str:
    """A step of Adam and of lazy Adam by the size of the table."""
    head = (
        "rows of 32 columns",
        "Adam, ms per step",
        "lazy Adam, ms per step",
        "Adam, peak MiB",
        "lazy Adam, peak MiB",
    )
    rows = [
        (
            f"{size:,}",
            *(
                OPTIMIZERS[f"optimizers.{name}.{size}_{unit}"].text()
                for unit in ("ms", "mib")
                for name in ("adam", "lazy_adam")
            ),
        )
        for size in (10_000, 100_000, 1_000_000, 10_000_000)
    ]
    return markdown(head, rows, numeric=True)


def _daily() -> str:
    """Each next day, ranked by models of the days before; means over the days."""
    fields = ("auc", "gauc", "ne", "calibration", "processor_seconds")
    rows = [
        (text, *(DAILY[f"daily.{way}.{field}"].text() for field in fields))
        for way, text in (
            ("never_updated", "of the first day, never updated"),
            ("cycle", "of the cycle"),
            ("from_scratch", "from scratch on all days so far"),
        )
    ]
    head = ("model", "AUC of the next day", "GAUC", "NE", "calibration", "processor seconds")
    return markdown(head, rows, numeric=True)


def _downsampling() -> str:
    """The test split, which is whole, of models of all negatives and of a share of them."""
    shown = ("calibration", "ne", "auc")
    rows = [
        (
            text,
            DOWNSAMPLING[f"downsampling.{way}.candidates"].text(),
            *(
                f"{DOWNSAMPLING[f'downsampling.{way}.{one}_mean'].text()} ± "
                f"{DOWNSAMPLING[f'downsampling.{way}.{one}_std'].text()}"
                for one in shown
            ),
        )
        for way, text in (("all", "all"), ("share", "one of ten"))
    ]
    head = ("negatives", "candidates of train", "predicted over observed", "NE", "AUC")
    return markdown(head, rows, numeric=True)


TABLES: dict[str, Table] = {
    "training.speed": _speed,
    "training.options": _options,
    "training.optimizers": _optimizers,
    "training.daily": _daily,
    "training.downsampling": _downsampling,
}
