"""The names of a job's flags, read in a process of its own: absl has one set of flags per process.

python -m docs_build.job_flags pipeline.train pipeline.export
"""

import functools
import importlib
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from docs_build.pages import REPOSITORY
from pipeline.runtime import help_text

_BEAM = "apache_beam"

_known: dict[str, list[str] | None] = {}


def of_jobs(modules: Iterable[str]) -> dict[str, frozenset[str]]:
    """Returns the flags of jobs by module; a module without flags of its own is absent.

    Those that were not asked for before are read in one process.

    Raises:
      RuntimeError: a module cannot be imported.
    """
    modules = list(modules)
    if new := [module for module in modules if module not in _known]:
        _known.update(_ask(*new))
    found = {module: _known[module] for module in modules}
    return {module: frozenset(names) for module, names in found.items() if names is not None}


@functools.cache
def of_beam() -> frozenset[str]:
    """Returns the names of Beam's own flags."""
    return frozenset(_ask(_BEAM)[_BEAM])


def _ask(*modules: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "docs_build.job_flags", *modules]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _names(module: str) -> list[str] | None:
    """Returns the flags that a module's `define_flags` adds; None where it has none."""
    if module == _BEAM:
        from apache_beam.options.pipeline_options import PipelineOptions

        return sorted(PipelineOptions([]).get_all_options())
    loaded = importlib.import_module(module)
    if not hasattr(loaded, "define_flags"):
        return None
    _, groups = help_text.of_module(loaded)
    return [flag.name for group in groups.values() for flag in group]


def main(modules: Sequence[str]) -> None:
    """Prints the names of the flags of modules as JSON."""
    print(json.dumps({module: _names(module) for module in modules}))


if __name__ == "__main__":
    main(sys.argv[1:])
