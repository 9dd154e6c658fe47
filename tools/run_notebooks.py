"""Execute notebooks, and write them with their outputs to another folder: `make notebooks`.

    python tools/run_notebooks.py build/notebooks examples/notebooks/*.ipynb

TIEPOINT_NOTEBOOK_FAST=1 reduces image sizes and numbers, as in the tests. The notebooks themselves stay without outputs.
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TIMEOUT_S = 900  # per cell


def execute(path: Path) -> nbformat.NotebookNode:
    """Run all cells in a kernel of their own, in the folder of the notebook; return the notebook with outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails; the message has its traceback.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=TIMEOUT_S, resources={"metadata": {"path": str(path.parent)}})
    return client.execute()


def main(folder: Path, paths: list[Path]) -> None:
    """Execute notebooks one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        start = time.perf_counter()
        nbformat.write(execute(path), folder / path.name)
        print(f"{path.name}: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
