"""The notebooks run with reduced sizes, and are committed without outputs; the scenes that they render are true."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from tests.helpers import paths

FOLDER = paths.EXAMPLES / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
EACH = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
MAX_BYTES = 10_000
SCENE = runpy.run_path(str(FOLDER / "rendered_scene.py"))
RUN = runpy.run_path(str(paths.REPOSITORY / "tools" / "run_notebooks.py"))


@EACH
def test_it_is_committed_without_outputs(path: Path) -> None:
    """Clear them with: jupyter nbconvert --clear-output --inplace examples/notebooks/*.ipynb."""
    assert path.stat().st_size < MAX_BYTES
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(code) >= 3
    assert [cell["id"] for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []


@EACH
def test_it_is_numbered_and_begins_with_its_title(path: Path) -> None:
    assert path.name.startswith(f"{NOTEBOOKS.index(path) + 1}_")
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["cells"][0]["source"][0].startswith("# ")
    assert "TIEPOINT_NOTEBOOK_FAST" in "".join(notebook["cells"][1]["source"])


def test_the_site_lists_all_of_them() -> None:
    page = (paths.DOCS / "tutorials" / "notebooks.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS if f"examples/notebooks/{path.name})" not in page] == []


@pytest.mark.weights
@EACH
def test_it_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own assertions compare the results with the ground truth."""
    monkeypatch.setenv("TIEPOINT_NOTEBOOK_FAST", "1")
    notebook = RUN["execute"](path)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert len(outputs) >= 3


def test_rendered_points_are_where_the_cameras_see_them() -> None:
    view0, view1 = SCENE["render"](2, width=160, height=120)
    points = np.random.default_rng(0).uniform(20, 100, (200, 2))
    np.testing.assert_allclose(view0.project_to(view0, points), points, atol=0.5)
    there = view0.project_to(view1, points)
    visible = ~np.isnan(there).any(axis=1)
    assert visible.mean() > 0.7
    back = view1.project_to(view0, there[visible])
    assert np.median(np.linalg.norm(back - points[visible], axis=1)) < 0.5
    colors0, colors1 = (
        view.pixels[tuple(np.rint(where[visible]).astype(int).T[::-1])].astype(float)
        for view, where in ((view0, points), (view1, there))
    )
    assert np.median(np.abs(colors0 - colors1)) < 20, "the same point has the same color in both images"


def test_the_seed_is_the_scene() -> None:
    first, again, other = (SCENE["render"](1, width=64, height=48, seed=seed)[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert np.abs(first.pixels.astype(float) - other.pixels).mean() > 20
    np.testing.assert_array_equal(first.depth, other.depth)
