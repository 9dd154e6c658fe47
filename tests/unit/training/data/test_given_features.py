"""Features of a function: checked against the first image, sorted, limited."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.helpers.given_features import DIM, KIND, brightest_points
from tests.helpers.noise_images import write_images
from tests.helpers.synthetic_reconstruction import SETTINGS

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image
from tiepoint.training.data.colmap_images import cache_reconstruction
from tiepoint.training.data.given_features import (
    GivenExtractor,
    call,
    extractor_from_function,
    top_keypoints,
)
from tiepoint.types import Features

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given") / "photos"
    write_images(folder, 2)
    return folder


@pytest.fixture
def image(images: Path) -> Image:
    return read_image(images / "1.png")


@pytest.fixture
def extractor(images: Path) -> GivenExtractor:
    return extractor_from_function(brightest_points, images, CPU)


def changed(**changes: Any) -> Callable[[Image], Features]:
    """Return a function whose features have other values."""
    return lambda image: replace(brightest_points(image), **changes)


def test_kind_and_dimensions_are_those_of_the_first_image(extractor: GivenExtractor) -> None:
    assert (extractor.settings.kind, extractor.descriptor_dim, extractor.position_dim) == (KIND, DIM, 2)
    assert extractor.device == CPU


def test_features_are_those_of_the_function_sorted_by_score(extractor: GivenExtractor, image: Image) -> None:
    expected = brightest_points(image)
    found = extractor.limited(5).extract(image)
    assert len(found) == 5
    assert torch.equal(found.scores, expected.scores.sort(descending=True).values[:5])
    assert found.source == image.source
    assert found.fingerprint != extractor.fingerprint


def test_equal_scores_keep_their_order(image: Image) -> None:
    features = changed(scores=torch.ones(len(brightest_points(image))))(image)
    assert torch.equal(top_keypoints(features, 3).keypoints, features.keypoints[:3])


def test_scales_and_orientations_are_four_values_per_position(images: Path) -> None:
    def oriented(image: Image) -> Features:
        features = brightest_points(image)
        return replace(features, scales=features.scores, orientations=features.scores)

    assert extractor_from_function(oriented, images, CPU).position_dim == 4


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"kind": "other"}, "'other'"),
        ({"image_size": (129, 97)}, "(129, 97)"),
    ],
)
def test_other_features_are_refused(
    extractor: GivenExtractor, image: Image, changes: dict[str, Any], found: str
) -> None:
    extractor.function = changed(**changes)
    with pytest.raises(InvalidInput) as refusal:
        extractor.extract(image)
    assert found in str(refusal.value)
    assert str(image.source) in str(refusal.value)


def test_another_descriptor_dimension_is_refused(extractor: GivenExtractor, image: Image) -> None:
    wider = torch.cat([brightest_points(image).descriptors] * 2, dim=1)
    extractor.function = changed(descriptors=wider)
    with pytest.raises(InvalidInput, match=rf"{DIM} .*{2 * DIM}"):
        extractor.extract(image)


def test_images_without_keypoints_may_have_any_dimensions(extractor: GivenExtractor, image: Image) -> None:
    empty = Features.from_arrays(torch.zeros(0, 2), torch.zeros(0, 3), image.image_size, kind=KIND)
    extractor.function = lambda _: empty
    assert extractor.extract(image).descriptors.shape == (0, DIM)


def test_the_orientation_of_the_file_is_kept(extractor: GivenExtractor, image: Image) -> None:
    """A reconstruction is in px of the file, the function gets the upright image."""
    sideways = replace(image, exif_orientation=6)
    assert extractor.extract(sideways).exif_orientation == 6
    extractor.function = lambda image: top_keypoints(brightest_points(image), 0)
    assert extractor.extract(sideways).exif_orientation == 6


def test_the_function_gets_the_size_that_is_trained_on(extractor: GivenExtractor, image: Image) -> None:
    called: list[tuple[int, int]] = []

    def corner(image: Image) -> Features:
        called.append(image.image_size)
        return replace(top_keypoints(brightest_points(image), 1), keypoints=torch.zeros(1, 2))

    extractor.function = corner
    features = extractor.with_settings(replace(extractor.settings, resize=64)).extract(image)
    assert (image.image_size, called) == ((128, 96), [(64, 48)])
    assert (features.image_size, features.keypoints.tolist()) == ((128, 96), [[0.5, 0.5]])
    extractor.with_settings(replace(extractor.settings, resize=200)).extract(image)
    assert called[1] == (128, 96)


def test_images_without_any_keypoints_are_refused(images: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no keypoints in .*png"):
        extractor_from_function(lambda image: top_keypoints(brightest_points(image), 0), images, CPU)


def test_nan_is_refused_with_the_image(image: Image) -> None:
    nan = torch.full_like(brightest_points(image).descriptors, torch.nan)
    with pytest.raises(InvalidInput, match=r"1\.png.*NaN"):
        call(changed(descriptors=nan), image)


def test_a_function_without_a_kind_is_warned_about(
    images: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("tiepoint.io.messages._warned", set())
    extractor_from_function(changed(kind=""), images, CPU)
    assert "Features.kind" in caplog.text


def test_other_types_are_refused(image: Image) -> None:
    with pytest.raises(InvalidInput, match="dict"):
        call(lambda _: {}, image)  # type: ignore[arg-type, return-value]


def test_a_folder_without_readable_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(InvalidInput, match=r"broken\.png"):
        extractor_from_function(brightest_points, tmp_path, CPU)


def test_there_are_no_features_at_given_keypoints(extractor: GivenExtractor, image: Image) -> None:
    with pytest.raises(InvalidInput, match="describe"):
        extractor.describe(image, torch.zeros(1, 2))


def dots(image: Image) -> Features:
    """Return all white pixels as keypoints."""
    y, x = image.pixels[0].nonzero().T
    return Features.from_arrays(
        torch.stack((x, y), 1), torch.ones(len(x), 1, device=x.device), image.image_size, kind="dots"
    )


def test_a_reconstruction_may_have_sideways_files(scene: Path, tmp_path: Path) -> None:
    extractor = extractor_from_function(dots, scene / "photos", CPU)
    cached = cache_reconstruction(scene / "model", scene / "photos", extractor, tmp_path, SETTINGS)
    assert cached.problems == ()
    sideways = cached.read(min(cached.covisible))
    assert sideways.features.image_size == (480, 640)
    assert sum(~torch.from_numpy(sideways.points).isnan().any(1)) > 80
