"""`tiepoint warps`: files and problems."""

from pathlib import Path

from tests.helpers.noise_images import write_images
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.training.data.warp_list import WARPS, read_warps


def test_it_writes_warps_and_reports_problems(tmp_path: Path) -> None:
    write_images(tmp_path / "photos", 1)
    (tmp_path / "photos" / "broken.png").write_bytes(b"no image")
    out = tmp_path / "warps"
    done = CliRunner().invoke(
        app, ["warps", str(tmp_path / "photos"), str(out), "--warps", "2", "--resize", "64"]
    )
    assert done.exit_code == 0, done.output
    assert "broken.png" in done.stderr
    assert WARPS in done.stdout
    (image,) = read_warps(out).images
    assert [file.path.exists() for file in image.warps] == [True, True]
    assert image.warps[0].size == (64, 48)


def test_warps_of_a_recipe(tmp_path: Path) -> None:
    write_images(tmp_path / "photos", 1)
    for name, options, expected in (
        ("recipe", ("--recipe", "finetune"), (180.0, 0.5)),
        ("angle", ("--max-angle", "10"), (10.0, 0.0)),
    ):
        out = tmp_path / name
        command = ["warps", str(tmp_path / "photos"), str(out), "--resize", "64", *options]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        settings = read_warps(out).settings
        homography = settings["homography"]
        assert (homography["max_angle_deg"], homography["upright"]) == expected
        assert settings["per_image"] == 3
