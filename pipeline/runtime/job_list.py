"""The jobs in the order in which a user meets them."""

import ast
import textwrap
from pathlib import Path

import pipeline

JOBS = {
    "First look": ("doctor", "run", "simulate", "convert"),
    "Data": ("inspect_data", "ingest_embeddings", "build_examples", "build_vocabulary"),
    "Training": ("train", "evaluate", "runs"),
    "Serving": (
        *("export", "gate", "models", "serve_local", "check_skew", "backfill", "load_projections"),
    ),
    "Operation": ("cycle",),
    "Clusters": ("submit",),
}
"""The names of all jobs by what they are for."""

_USAGE = (
    "Usage: python -m pipeline.JOB --flag=value ...; python -m pipeline.JOB --help explains its "
    "flags. The jobs, in the order in which most users meet them:"
)


def names() -> list[str]:
    """Returns the names of all jobs, in order."""
    return [name for group in JOBS.values() for name in group]


def purpose(job: str) -> str:
    """Returns the first line of a job's docstring, without importing what the job needs."""
    (folder,) = pipeline.__path__
    source = Path(folder, f"{job}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


def describe() -> str:
    """Returns the list of all jobs, one line each, by what they are for."""
    column = max(map(len, names())) + 2
    blocks = [textwrap.fill(_USAGE, 100)]
    for heading, group in JOBS.items():
        lines = [f"  {job.ljust(column)}{purpose(job)}" for job in group]
        blocks.append("\n".join([f"{heading}:", *lines]))
    return "\n\n".join(blocks)
