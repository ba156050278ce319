"""Tables of a job's flags."""

import functools
from collections.abc import Iterable

from docs_build import job_flags
from docs_build.job_flags import JobFlag
from docs_build.tables.settings import split_meaning
from docs_build.tables.table import Table, escape, markdown, note

JOBS = (
    *("backfill", "build_examples", "build_vocabulary", "check_skew", "convert", "doctor"),
    *("evaluate", "export", "ingest_embeddings", "inspect_data", "models", "run", "runs"),
    *("serve_local", "simulate", "submit", "train"),
)

BENCHMARKS = (
    *("attention", "backfill", "daily_training", "join", "quality", "quantization"),
    *("serving", "serving_load", "training", "join_alternatives.rowwise"),
)
_BENCHMARK_MODULES = tuple(f"benchmarks.{name}" for name in BENCHMARKS)


def _of_job(job: str) -> str:
    return _table(job_flags.of_jobs((f"pipeline.{job}",))[f"pipeline.{job}"].values())


def _of_benchmark(module: str) -> str:
    # All of them in one process, since each would load TensorFlow again.
    return _table(job_flags.of_jobs(_BENCHMARK_MODULES)[module].values())


def _table(found: Iterable[JobFlag]) -> str:
    rows, notes = [], []
    for flag in found:
        meaning, rest = split_meaning(flag.help)
        default = f"`{flag.default}`" if flag.default else "none"
        takes = ", ".join(f"`{value}`" for value in flag.choices) or flag.kind
        name = f"`--{flag.name}`"
        rows.append((name, "required" if flag.required else default, takes, escape(meaning)))
        if rest:
            notes.append(note(f"--{flag.name}", rest))
    table = markdown(("flag", "default", "takes", "meaning"), rows)
    return "\n".join([table, "", *notes]) if notes else table


TABLES: dict[str, Table] = {
    **{f"flags.{job}": functools.partial(_of_job, job) for job in JOBS},
    **{f"flags.{name}": functools.partial(_of_benchmark, name) for name in _BENCHMARK_MODULES},
}
