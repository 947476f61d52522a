"""A notebook executed as a reader would, and what its cells show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import html5lib  # type: ignore[import-untyped]

from tests.study.conftest import apart

# In a process of its own: a kernel talks over local sockets (ipc), and a notebook is executed as a reader would.
EXECUTE = """
import os, sys, tempfile
from pathlib import Path

import jupytext, nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

source, target = map(Path, sys.argv[1:])
with tempfile.TemporaryDirectory(prefix="k") as short:
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        os.environ[name] = short
    # The path of a socket is short, so it cannot lie in the folder of a test.
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{short}/s")
    notebook = jupytext.read(source)
    NotebookClient(notebook, km=manager, timeout=240, resources={"metadata": {"path": str(source.parent)}}).execute()
nbformat.write(notebook, target)
"""


@dataclass(frozen=True)
class Executed:
    """The cells of an executed notebook."""

    cells: list[dict[str, Any]]

    @property
    def tagged(self) -> dict[str, list[dict[str, Any]]]:
        """What the cells show, by the tag of the cell: for each output its data by kind."""
        return {
            tag: [output["data"] for output in cell["outputs"] if "data" in output]
            for cell in self.cells
            for tag in cell["metadata"].get("tags", ())
        }

    def printed(self, tag: str) -> str:
        """What the cell with this tag printed."""
        (cell,) = [cell for cell in self.cells if tag in cell["metadata"].get("tags", ())]
        return "".join(joined(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")


def executed(notebook: Path, folder: Path, **variables: str) -> Executed:
    target = folder / f"{notebook.stem}.ipynb"
    done = apart(notebook, target, code=EXECUTE, **variables)
    assert done.returncode == 0, done.stderr[-3000:]
    return Executed(json.loads(target.read_text(encoding="utf-8"))["cells"])


def joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def said(outputs: list[dict[str, Any]]) -> list[str]:
    return [joined(data["text/markdown"]) for data in outputs]


def rows(outputs: list[dict[str, Any]]) -> list[list[str]]:
    """Cells of the one table of an output, without its head and its index."""
    (data,) = outputs
    table = html5lib.parse(joined(data["text/html"]), namespaceHTMLElements=False).find(".//table")
    return [["".join(cell.itertext()).strip() for cell in row.findall("td")] for row in table.find("tbody")]
