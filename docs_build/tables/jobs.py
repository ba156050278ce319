"""The list of the jobs, and what `--help` of each prints."""

import errno
import functools
import importlib
import os

from docs_build.tables.table import Table, escape, markdown
from pipeline.runtime import exit_codes, help_text, job_list

PAGES = {
    "doctor": "troubleshooting.md",
    "run": "training.md#one-run-from-log-to-model",
    "simulate": "quickstart.md",
    "convert": "join.md",
    "inspect_data": "data_quality.md",
    "ingest_embeddings": "embeddings.md",
    "build_examples": "join.md",
    "build_vocabulary": "training.md",
    "train": "training.md",
    "evaluate": "training.md",
    "runs": "training.md",
    "export": "serving.md",
    "gate": "serving.md#gate",
    "models": "serving.md",
    "serve_local": "serving.md",
    "check_skew": "serving.md",
    "backfill": "caches_and_client.md",
    "load_projections": "caches_and_client.md#loading",
    "submit": "clusters.md",
}
"""The page, or its section, that explains a job."""


def _list() -> str:
    rows = [
        (
            heading if job == group[0] else "",
            f"[`{job}`](#{job})",
            escape(job_list.purpose(job)),
            f"[{PAGES[job].partition('.md')[0].replace('_', ' ')}]({PAGES[job]})",
        )
        for heading, group in job_list.JOBS.items()
        for job in group
    ]
    return markdown(("for", "job", "purpose", "page"), rows)


def _help(job: str) -> str:
    text, _ = help_text.of_module(importlib.import_module(f"pipeline.{job}"))
    return f"```text\n{text}\n```"


_RETRIES = {
    exit_codes.OK: "no",
    exit_codes.USER_ERROR: "no: fix it first",
    exit_codes.RETRY: "yes",
    exit_codes.FAILURE: "a few times, then report it",
}


def _exit_codes() -> str:
    rows = [(str(code), text, _RETRIES[code]) for code, text in exit_codes.MEANINGS.items()]
    return markdown(("code", "meaning", "run it again"), rows)


def _system_errors() -> str:
    rows = [
        (f"`{errno.errorcode[number]}`", os.strerror(number), str(code))
        for number, (code, _) in exit_codes.SENTENCES.items()
    ]
    return markdown(("error", "in words", "exit code"), rows)


TABLES: dict[str, Table] = {
    "jobs.list": _list,
    "jobs.exit_codes": _exit_codes,
    "jobs.system_errors": _system_errors,
    **{f"help.{job}": functools.partial(_help, job) for job in job_list.names()},
}
