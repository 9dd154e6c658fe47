"""Masks and tiles on real images with the published weights, from Python and from the command line."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from typer.testing import CliRunner

import tiepoint
from tiepoint.api import Matcher
from tiepoint.cli import app
from tiepoint.errors import InvalidInput
from tiepoint.types import Features

pytestmark = [pytest.mark.real, pytest.mark.weights]

QUICK = "aliked-t16+nearest"
ORIENTATION = 0x0112


@cache
def matcher_of(preset: str = QUICK, **options: Any) -> Matcher:
    return tiepoint.load(preset, **{"device": "cpu", "resize": 384, "max_keypoints": 300, **options})


@pytest.fixture(scope="session")
def size(photos: tuple[Path, Path]) -> tuple[int, int]:
    with PIL.Image.open(photos[0]) as image:
        return image.size


@pytest.fixture(scope="session")
def mask(size: tuple[int, int]) -> np.ndarray:
    """The right half, without a disc."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    return (x >= width // 2) & (np.hypot(x - 0.75 * width, y - height / 2) > height / 5)


def inside(mask: np.ndarray, points: Any) -> bool:
    columns, rows = np.round(np.asarray(points)).astype(int).T
    return bool(mask[rows, columns].all())


@pytest.mark.parametrize("preset", [QUICK, "disk+lightglue", "xfeat+lighterglue"])
def test_matches_lie_inside_both_masks(photos: tuple[Path, Path], mask: np.ndarray, preset: str) -> None:
    matcher = matcher_of(preset)
    result = matcher.match(*photos, mask0=mask, mask1=mask)
    assert len(result.features0) == len(result.features1) == 300
    assert inside(mask, result.features0.keypoints)
    assert inside(mask, result.features1.keypoints)
    assert len(result) > 20
    one_sided = matcher.match(*photos, mask1=mask)
    assert inside(mask, one_sided.features1.keypoints)
    assert not inside(mask, one_sided.features0.keypoints)
    assert result.features0.fingerprint != one_sided.features0.fingerprint == matcher.extractor.fingerprint


def test_a_mask_for_the_upright_image_whatever_the_file_says(
    photos: tuple[Path, Path], mask: np.ndarray, tmp_path: Path
) -> None:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    with PIL.Image.open(photos[0]) as image:
        upright = image.convert("RGB")
    upright.transpose(PIL.Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    PIL.Image.fromarray(mask).transpose(PIL.Image.Transpose.ROTATE_90).save(tmp_path / "mask.png", exif=exif)
    matcher = matcher_of()
    expected = matcher.extract(upright, mask=mask)
    for given in (mask, tmp_path / "mask.png"):
        features = matcher.extract(tmp_path / "turned.png", mask=given)
        assert features.exif_orientation == 6
        assert torch.equal(features.keypoints, expected.keypoints)
    with pytest.raises(InvalidInput, match="rotate it upright"):
        matcher.extract(tmp_path / "turned.png", mask=np.rot90(mask))


def test_a_mask_that_forbids_everything_is_an_empty_result(photos: tuple[Path, Path]) -> None:
    result = matcher_of().match(*photos, mask0=[])
    assert (len(result.features0), len(result.features1), len(result)) == (0, 300, 0)


def test_the_command_takes_masks_border_and_tiles(
    photos: tuple[Path, Path], mask: np.ndarray, size: tuple[int, int], tmp_path: Path
) -> None:
    width, height = size
    PIL.Image.fromarray(mask).save(tmp_path / "mask.png")
    (tmp_path / "half.json").write_text(
        json.dumps([[[0, 0], [width / 2, 0], [width / 2, height], [0, height]]])
    )
    output = tmp_path / "m.json"
    done = CliRunner().invoke(
        app,
        [
            *("match", *map(str, photos), "--preset", QUICK, "--json", str(output), "--max-keypoints", "200"),
            *("--mask0", str(tmp_path / "mask.png"), "--mask1", str(tmp_path / "half.json")),
            *("--border", "60", "--resize", "800", "--tile", "640"),
        ],
    )
    assert done.exit_code == 0, done.output
    found = json.loads(output.read_text())
    points0, points1 = (np.array(found[name]) for name in ("keypoints0", "keypoints1"))
    assert len(points0) == len(points1) == 200
    assert inside(mask, points0)
    assert points1[:, 0].max() < width / 2
    for points in (points0, points1):
        assert points.min() > 59
        assert (points < np.array(size) - 60).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tile", "100"], "tile must be "),
        (["--mask0", "nowhere.png"], "not found: 'nowhere.png'"),
    ],
    ids=["tile", "mask"],
)
def test_the_command_says_what_is_wrong(
    photos: tuple[Path, Path], arguments: list[str], message: str
) -> None:
    done = CliRunner().invoke(app, ["match", *map(str, photos), "--preset", QUICK, *arguments])
    assert isinstance(done.exception, InvalidInput)
    assert message in str(done.exception)


def test_a_tile_that_is_no_number_is_wrong_usage(photos: tuple[Path, Path]) -> None:
    assert CliRunner().invoke(app, ["match", *map(str, photos), "--tile", "big"]).exit_code == 2


@pytest.mark.parametrize("border", [-1, 2.5, True, None, "3"], ids=str)
def test_borders_that_cannot_be(border: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(InvalidInput, match="border must be "):
        tiepoint.load(QUICK, border=border)


@pytest.mark.parametrize("preset", [QUICK, "aliked+nearest"])
def test_tiles_find_what_the_whole_finds(photos: tuple[Path, Path], preset: str) -> None:
    """ALIKED's coarsest level looks hundreds of pixels away; here it sees the whole image from every tile."""
    whole, tiled = (
        matcher_of(preset, resize=1100, max_keypoints=1500, tile=tile).extract(photos[0])
        for tile in (None, 640)
    )
    same = same_keypoints(tiled, whole)
    assert len(tiled) == 1500
    assert float(same.float().mean()) > 0.99


def same_keypoints(ours: Features, theirs: Features) -> torch.Tensor:
    """Those of `ours` that are among `theirs`, in position, score and descriptor."""
    distances, partners = torch.cdist(ours.keypoints.double(), theirs.keypoints.double()).min(dim=1)
    near_scores = (ours.scores - theirs.scores[partners]).abs() < 1e-3
    return (
        (distances < 0.05)
        & near_scores
        & ((ours.descriptors * theirs.descriptors[partners]).sum(dim=1) > 0.999)
    )


def test_disk_in_tiles_finds_most_of_what_it_finds_in_the_whole(photos: tuple[Path, Path]) -> None:
    """Its instance norm sees only the tile."""
    whole, tiled = (
        matcher_of("disk+lightglue", resize=900, max_keypoints=1000, tile=tile).extract(photos[0])
        for tile in (None, 700)
    )
    distances = torch.cdist(tiled.keypoints, whole.keypoints).min(dim=1).values
    assert 0.6 < float((distances < 0.05).float().mean()) < 0.999
