"""Tables of a job's flags: what `--help` says of them."""

import functools
import importlib

from docs_build.tables.table import MOST_WORDS, Table, escape, markdown, note, words
from pipeline.runtime import help_text, job_list

BENCHMARKS = (
    *("attention", "backfill", "client", "daily_cycle", "downsampling", "join"),
    *("load_projections", "quality", "quantization", "request_log", "scale", "serving"),
    "serving_load",
    *("table_formats", "training"),
    "join_alternatives.rowwise",
)


def _of_command(module: str) -> str:
    _, groups = help_text.of_module(importlib.import_module(module))
    rows, notes = [], []
    for flag in (flag for group in groups.values() for flag in group):
        meaning = help_text.meaning_of(flag)
        if choices := help_text.choices_in_text(flag):
            if words(f"{meaning} {choices}") <= MOST_WORDS:
                meaning = f"{meaning} {choices}"
            else:
                notes.append(note(f"--{flag.name}", choices))
        rows.append((f"`{help_text.usage(flag)}`", _default(flag), escape(meaning)))
    table = markdown(("flag", "default", "meaning"), rows)
    return "\n".join([table, "", *notes]) if notes else table


def _default(flag: help_text.Flag) -> str:
    """Returns a flag's default as code where a user could write it, else in words."""
    if help_text.is_required(flag):
        return "required"
    shown, written = help_text.default_of(flag), help_text.default_value(flag)
    if written and shown.startswith(written):
        shown = f"`{written}`{shown.removeprefix(written)}"
    shown = escape(shown)
    return f"{shown}; repeatable" if help_text.is_repeatable(flag) else shown


TABLES: dict[str, Table] = {
    **{
        f"flags.{job}": functools.partial(_of_command, f"pipeline.{job}")
        for job in job_list.names()
    },
    **{
        f"flags.benchmarks.{name}": functools.partial(_of_command, f"benchmarks.{name}")
        for name in BENCHMARKS
    },
}
