"""Runs the commands of a page in a folder of their own, as a reader would."""

import contextlib
import os
import signal
import subprocess
import sys

from docs_build import code_blocks
from tests.conftest import REPOSITORY

_SECONDS = 1800
_SHOWN = 8000


def run(page, text, folder, python=sys.executable):
    """Runs the blocks of a page in `folder`; returns what failed, with the output, or None.

    `python` is the path of what the page calls so. Whatever the page started and left running is
    killed.
    """
    found = code_blocks.blocks(page, text)
    work = folder.parent / f"{folder.name}-scripts"
    work.mkdir(exist_ok=True)
    for block in found:
        if block.kind == "python":
            (work / f"block_{block.line}.py").write_text(block.text, encoding="utf-8")
    script = work / "page.sh"
    script.write_text(code_blocks.script(found, f"{work}/block_{{line}}.py"), encoding="utf-8")
    # `. .venv/bin/activate`: the environment of the tests is active, but for `python`.
    (folder / ".venv/bin").mkdir(parents=True, exist_ok=True)
    (folder / ".venv/bin/activate").touch()
    programs = (python, sys.executable)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([*(os.path.dirname(one) for one in programs), os.environ["PATH"]]),
        "PYTHONPATH": str(REPOSITORY),
    }
    output = work / "output.txt"
    with open(output, "wb") as file:
        # A group of its own, so that nothing of it is left; a file, because a server that is left
        # would keep a pipe open.
        shell = subprocess.Popen(
            ["bash", str(script)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = shell.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            code = f"none after {_SECONDS} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    if code == 0:
        return None
    shown = output.read_text(encoding="utf-8", errors="replace")[-_SHOWN:]
    return f"{page}: exit code {code}; its output ends with\n{shown}"
