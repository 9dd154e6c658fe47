"""Pair verification on real images with published weights: same scene or not, blank, fully masked."""

import json
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

import tiepoint
from tiepoint.api import Matcher
from tiepoint.cli import app

pytestmark = [pytest.mark.real, pytest.mark.weights]

PRESETS = ("aliked+lightglue", "aliked+nearest", "xfeat+lighterglue", "xfeat+nearest")
DOOR = ("lightglue_assets/DSC_0410.JPG", "lightglue_assets/DSC_0411.JPG")
SAME = {
    "door": DOOR,
    "capitol": (
        "superglue_assets/phototourism_sample_images/united_states_capitol_26757027_6717084061.jpg",
        "superglue_assets/phototourism_sample_images/united_states_capitol_98169888_3347710852.jpg",
    ),
    "fountain": ("strecha/fountain-P11/images/0003.jpg", "strecha/fountain-P11/images/0004.jpg"),
    "leuven": ("oxford_affine/leuven/img1.jpg", "oxford_affine/leuven/img4.jpg"),
}
DIFFERENT = {
    "door and church": (DOOR[0], "lightglue_assets/sacre_coeur1.jpg"),
    "capitol and church": (SAME["capitol"][0], "lightglue_assets/sacre_coeur2.jpg"),
    "fountain and leuven": (SAME["fountain"][0], SAME["leuven"][0]),
}
OPTIONS: dict[str, Any] = {"device": "cpu", "resize": 512, "max_keypoints": 512}
FLAGS = ("--preset", "aliked+nearest", "--device", "cpu", "--resize", "512", "--max-keypoints", "512")


@cache
def matcher_of(preset: str) -> Matcher:
    return tiepoint.load(preset, **OPTIONS)


@pytest.mark.parametrize(
    ("name", "preset"), [pair for pair in product(SAME, PRESETS) if pair != ("capitol", "xfeat+nearest")]
)
def test_same_scene(name: str, preset: str, shared_data: Path) -> None:
    found = matcher_of(preset).match(*(shared_data / part for part in SAME[name])).verify()
    assert found.same_scene, found
    assert found.probability > 0.8
    assert "inliers of" in found.reason


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", DIFFERENT)
def test_different_scenes(name: str, preset: str, shared_data: Path) -> None:
    result = matcher_of(preset).match(*(shared_data / part for part in DIFFERENT[name]))
    assert not result.verify().same_scene, result.verify()
    assert result.verify().num_inliers < len(result)


def test_a_blank_image_and_a_full_mask(shared_data: Path) -> None:
    matcher = matcher_of("aliked+lightglue")
    photo = shared_data / DOOR[0]
    blank = np.full((300, 400, 3), 128, dtype=np.uint8)
    with PIL.Image.open(photo) as image:
        full_mask = np.zeros((image.height, image.width), dtype=bool)
    for result in (matcher.match(photo, blank), matcher.match(photo, photo, mask1=full_mask)):
        assert (result.verify().probability, result.verify().same_scene) == (0.0, False)
        assert result.verify().reason.startswith("no ")


@pytest.mark.parametrize(("pair", "code"), [(DOOR, 0), (DIFFERENT["door and church"], 3)])
@pytest.mark.parametrize("command", ["match", "pose", "stitch"])
def test_exit_status(
    command: str, pair: tuple[str, str], code: int, shared_data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "panorama.png"
    images = [str(shared_data / name) for name in pair]
    files = ["-o", str(output)] if command == "stitch" else []
    json_file = tmp_path / "result.json"
    outcome = CliRunner().invoke(
        app, [command, *images, *files, *FLAGS, "--json", str(json_file), "--fail-on-no-match"]
    )
    assert outcome.exit_code == code, outcome.output
    found = json.loads(json_file.read_text())["verification"]
    assert found["same_scene"] == (not code)
    assert f"same scene: {found['probability']:.2f} (" in outcome.output
    assert output.exists() == (command == "stitch" and not code)
