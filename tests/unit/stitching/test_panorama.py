"""stitch: panoramas of known rotations, and inputs that cannot be stitched."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from benchmarks.panorama.scenes import Scene, Shot, align_rotations, angle_deg, psnr, rotation, shoot
from tests.unit.stitching.conftest import FOCAL_PX, QUICK, SIZE

import tiepoint
from tiepoint.errors import InvalidInput
from tiepoint.stitching import panorama as module
from tiepoint.stitching.match_graph import MatchGraph
from tiepoint.stitching.result import Panorama
from tiepoint.stitching.settings import StitchSettings
from tiepoint.stitching.views import TO_RAYS


def stitched(images: Any, output: Path | None = None, **options: Any) -> Panorama:
    settings = StitchSettings(**options.pop("settings", {}))
    return tiepoint.stitch(images, output, settings=settings, **QUICK | options)


def expected_pixels(found: Panorama, scene: Scene, shots: list[Shot]) -> np.ndarray:
    """Render the scene on the canvas of a panorama, in its estimated frame."""
    true = [shots[image.index].world_from_cam for image in found.images]
    own = [image.world_from_cam for image in found.images if image.world_from_cam is not None]
    x, y = np.meshgrid(np.arange(found.canvas.width), np.arange(found.canvas.height))
    surface = np.stack([x + found.canvas.left, y + found.canvas.top], axis=-1) / found.canvas.scale
    return scene.colors(TO_RAYS[found.projection](surface) @ align_rotations(own, true).T)


@pytest.fixture(scope="module")
def shuffled(images: list[np.ndarray]) -> Panorama:
    return stitched([images[number] for number in (2, 0, 3, 1)])


def test_known_rotations_are_found_in_any_order(shuffled: Panorama, row: list[Shot]) -> None:
    assert [image.index for image in shuffled.images] == [0, 1, 2, 3]
    assert shuffled.left_out == ()
    own = [image.world_from_cam for image in shuffled.images if image.world_from_cam is not None]
    true = [row[number].world_from_cam for number in (2, 0, 3, 1)]
    aligned = align_rotations(own, true)
    assert max(angle_deg(aligned @ f, t) for f, t in zip(own, true, strict=True)) < 0.2
    assert [image.focal_px for image in shuffled.images] == pytest.approx([FOCAL_PX] * 4, rel=0.02)
    assert (shuffled.model, shuffled.projection) == ("rotation", "cylinder")
    assert shuffled.field_of_view_deg == pytest.approx((76 + 56, 50), abs=6)
    assert shuffled.median_error_px < 0.5


def test_pixels_are_those_of_the_scene(shuffled: Panorama, scene: Scene, row: list[Shot]) -> None:
    expected = expected_pixels(shuffled, scene, [row[number] for number in (2, 0, 3, 1)])
    opaque = shuffled.pixels[..., 3] > 0
    assert 0.8 < opaque.mean() < 1
    assert psnr(shuffled.pixels[..., :3], expected, opaque) > 27  # 14 if the images are shifted by 3 px


def test_points_map_to_their_pixels(shuffled: Panorama, images: list[np.ndarray]) -> None:
    x, y = shuffled.to_panorama(1, np.array([[160.0, 120.0]]))[0]
    around = shuffled.pixels[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5, :3].astype(int)
    assert np.abs(around - images[0][116:125, 156:165]).mean() < 12
    with pytest.raises(InvalidInput, match="image 9"):
        shuffled.to_panorama(9, np.zeros((1, 2)))


def test_exposure_is_compensated(scene: Scene, row: list[Shot]) -> None:
    levels = (0.8, 1.0, 1.2, 1.0)
    bright = [
        shoot(scene, shot.world_from_cam, size=SIZE, focal_px=FOCAL_PX, exposure=level).pixels
        for shot, level in zip(row, levels, strict=True)
    ]
    expected = None
    scores = []
    for exposure in (True, False):
        found = stitched(bright, settings={"exposure": exposure})
        expected = expected_pixels(found, scene, row)
        opaque = found.pixels[..., 3] > 0
        scores.append(psnr(found.pixels[..., :3], expected, opaque))
    assert scores[0] > scores[1] + 1


def test_files_crop_and_json(images: list[np.ndarray], tmp_path: Path) -> None:
    found = stitched(
        images, tmp_path / "p.png", json=tmp_path / "p.json", settings={"crop": True, "projection": "sphere"}
    )
    with PIL.Image.open(tmp_path / "p.png") as written:
        assert written.mode == "RGBA"
        np.testing.assert_array_equal(written, found.pixels)
    assert (found.pixels[..., 3] == 255).all()
    values = json.loads((tmp_path / "p.json").read_text())
    assert values["projection"] == "sphere"
    assert values["image_size"] == list(found.image_size)
    assert [image["index"] for image in values["images"]] == [0, 1, 2, 3]
    assert len(values["pairs"]) == len(found.pairs) >= 3
    assert list(values["seconds"])[:4] == ["load_weights", "extract", "match", "estimate"]
    found.save(tmp_path / "p.jpg")
    with PIL.Image.open(tmp_path / "p.jpg") as written:
        assert written.mode == "RGB"


def test_images_that_do_not_belong_are_named(
    images: list[np.ndarray], scene: Scene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    away = shoot(scene, rotation(180), size=SIZE, focal_px=FOCAL_PX).pixels
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    gray = PIL.Image.fromarray(images[1]).convert("L")
    found = stitched([images[0], away, gray, images[0].copy(), broken])
    assert [image.index for image in found.images] == [0, 2]
    reasons = {each.index: each.reason for each in found.left_out}
    assert reasons[1].startswith("no overlap found")
    assert reasons[3] == "duplicate of image 0"
    assert "broken.jpg" in reasons[4]
    assert "image 1 is not part of the panorama" in caplog.text
    assert any("gray" in warning for warning in found.warnings)


def test_mirrored_and_unrelated_images_have_a_reason_and_no_file(
    images: list[np.ndarray], tmp_path: Path
) -> None:
    output = tmp_path / "p.png"
    for other, reason in (
        (np.ascontiguousarray(images[1][:, ::-1]), "mirror image"),
        (images[3], "no overlap found"),
        (images[0].copy(), "duplicate of image 0"),
    ):
        with pytest.raises(InvalidInput, match=reason):
            stitched([images[0], other], output, json=tmp_path / "p.json")
        assert not output.exists()
        values = json.loads((tmp_path / "p.json").read_text())
        assert reason in values["reason"]
        assert values["output"] is None
        assert values["left_out"]


def test_sizes_may_differ_but_not_wildly(images: list[np.ndarray], scene: Scene) -> None:
    half = shoot(scene, rotation(-12, -2, -1), size=(160, 120), focal_px=150.0).pixels
    found = stitched([images[0], half, images[2]])
    assert [image.focal_px for image in found.images] == pytest.approx([300, 150, 300], rel=0.03)


@pytest.mark.parametrize("projection", ["cylinder", "sphere"])
@pytest.mark.slow
def test_a_full_circle_has_no_seam_at_its_ends(scene: Scene, projection: str) -> None:
    shots = [
        shoot(scene, rotation(45 * number, (-1) ** number * 2, number % 3 - 1), size=SIZE, focal_px=210.0)
        for number in range(8)
    ]
    found = stitched([shot.pixels for shot in shots], settings={"projection": projection})
    assert len(found.images) == 8
    assert found.is_full_circle
    assert found.field_of_view_deg is not None
    assert found.field_of_view_deg[0] == 360
    closed = np.concatenate([found.pixels, found.pixels[:, :1]], axis=1)
    expected = expected_pixels(found, scene, shots)
    expected = np.concatenate([expected, expected[:, :1]], axis=1)
    opaque = (closed[:, 1:, 3] > 0) & (closed[:, :-1, 3] > 0)
    steps = [np.diff(each[..., :3].astype(int), axis=1) for each in (closed, expected)]
    errors = np.abs(steps[0] - steps[1]).mean(axis=2)
    by_column = np.array([errors[rows, column].mean() for column, rows in enumerate(opaque.T)])
    assert opaque[:, -1].mean() > 0.75
    assert by_column[-1] < np.quantile(by_column, 0.95)
    near_ends = closed[..., 3] > 0
    near_ends[:, 30:-30] = False
    assert psnr(closed[..., :3], expected, near_ends) > 25


def test_transparent_parts_show_what_is_behind(
    images: list[np.ndarray], row: list[Shot], scene: Scene
) -> None:
    given = [np.dstack([image, np.full(image.shape[:2], 255, np.uint8)]) for image in images[:3]]
    given[1][:90, 60:] = 0
    found = stitched(given)
    assert len(found.images) == 3
    x, y = found.to_panorama(1, np.array([[160.0, 20.0]]))[0].round().astype(int)
    assert found.pixels[y, x, 3] == 255  # of image 0
    opaque = found.pixels[..., 3] > 0
    assert psnr(found.pixels[..., :3], expected_pixels(found, scene, row[:3]), opaque) > 27


def test_lost_resolution_is_said(images: list[np.ndarray], row: list[Shot], scene: Scene) -> None:
    tele = shoot(scene, row[1].world_from_cam, size=(640, 480), focal_px=1000.0).pixels
    found = stitched([images[0], images[1], tele, images[2]])
    assert [image.scale for image in found.images] == pytest.approx([1, 1, 0.3, 1], abs=0.03)
    assert [warning for warning in found.warnings if "resolution" in warning] == [
        "1 of 4 images lose more than half of their resolution, because the others are coarser or the panorama is limited "
        "by max_output_megapixels: image 2 (to 30 %)"
    ]


def test_cmyk_is_converted(images: list[np.ndarray], tmp_path: Path) -> None:
    paths = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for path, image in zip(paths, images, strict=False):
        PIL.Image.fromarray(image).convert("CMYK").save(path, quality=95)
    assert len(stitched(paths).images) == 2


def test_two_images_with_overlay(images: list[np.ndarray], tmp_path: Path) -> None:
    graphs: list[MatchGraph] = []
    stitched(
        images[:2],
        tmp_path / "p.png",
        overlay=tmp_path / "o.png",
        mode="checkerboard",
        json=tmp_path / "m.json",
        on_match=graphs.append,
    )
    (pair,) = graphs[0].pairs.values()
    with PIL.Image.open(tmp_path / "o.png") as overlay:
        np.testing.assert_array_equal(
            overlay, pair.result.overlay(pair.estimate, *images[:2], mode="checkerboard")
        )
    values = json.loads((tmp_path / "m.json").read_text())
    assert values["estimate"]["kind"] == "homography"
    assert values["verification"]["same_scene"]
    assert len(tiepoint.MatchResult.load(tmp_path / "m.json")) == len(pair.result)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "p.doc"}, "suffixes"),
        ({"output": "no/p.png"}, "does not exist"),
        ({"output": "p.png", "overlay": "o.txt"}, "suffixes"),
        ({"json": "m.png"}, r"\.json"),
        ({"images": 3, "overlay": "o.png"}, "two images, got 3"),
        ({"images": 1}, "at least two images, got 1"),
    ],
    ids=str,
)
def test_arguments_are_validated_before_matching(
    options: dict[str, Any],
    message: str,
    images: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "load", lambda *given, **options: pytest.fail("the work has begun"))
    with pytest.raises(InvalidInput, match=message):
        tiepoint.stitch(images[: options.pop("images", 2)], **options)
