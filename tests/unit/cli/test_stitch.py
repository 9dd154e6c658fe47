"""`tiepoint stitch`: options and output; `stitch` is replaced by a fake."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.helpers.match_results import some_features, some_matches
from typer.testing import CliRunner, Result

from tiepoint.cli import app
from tiepoint.result import MatchResult
from tiepoint.stitching import panorama as module
from tiepoint.stitching.canvas import Canvas
from tiepoint.stitching.inputs import StitchInput
from tiepoint.stitching.match_graph import LeftOutImage, MatchGraph
from tiepoint.stitching.pair_matches import check_pair
from tiepoint.stitching.result import Panorama, StitchedImage, StitchingFailed
from tiepoint.stitching.settings import StitchSettings
from tiepoint.types import Features

PANORAMA = Panorama(
    pixels=np.zeros((300, 900, 4), dtype=np.uint8),
    images=tuple(
        StitchedImage(index=index, name="a.jpg", image_size=(9, 8), focal_px=9.0, world_from_cam=np.eye(3))
        for index in (0, 1)
    ),
    left_out=(LeftOutImage(index=2, name="c.jpg", reason="no overlap found"),),
    pairs=(),
    views=(),
    canvas=Canvas(scale=9.0, left=0, top=0, width=900, height=300),
    model="rotation",
    projection="cylinder",
    rms_px=0.6,
    median_error_px=0.4,
    field_of_view_deg=(120.4, 50.2),
    warnings=(),
    seconds={"match": 1.0, "total": 2.0},
)


def an_input(index: int, features: Features) -> StitchInput:
    thumbnail = np.zeros((8, 9, 3), dtype=np.uint8)
    return StitchInput(
        index=index, name="a.jpg", image_size=(9, 8), features=features, thumbnail=thumbnail, is_gray=False
    )


def no_matches() -> MatchResult:
    return MatchResult.from_assignment(
        some_features(3, (9, 8)), some_features(4, (9, 8)), some_matches(3, 4, [], [])
    )


class Work:
    """Fake of `stitch`."""

    error: Exception | None = None

    def __call__(self, *given: Any, **options: Any) -> Any:
        self.given, self.options = given, options
        pair = check_pair(no_matches(), 0, 1, 3.0)
        inputs = {index: an_input(index, pair.result.features0) for index in (0, 1)}
        options["on_match"](MatchGraph(inputs=inputs, pairs={(0, 1): pair}))
        if self.error:
            raise self.error
        return PANORAMA


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    work = Work()
    monkeypatch.setattr(module, "stitch", work)
    return work


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["stitch", "a.jpg", "b.jpg", *arguments])


def test_the_defaults(work: Work) -> None:
    result = run("c.jpg")
    assert result.exit_code == 0, result.output
    assert work.given == (["a.jpg", "b.jpg", "c.jpg"], Path("panorama.png"))
    assert work.options["settings"] == StitchSettings()
    assert work.options["json"] is None
    assert work.options["resize"] == 1024


def test_options_reach_the_library(work: Work) -> None:
    result = run(
        *("-o", "p.tif", "--projection", "sphere", "--model", "rotation", "--crop", "--no-exposure"),
        *("--overlay", "o.png", "--mode", "checkerboard", "--max-error-px", "2", "--json", "p.json"),
        *("--max-output-megapixels", "5", "--preset", "fast"),
    )
    assert result.exit_code == 0, result.output
    assert work.given[1] == Path("p.tif")
    settings = work.options["settings"]
    assert (settings.projection, settings.model, settings.crop, settings.exposure) == (
        "sphere",
        "rotation",
        True,
        False,
    )
    assert (settings.max_error_px, settings.max_output_megapixels) == (2.0, 5.0)
    expected = {"overlay": Path("o.png"), "mode": "checkerboard", "json": "p.json", "preset": "fast"}
    assert {name: work.options[name] for name in expected} == expected


def test_matches_panorama_and_files_are_printed(work: Work) -> None:
    text = run("-o", "p.png", "--overlay", "o.png").stdout
    assert "same scene: " in text
    assert "2 images on a cylinder (rotation model), 900 x 300 px, 120 x 50 degrees" in text
    assert "residuals: median 0.40 px, RMS 0.60 px" in text
    assert "left out: c.jpg" in text
    assert "panorama: p.png\noverlay: o.png\n" in text


def test_standard_output_is_json_and_nothing_else(work: Work) -> None:
    result = run("--json", "-")
    assert result.exit_code == 0, result.exception
    values = json.loads(result.stdout)
    assert values["projection"] == "cylinder"
    assert values["estimate"]["kind"] == "homography"
    assert "panorama: panorama.png" in result.stderr


def test_quiet_prints_nothing(work: Work) -> None:
    assert run("--quiet").output == ""


@pytest.mark.parametrize(
    "arguments",
    [["--mode", "mix"], ["--max-error-px", "0"], ["--projection", "cube"], ["c.jpg", "--overlay", "o.png"]],
    ids=str,
)
def test_wrong_usage_has_exit_status_2(work: Work, arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
    assert not hasattr(work, "given")


def test_failures_print_matches_and_json(work: Work) -> None:
    work.error = StitchingFailed("cannot stitch 2 images", {"reason": "no overlap", "left_out": ["b.jpg"]})
    assert run("--quiet").exception is work.error
    assert "panorama: " not in run().stdout
    result = run("--json", "-")
    assert json.loads(result.stdout) == {"reason": "no overlap", "left_out": ["b.jpg"]}
    assert "same scene: " in result.stderr


def test_exit_status_and_reason_without_overlap(work: Work) -> None:
    work.error = StitchingFailed("cannot stitch 2 images", {})
    result = run("--fail-on-no-match", "--quiet")
    assert (result.exit_code, result.output) == (3, "tiepoint: cannot stitch 2 images\n")
