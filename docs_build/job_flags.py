"""The flags of a job, read in a process of its own: absl has one set of flags per process.

python -m docs_build.job_flags pipeline.train pipeline.export
"""

import dataclasses
import functools
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from absl import flags

from docs_build.pages import REPOSITORY

_BEAM = "apache_beam"

# What absl adds to a flag's text.
_CHOICES = re.compile(r"^<[^>]*>: ")
_REPEATABLE = re.compile(r";? *repeat this option to specify a list of values\.?$")


@dataclasses.dataclass(frozen=True)
class JobFlag:
    """A flag of a job.

    Attributes:
      name: without dashes.
      kind: absl's name of its type, such as `string` or `multi string`.
      default: as text; None for none.
      help: its text.
      choices: of an enumeration.
      required: whether the job refuses to start without it.
    """

    name: str
    kind: str
    default: str | None
    help: str
    choices: tuple[str, ...]
    required: bool


_known: dict[str, dict[str, JobFlag] | None] = {}


def of_jobs(modules: Iterable[str]) -> dict[str, dict[str, JobFlag]]:
    """Returns the flags of jobs by module and name; a module without flags of its own is absent.

    Those that were not asked for before are read in one process.

    Raises:
      RuntimeError: a module cannot be imported.
    """
    modules = list(modules)
    if new := [module for module in modules if module not in _known]:
        for module, described in _ask(*new).items():
            _known[module] = described and {
                one["name"]: JobFlag(**{**one, "choices": tuple(one["choices"])})
                for one in described
            }
    return {module: flags for module in modules if (flags := _known[module]) is not None}


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


def _describe(module: str) -> list[Any] | None:
    """Returns the flags that a module's `define_flags` adds, and removes them again."""
    if module == _BEAM:
        from apache_beam.options.pipeline_options import PipelineOptions

        return sorted(PipelineOptions([]).get_all_options())
    define_flags = getattr(importlib.import_module(module), "define_flags", None)
    if define_flags is None:
        return None
    before = set(flags.FLAGS)
    define_flags()
    added = [flags.FLAGS[name] for name in flags.FLAGS if name not in before]
    described = [
        dataclasses.asdict(
            JobFlag(
                one.name,
                one.flag_type(),
                None if one.default is None else _text(one.default),
                _REPEATABLE.sub("", _CHOICES.sub("", " ".join((one.help or "").split()))),
                tuple(getattr(one.parser, "enum_values", None) or ()),
                any("other than None" in check.message for check in one.validators),
            )
        )
        for one in added
    ]
    for one in added:
        delattr(flags.FLAGS, one.name)
    return described


def _text(default: object) -> str:
    return ",".join(map(str, default)) if isinstance(default, list) else str(default)


def main(modules: Sequence[str]) -> None:
    """Prints the flags of modules as JSON."""
    print(json.dumps({module: _describe(module) for module in modules}))


if __name__ == "__main__":
    main(sys.argv[1:])
