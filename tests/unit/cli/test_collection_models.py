"""Options of the reconstruction on the command line, and `tiepoint collection add`."""

from pathlib import Path

import numpy as np
import pytest
from tests.helpers.known_poses import write_transforms
from tests.helpers.synthetic_collections import PLAIN_NAMES, make_collection
from typer.testing import CliRunner, Result

from tiepoint.cli import app
from tiepoint.collection.report.run_report import RunReport
from tiepoint.collection.run import runner
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct
from tiepoint.errors import InvalidInput


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["collection", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def matched(monkeypatch: pytest.MonkeyPatch) -> None:
    """All work but the reconstruction is done."""
    report = RunReport(out="", image_folder="", options={}, files=6, images=6)
    for name in ("match_collection", "resume_collection"):
        monkeypatch.setattr(runner, name, lambda *_, **__: report)


@pytest.mark.usefixtures("matched")
def test_known_poses_and_intrinsics_reach_the_reconstruction(tmp_path: Path) -> None:
    collection, scene = make_collection(tmp_path, PLAIN_NAMES[:4])
    file = write_transforms(tmp_path / "transforms.json", scene, PLAIN_NAMES[:4])
    arguments = ("run", tmp_path / "photos", collection.folder, "--reconstruct")
    result = run(*arguments, "--poses", file, "--intrinsics", "700,319.5,239.5", "--refine-keypoints")
    assert result.exit_code == 0
    assert "4 of 4 images" in result.stdout
    (camera,) = read_model(collection).cameras.values()
    np.testing.assert_allclose(camera.params, [700, 700, 320, 240, 0, 0, 0, 0])
    assert run(*arguments, "--mapper", "global", "-q").exit_code == 0


@pytest.mark.usefixtures("matched")
def test_add_extends_the_model_and_names_what_is_left_out(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:4])
    with pytest.raises(InvalidInput, match="has no reconstruction"):
        run("add", collection.folder)
    reconstruct(collection)
    result = run("add", collection.folder)
    assert result.exit_code == 0
    assert "4 of 4 images" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--mapper", "global"), "--mapper requires --reconstruct"),
        (("--poses", "transforms.json"), "--poses requires --reconstruct"),
        (("--use-priors",), "--use-priors requires --reconstruct"),
        (("--reconstruct", "--poses", "none.json"), "cannot read the poses in 'none.json'"),
        (("--reconstruct", "--refine-poses"), "refine_poses requires poses"),
        (("--reconstruct", "--intrinsics", "700"), "expected f,cx,cy"),
        (
            ("--reconstruct", "--mapper", "global", "--mapper-option", "init_min_tri_angle=4"),
            "pycolmap.GlobalPipelineOptions",
        ),
    ],
)
def test_options_are_checked_before_starting(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "match_collection", lambda *_, **__: pytest.fail("the work has begun"))
    with pytest.raises(InvalidInput) as error:
        run("run", tmp_path, tmp_path / "out", *arguments)
    assert message in str(error.value)
