"""`tiepoint register` on a real image: a warped copy of 16 bits finds its way back, with map coordinates and a page."""

import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.image.displacement import DisplacementField
from tiepoint.image.resampling import Resampler, warp_array, warp_whole

MOVING_FROM_FIXED = {
    "similarity": np.array([[0.9, -0.2, 150], [0.2, 0.9, -20], [0, 0, 1.0]]),
    "homography": np.array([[0.9, -0.1, 60], [0.1, 0.95, -20], [2e-4, -1e-4, 1.0]]),
}


@pytest.mark.weights
@pytest.mark.real
@pytest.mark.parametrize("kind", MOVING_FROM_FIXED)
def test_a_warped_copy_is_registered(
    kind: str, photos: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fixed = np.asarray(PIL.Image.open(photos[0]).convert("RGB").resize((900, 600)))
    deep = fixed.astype(np.uint16) * 16 + 40
    moving = warp_array(deep, MOVING_FROM_FIXED[kind], (840, 600))
    tifffile.imwrite("moving.tif", moving.pixels, photometric="rgb")
    tifffile.imwrite("fixed.tif", fixed, photometric="rgb", extratags=[(33550, 12, 3, (2.0, 2.0, 0.0), True)])
    arguments = ("moving.tif", "fixed.tif", "-o", "aligned.tif", "--html", "swipe.html", "--json", "r.json")
    result = CliRunner().invoke(app, ["register", *arguments, "--preset", "fast", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    values = json.loads(Path("r.json").read_text())
    assert values["model"] == kind
    error = np.array(values["matrix"]) @ MOVING_FROM_FIXED[kind]
    corners = np.array([[0, 0, 1], [899, 0, 1], [0, 599, 1], [899, 599, 1.0]])
    projected = corners @ error.T
    assert np.linalg.norm(projected[:, :2] / projected[:, 2:] - corners[:, :2], axis=1).max() < 1.5
    aligned = tifffile.imread("aligned.tif")
    assert aligned.dtype == np.uint16
    assert aligned.shape == (600, 900, 4)
    inside = aligned[..., 3] > 0
    assert inside.mean() > 0.5
    ideal = warp_array(moving.pixels, np.linalg.inv(MOVING_FROM_FIXED[kind]), (900, 600))
    both = inside & ideal.is_inside
    assert (
        np.abs(aligned[..., :3].astype(float) - ideal.pixels)[both].mean() / 16 < 9
    )  # of 255: 0.5 px in fine texture
    with tifffile.TiffFile("aligned.tif") as file:
        assert file.pages[0].tags[33550].value == (2.0, 2.0, 0.0)
    assert Path("swipe.html").stat().st_size > 50_000


@pytest.mark.weights
@pytest.mark.real
def test_a_bent_copy_needs_a_deformation(
    photos: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scans of crumpled maps are like this: offsets of up to 12 px, which no single model explains."""
    monkeypatch.chdir(tmp_path)
    fixed = np.asarray(PIL.Image.open(photos[0]).convert("RGB").resize((900, 600)))
    y, x = np.mgrid[0:13, 0:19] / 3.0
    bend = DisplacementField(12 * np.stack([np.sin(x) * np.cos(y), np.cos(1.3 * x)], axis=-1), 50.0)
    resampler = Resampler(fixed.astype(np.float32), np.eye(3), "cubic", displacement=bend)
    tifffile.imwrite("moving.tif", warp_whole(resampler, (900, 600)).pixels, photometric="rgb")
    PIL.Image.fromarray(fixed).save("fixed.png")
    differences = {}
    for name, options in (("model", ()), ("piecewise", ("--piecewise", "--html", "swipe.html"))):
        arguments = ("moving.tif", "fixed.png", "-o", f"{name}.tif", "--json", f"{name}.json", *options)
        result = CliRunner().invoke(app, ["register", *arguments, "--preset", "fast", "--device", "cpu"])
        assert result.exit_code == 0, result.output
        aligned = tifffile.imread(f"{name}.tif")[60:-60, 60:-60]
        differences[name] = np.nanmean(np.abs(aligned - fixed[60:-60, 60:-60]))
    assert differences["piecewise"] < 0.7 * differences["model"]
    deformation = json.loads(Path("piecewise.json").read_text())["deformation"]
    assert deformation["held_out_rms_px"] < 2 < deformation["model_rms_px"]
    assert json.loads(Path("model.json").read_text())["deformation"] is None
    assert "deformation: " in result.output
    assert Path("swipe.html").stat().st_size > 50_000
