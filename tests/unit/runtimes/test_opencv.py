"""OpenCV's names: its ALIKED and LightGlueMatcher classes find what the package finds, whatever the size of the images."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tests.helpers.shape_checks import without_shape_checks
from tests.helpers.tiny_bundles import COUNTS, KIND, noise, noisy_pair, tiny_network, tiny_source

from tiepoint.exporting.bundle import write_bundle
from tiepoint.exporting.options import ExportOptions
from tiepoint.exporting.source import Source
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.matcher import Matcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.aliked.network import ALIKED, ALIKEDConfig
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import normalize_keypoints
from tiepoint.runtimes.bundle import open_bundle
from tiepoint.runtimes.detector import BundleDetector
from tiepoint.runtimes.lightglue import ImageInputs, SingleMatcher
from tiepoint.runtimes.opencv import normalize
from tiepoint.types import Features

ALL_LAYERS = AdaptiveInference(depth_confidence=-1.0, width_confidence=-1.0)
SHAPES = ((64, 96), (150, 90), (90, 150))
"""Shapes (height, width) in px; multiples of ALIKED's 32 px, and not."""


def tiny_aliked_source() -> Source:
    """ALIKED of a few channels with random weights, and LightGlue for its descriptors."""
    torch.manual_seed(0)
    network = ALIKED(ALIKEDConfig(widths=(4, 4, 8, 8), dim=8, positions=2)).eval()
    extractor = NeuralExtractor(network, ExtractionSettings(kind=KIND, max_keypoints=60, resize=None))
    matcher = LightGlueMatcher(tiny_network(), kind=KIND, adaptivity=ALL_LAYERS)
    source = tiny_source()
    return Source(
        name="tiny", matcher=Matcher(extractor, matcher), extractor=source.extractor, weights=source.weights
    )


@pytest.fixture(scope="module")
def source() -> Source:
    return tiny_aliked_source()


@pytest.fixture(scope="module")
def folder(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("opencv") / "bundle"
    with without_shape_checks():
        report = write_bundle(source, folder, ExportOptions(target="opencv"), images=[noise()], counts=COUNTS)
    assert report.differing_per_10000 == 0
    assert report.runtime.startswith("opencv")
    return folder


def pixels(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """An image of noise."""
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def opencv_features(folder: Path, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return keypoints in px as in the package, scores and descriptors of an RGB image, from OpenCV's class."""
    params = cv2.ALIKED_Params()
    params.inputSize = (image.shape[1], image.shape[0])
    detector = cv2.ALIKED_create(str(folder / "extractor.onnx"), params)
    keypoints, descriptors = detector.detectAndCompute(np.ascontiguousarray(image[..., ::-1]), None)
    scores = np.array([keypoint.response for keypoint in keypoints], np.float32)
    return np.float32(cv2.KeyPoint.convert(keypoints)) - np.float32(0.5), scores, descriptors


@pytest.mark.parametrize("shape", SHAPES)
def test_opencv_finds_the_keypoints_of_the_package(
    source: Source, folder: Path, shape: tuple[int, int]
) -> None:
    image = pixels(shape)
    expected = source.matcher.extract(image)
    keypoints, scores, descriptors = opencv_features(folder, image)
    assert len(expected) == len(keypoints) == 60
    np.testing.assert_allclose(scores, expected.scores.numpy(), atol=1e-5)
    np.testing.assert_allclose(keypoints, expected.keypoints.numpy(), atol=1e-3)
    np.testing.assert_allclose(descriptors, expected.descriptors.numpy(), atol=1e-4)


def test_opencv_finds_the_matches_of_the_package(source: Source, folder: Path) -> None:
    sizes = (150, 100), (100, 150)
    images = [replace(image, image_size=size) for image, size in zip(noisy_pair(60, 50), sizes, strict=True)]
    (expected,) = source.matcher.matcher.match([(features(images[0]), features(images[1]))])
    matcher = cv2.LightGlueMatcher_create(str(folder / "matcher.onnx"), 0.0)
    matcher.setPairInfo(*(normalize(image.keypoints, image.image_size) for image in images))
    found = matcher.match(images[0].descriptors, images[1].descriptors)
    assert len(found) > 10
    assert [[match.queryIdx, match.trainIdx] for match in found] == expected.matches.tolist()
    np.testing.assert_allclose([1 - match.distance for match in found], expected.scores.numpy(), atol=1e-4)


def features(image: ImageInputs) -> Features:
    """Return inputs of a bundle as features."""
    keypoints, descriptors = torch.from_numpy(image.keypoints), torch.from_numpy(image.descriptors)
    return Features(
        keypoints=keypoints, scores=torch.ones(len(image)), descriptors=descriptors, image_size=image.image_size,
        kind=KIND,
    )  # fmt: skip


def test_blank_images_have_no_keypoints(folder: Path) -> None:
    """OpenCV aborts the process if a tensor is empty: its graph returns one keypoint of score 0."""
    _, scores, _ = opencv_features(folder, np.zeros((64, 96, 3), np.uint8))
    assert scores.tolist() == [0]
    detector = BundleDetector(open_bundle(folder))
    assert {len(values) for values in detector.detect(np.zeros((3, 64, 96), np.float32)).values()} == {0}


def test_features_without_matches(folder: Path) -> None:
    image0, image1 = noisy_pair(9, 9)
    matcher = SingleMatcher(open_bundle(folder))
    assert matcher.match(image0, image1).matches0.max() >= 0
    unlike = replace(image1, descriptors=np.zeros_like(image1.descriptors))
    found = matcher.match(image0, unlike)
    assert found.matches0.tolist() == [-1] * 9
    assert found.matching_scores0.tolist() == [0] * 9


def test_positions_are_those_of_lightglue() -> None:
    keypoints, size = np.float32([[0, 0], [639, 479], [12.5, 300]]), (640, 480)
    expected = normalize_keypoints(torch.from_numpy(keypoints), torch.tensor(size, dtype=torch.float32))
    np.testing.assert_allclose(normalize(keypoints, size), expected.numpy(), atol=1e-7)
