"""Real images and published weights: enough matches, and correct ones."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from skimage.data import stereo_motorcycle

import tiepoint
from tiepoint.api import Matcher
from tiepoint.demo import disparity_errors
from tiepoint.errors import InvalidInput
from tiepoint.result import MatchResult

pytestmark = [pytest.mark.real, pytest.mark.weights]

PRESETS = (
    "aliked+lightglue-small",
    "aliked-n16rot+lightglue",
    "aliked-n32+lightglue",
    "aliked-t16+nearest",
    "disk+lightglue",
    "aliked+nearest",
    "xfeat+lighterglue",
    "xfeat+nearest",
)
MIN_SCORES = {"xfeat+nearest": 0.9}
"""Minimum score of presets whose wrong matches have higher scores than those of the others."""
EASY = ("DSC_0410.JPG", "DSC_0411.JPG")
HARD = ("sacre_coeur1.jpg", "sacre_coeur2.jpg")
ORIENTATION = 0x0112
STORED = {
    3: PIL.Image.Transpose.ROTATE_180,
    6: PIL.Image.Transpose.ROTATE_90,
    8: PIL.Image.Transpose.ROTATE_270,
}
"""EXIF orientation -> what a camera held that way does to the upright image."""


@cache
def matcher_of(preset: str = "aliked+lightglue", **options: object) -> Matcher:
    return tiepoint.load(preset, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def photos(shared_data: Path) -> Path:
    return shared_data / "lightglue_assets"


@pytest.fixture(scope="session")
def small(photos: Path) -> PIL.Image.Image:
    """Return a small image."""
    with PIL.Image.open(photos / EASY[0]) as image:
        return image.convert("RGB").resize((384, 256))


def share_on_one_geometry(result: MatchResult, max_error_px: float = 3.0) -> float:
    """Fraction of inliers of the fundamental matrix that OpenCV estimates."""
    _, inliers = cv2.findFundamentalMat(
        result.points0, result.points1, cv2.USAC_MAGSAC, max_error_px, 0.9999, 20_000
    )
    return float(inliers.mean())


def test_easy_pair_at_full_size(photos: Path) -> None:
    """At full size, with 2048 keypoints; the hard pair is matched so in tests/e2e/test_command.py."""
    result = matcher_of().match(*(photos / name for name in EASY))
    assert 750 < len(result) < 1100
    assert share_on_one_geometry(result) > 0.9
    assert 1 <= result.layers_run <= 9
    assert result.prune0.min() >= 1
    assert result.prune0.max() <= result.layers_run


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_finds_the_easy_pair(photos: Path, preset: str) -> None:
    threshold = MIN_SCORES.get(preset, 0.5)
    matcher = matcher_of(preset, resize=384, max_keypoints=256, filter_threshold=threshold)
    result = matcher.match(*(photos / name for name in EASY))
    assert len(result) > 50
    assert result.scores.min() > threshold
    assert share_on_one_geometry(result) > 0.8


def test_different_scenes_have_few_confident_matches(photos: Path) -> None:
    matcher = matcher_of(resize=512, max_keypoints=512, filter_threshold=0.5)
    easy0, easy1, hard = (matcher.extract(photos / name) for name in (*EASY, HARD[0]))
    same, different = matcher.match_features([(easy0, easy1), (easy0, hard)])
    assert len(different) < 0.1 * len(same)


def test_measured_disparity() -> None:
    """At the size of the file; enlarged as by default, more are right (tests/e2e/test_command.py)."""
    left, right, disparity = stereo_motorcycle()
    result = matcher_of(resize=None, max_keypoints=512).match(left, right)
    errors = disparity_errors(result, disparity)
    assert len(errors) > 150
    assert (errors <= 3).mean() > 0.8
    # Without our own arithmetic: the pair is rectified, so rows agree, and points move to the left.
    moved = result.points1 - result.points0
    assert np.median(np.abs(moved[:, 1])) < 0.5
    assert np.mean(moved[:, 0] < 0) > 0.95


def test_an_image_matches_itself(small: PIL.Image.Image) -> None:
    result = matcher_of(resize=512, max_keypoints=512).match(small, small)
    assert len(result) > 300
    np.testing.assert_array_equal(result.points0, result.points1)


def test_a_shifted_crop_is_found_at_its_shift(photos: Path) -> None:
    """The crops share their pixels, and neither is resized: points agree to a fraction of a pixel."""
    with PIL.Image.open(photos / EASY[0]) as image:
        crops = [image.convert("RGB").crop((x, y, x + 480, y + 400)) for x, y in ((100, 100), (164, 132))]
    result = matcher_of(resize=None, max_keypoints=512).match(*crops)
    moved = result.points0 - result.points1
    assert len(result) > 200
    np.testing.assert_allclose(np.median(moved, axis=0), (64, 32), atol=0.05)
    assert np.mean(np.linalg.norm(moved - (64, 32), axis=1) < 1) > 0.95


def test_half_as_large_is_half_as_far_from_the_corner(photos: Path) -> None:
    """Halved 2 x 2 by 2 x 2, so that x' = (x + 0.5) / 2 - 0.5: without the halves, 0.25 px would be missing.

    The extractor sees both at 512 px; at two sizes its own keypoints would shift by a tenth of a pixel.
    """
    with PIL.Image.open(photos / EASY[0]) as image:
        large = image.convert("RGB").crop((100, 100, 612, 484))
    result = matcher_of(resize=512, max_keypoints=512).match(large, large.reduce(2))
    assert len(result) > 100
    offsets = (result.points0 + 0.5) / 2 - 0.5 - result.points1
    np.testing.assert_allclose(np.median(offsets, axis=0), 0, atol=0.05)


def test_coordinates_refer_to_the_upright_image(small: PIL.Image.Image, tmp_path: Path) -> None:
    matcher = matcher_of(resize=256, max_keypoints=128)
    upright = matcher.extract(small)
    for orientation, turn in STORED.items():
        exif = PIL.Image.Exif()
        exif[ORIENTATION] = orientation
        small.transpose(turn).save(tmp_path / "turned.png", exif=exif)
        turned = matcher.extract(tmp_path / "turned.png")
        assert (turned.exif_orientation, turned.image_size) == (orientation, small.size)
        assert torch.equal(turned.keypoints, upright.keypoints)
        (result,) = matcher.match_features([(upright, turned)])
        np.testing.assert_array_equal(result.points0, result.points1)


def test_features_do_not_depend_on_the_input_type(small: PIL.Image.Image, tmp_path: Path) -> None:
    small.save(tmp_path / "photo.png")
    array = np.asarray(small)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    forms = [
        str(tmp_path / "photo.png"),
        small,
        array,
        tensor,
        array.astype(np.uint16) * 257,
        tensor.float() / 255,
        tiepoint.read_image(array),
    ]
    matcher = matcher_of(resize=256, max_keypoints=128)
    expected, *others = [matcher.extract(form) for form in (tmp_path / "photo.png", *forms)]
    assert len(expected) == 128
    for features in others:
        torch.testing.assert_close(features.keypoints, expected.keypoints, rtol=0, atol=1e-3)
        torch.testing.assert_close(features.descriptors, expected.descriptors, rtol=0, atol=1e-3)
        assert (features.kind, features.fingerprint) == (expected.kind, expected.fingerprint)


def test_batched_results_are_identical_to_single_pairs(photos: Path) -> None:
    matcher = matcher_of(resize=256, max_keypoints=256)
    features = [matcher.extract(photos / name) for name in (*EASY, HARD[0])]
    pairs = [(features[i], features[j]) for i, j in ((0, 1), (2, 0), (1, 1), (1, 0))]
    for pair, together in zip(pairs, matcher.match_features(pairs), strict=True):
        (alone,) = matcher.match_features([pair])
        np.testing.assert_array_equal(together.matches, alone.matches)
        np.testing.assert_allclose(together.scores, alone.scores, rtol=0, atol=1e-4)
        assert together.layers_run == alone.layers_run


def test_108_megapixels(small: PIL.Image.Image, tmp_path: Path) -> None:
    large = small.resize((12_000, 9_000), PIL.Image.Resampling.NEAREST)
    large.save(tmp_path / "large.bmp")
    result = matcher_of(resize=512, max_keypoints=256).match(tmp_path / "large.bmp", small)
    assert result.features0.image_size == (12_000, 9_000)
    assert len(result) > 100
    assert result.points0[:, 0].max() > 6_000
    scale = np.array([12_000 / 384, 9_000 / 256])
    errors = np.linalg.norm((result.points0 + 0.5) / scale - 0.5 - result.points1, axis=1)
    assert np.median(errors) < 1
    picture = result.draw(image1=small)
    assert max(picture.size) < 4_000


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_16_bit_types_find_nearly_the_same_matches(photos: Path, dtype: str) -> None:
    """Scores are off by what eight bits allow, so that a few matches near the threshold come and go."""
    matcher = matcher_of(max_keypoints=128)
    pair = tuple(matcher.extract(photos / name) for name in EASY)
    (expected,) = matcher.match_features([pair])
    (found,) = matcher_of(max_keypoints=128, dtype=dtype).match_features([pair])
    theirs, ours = ({tuple(match) for match in result.matches.tolist()} for result in (expected, found))
    assert len(theirs & ours) > 0.9 * max(len(theirs), len(ours)) > 30
    assert np.isfinite(found.scores).all()


@pytest.mark.parametrize("preset", ["xfeat+lighterglue", "xfeat+nearest"])
def test_xfeat_takes_unusual_images(preset: str) -> None:
    """Smaller than a cell of the network, narrow, blank, gray, 16 bit, NaN; alone and in one batch."""
    matcher = matcher_of(preset, resize=384, max_keypoints=128)
    noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    images = [
        noise,
        noise[:1, :1],
        noise[:31, :40],
        np.tile(noise[:20], (1, 13, 1)),
        np.full((100, 100, 3), 7, dtype=np.uint8),
        noise[..., 0],
        noise[..., 0].astype(np.uint16) * 257,
    ]
    features = [matcher.extract(image) for image in images]
    counts = [len(one) for one in features]
    assert (counts[0], counts[1], counts[4]) == (128, 0, 0)
    assert min(counts[2], counts[3], counts[5], counts[6]) > 10
    results = matcher.match_features([(features[0], one) for one in features])
    assert len(results[0]) > 100
    assert [len(results[index]) for index in (1, 4)] == [0, 0]
    torch.testing.assert_close(features[5].keypoints, features[6].keypoints)
    with pytest.raises(InvalidInput, match="NaN"):
        matcher.extract(np.full((64, 64, 3), np.nan, dtype=np.float32))


@pytest.mark.parametrize("preset", ["xfeat+lighterglue", "xfeat+nearest"])
def test_features_of_another_extractor_are_refused(small: PIL.Image.Image, preset: str) -> None:
    foreign = matcher_of("aliked+nearest", resize=384, max_keypoints=64).extract(small)
    matcher = matcher_of(preset, resize=384, max_keypoints=128)
    with pytest.raises(InvalidInput, match=r"expected kind 'xfeat@.* got 'aliked-n16@"):
        matcher.match_features([(matcher.extract(small), foreign)])
