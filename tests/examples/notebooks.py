"""Executes a notebook with the interpreter that runs the tests."""

import json
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

_SECONDS_PER_CELL = 600
_NAME = "this-interpreter"


def execute(path: Path, folder: Path, kernels: Path) -> nbformat.NotebookNode:
    """Returns the notebook with the outputs of a run.

    Args:
      path: of the notebook, which is not changed.
      folder: where the kernel starts.
      kernels: for a specification of the kernel; `JUPYTER_PATH` must name it.

    Raises:
      CellExecutionError: a cell raises.
    """
    specification = kernels / "kernels" / _NAME
    specification.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    values = {"argv": argv, "display_name": _NAME, "language": "python"}
    (specification / "kernel.json").write_text(json.dumps(values), encoding="utf-8")
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=_SECONDS_PER_CELL, kernel_name=_NAME, resources=resources
    )
    return client.execute()


def printed(notebook: nbformat.NotebookNode, stream: str = "stdout") -> str:
    """Returns all that the cells of a run printed, and the text of their results."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(
        output["text"] if "text" in output else output.get("data", {}).get("text/plain", "")
        for output in outputs
        if output.get("name", "stdout") == stream
    )
