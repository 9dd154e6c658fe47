"""A homography that maps a part of an image to infinity: `tiepoint register` and `stitch` say so, and write nothing.

The images show a plane from above, and obliquely with its horizon: no image of the plane holds all of the second one.
"""

from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from tiepoint.cli import app

SIZE = (480, 400)
HORIZON = 60  # row of the oblique image
ABOVE_FROM_OBLIQUE = np.array(
    [
        [0.6, 240 / 340, -144 - 240 * HORIZON / 340],
        [0, 1.6, -154 - 1.6 * HORIZON],
        [0, 1 / 340, -HORIZON / 340],
    ]
)
QUICK = ("--preset", "sift+nearest", "--max-keypoints", "1000", "--resize", "0", "--views", "none")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """above.png and oblique.png, whose sky is gray."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    noise = [
        cv2.resize(random.normal(0, 40, (400 // cell, 480 // cell, 3)), SIZE, interpolation=cv2.INTER_CUBIC)
        for cell in (4, 10, 20)
    ]
    above = np.clip(128 + sum(noise), 0, 255).astype(np.uint8)
    oblique = cv2.warpPerspective(
        above, np.linalg.inv(ABOVE_FROM_OBLIQUE), SIZE, borderMode=cv2.BORDER_REFLECT
    )
    oblique[: HORIZON + 70] = 200
    PIL.Image.fromarray(above).save("above.png")
    PIL.Image.fromarray(oblique).save("oblique.png")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            ("register", "oblique.png", "above.png", "-o", "out.png", "--model", "homography"),
            "crosses the horizon",
        ),
        (
            ("stitch", "oblique.png", "above.png", "-o", "out.png", "--model", "homography"),
            "folds the image over the horizon",
        ),
    ],
    ids=["register", "stitch"],
)
def test_there_is_a_reason_and_no_file(arguments: tuple[str, ...], reason: str, files: Path) -> None:
    result = CliRunner().invoke(app, [*arguments, *QUICK])
    assert result.exit_code == 1, result.output
    assert reason in f"{result.exception} {result.output}"
    assert {path.name for path in files.iterdir()} == {"above.png", "oblique.png"}
