"""What code this is, so that results of other code are not taken for this one's."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pipeline.runtime import environment

REPOSITORY = Path(__file__).resolve().parents[2]


def code_sha256(paths: Sequence[str]) -> str:
    """Returns the sha256 over names and contents of Python files, hexadecimal.

    Args:
      paths: files and folders, relative to the repository; folders with all below them.
    """
    digest = hashlib.sha256()
    for path in map(REPOSITORY.joinpath, paths):
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(REPOSITORY).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def commit() -> str:
    """Returns the commit that runs, with a plus where files differ from it; empty outside git."""
    code = environment.code().get("commit", "")
    return code + ("+" if environment.uncommitted() else "")
