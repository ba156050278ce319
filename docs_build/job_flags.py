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
from collections.abc import Sequence

from absl import flags

from docs_build.pages import REPOSITORY

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


@functools.cache
def of_jobs(modules: tuple[str, ...]) -> dict[str, dict[str, JobFlag]]:
    """Returns the flags of jobs by module and name; a module without flags of its own is absent.

    Raises:
      RuntimeError: a module cannot be imported.
    """
    command = [sys.executable, "-m", "docs_build.job_flags", *modules]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed:\n{done.stderr[-4000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return {
        module: {
            one["name"]: JobFlag(**{**one, "choices": tuple(one["choices"])}) for one in described
        }
        for module, described in found.items()
    }


def _describe(module: str) -> list[dict[str, object]] | None:
    """Returns the flags that a module's `define_flags` adds, and removes them again."""
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
    described = {module: _describe(module) for module in modules}
    print(json.dumps({name: one for name, one in described.items() if one is not None}))


if __name__ == "__main__":
    main(sys.argv[1:])
