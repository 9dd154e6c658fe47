"""Results do not depend on the state of torch around the call: autocast, default device, dtype, gradients, threads."""

import ast
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.paths import SOURCE
from tests.helpers.random_networks import draw_superpoint, noise_pair, random_model, tiny_config
from torch import Tensor, nn

from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.geometry.estimate import estimate_homography
from tiepoint.image import Image, read_image
from tiepoint.matcher import Matcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.aliked.network import ALIKED, ALIKEDConfig
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.superpoint.network import SuperPoint, SuperPointShape
from tiepoint.result import MatchResult
from tiepoint.training.initialization import random_network
from tiepoint.training.train import _training_state
from tiepoint.types import Features

CREATORS = set(
    "arange as_tensor empty eye full linspace logspace ones rand randint randn randperm tensor zeros".split()  # noqa: SIM905
)
"""Functions of torch that use the default device."""

WIDTH, HEIGHT = 160, 120


@contextmanager
def changed(get: Callable[[], Any], set_: Callable[[Any], None], value: Any) -> Iterator[None]:
    before = get()
    set_(value)
    try:
        yield
    finally:
        set_(before)


def default_dtype(dtype: torch.dtype) -> AbstractContextManager[None]:
    return changed(torch.get_default_dtype, torch.set_default_dtype, dtype)


def default_device() -> AbstractContextManager[None]:
    """Tensors that are created without a device have no values on this one."""
    return changed(lambda: None, torch.set_default_device, "meta")


@contextmanager
def deterministic() -> Iterator[None]:
    """Uninitialized memory is filled with NaN in this mode."""
    with changed(torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True):
        yield


STATES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "autocast to bfloat16": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast to float16": lambda: torch.autocast("cpu", torch.float16),
    "default device": default_device,
    "device context": lambda: torch.device("meta"),
    "default float64": lambda: default_dtype(torch.float64),
    "default float16": lambda: default_dtype(torch.float16),
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "deterministic": deterministic,
}


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest) -> AbstractContextManager[Any]:
    return STATES[request.param]()


def aliked() -> nn.Module:
    return ALIKED(ALIKEDConfig(widths=(4, 4, 8, 8), dim=16, positions=4))


def disk() -> nn.Module:
    return DISK(DISKConfig(down=(4, 4, 6, 6, 8), up=(6, 6, 4), dim=12))


def superpoint() -> nn.Module:
    network = SuperPoint(SuperPointShape(widths=(8, 8, 16, 16), head_width=32, dim=24))
    draw_superpoint(network, torch.rand(1, 96, 128))
    return network


EXTRACTORS = {"aliked": aliked, "disk": disk, "superpoint": superpoint}


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    pair = (noise_pair(HEIGHT, WIDTH) * 255).byte().permute(0, 2, 3, 1).numpy()
    return pair[0].copy(), pair[1].copy()


@pytest.fixture(scope="module")
def network() -> Any:
    return random_model(tiny_config(max_keypoints=300), noise_pair(HEIGHT, WIDTH)[0])


def lightglue(network: Any) -> Matcher:
    settings = ExtractionSettings(kind="random", max_keypoints=300, resize=None, border=4)
    extractor = NeuralExtractor(network.keypoint_detector, settings)
    return Matcher(extractor, LightGlueMatcher(network.matcher, kind="random", filter_threshold=0.0))


def tensors(features: Features) -> list[Tensor]:
    return [features.keypoints, features.scores, features.descriptors]


def assert_identical(found: list[Any], expected: list[Any]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
        assert np.asarray(one).dtype == np.asarray(other).dtype


def values(result: MatchResult) -> list[Any]:
    """Everything that is computed from a pair."""
    homography = estimate_homography(result)
    image0, image1 = read_image(PICTURE), read_image(PICTURE)
    return [
        *tensors(result.features0),
        result.matches,
        result.scores,
        result.verify().probability,
        result.draw(image0, image1),
        *([result.overlay(homography, image0, image1, mode="checkerboard")] if homography.success else []),
    ]


PICTURE = PIL.Image.new("RGB", (WIDTH, HEIGHT), "gray")


@pytest.fixture(scope="module")
def expected_of_pair(network: Any, images: tuple[np.ndarray, np.ndarray]) -> list[Any]:
    return values(lightglue(network).match(*images))


def test_matches_and_pictures(
    network: Any,
    images: tuple[np.ndarray, np.ndarray],
    expected_of_pair: list[Any],
    state: AbstractContextManager[Any],
) -> None:
    expected = expected_of_pair
    assert len(expected[3]) > 20
    with state:
        found = values(lightglue(network).match(*images))
    assert_identical(found, expected)


@pytest.fixture(scope="module", params=EXTRACTORS)
def nearest(
    request: pytest.FixtureRequest, images: tuple[np.ndarray, np.ndarray]
) -> tuple[Callable[[], list[Any]], list[Any]]:
    """Function that extracts and matches with one extractor, and its result."""
    torch.manual_seed(0)
    settings = ExtractionSettings(kind="random", max_keypoints=50, resize=128)
    matcher = Matcher(NeuralExtractor(EXTRACTORS[request.param](), settings), NearestMatcher())
    mask = [[(5, 5), (150, 5), (150, 100), (5, 100)]]

    def run() -> list[Any]:
        features = [matcher.extract(image, mask=mask) for image in images]
        (result,) = matcher.match_features([(features[0], features[1])])
        return [*tensors(features[0]), result.matches, result.scores]

    return run, run()


def test_features_and_nearest_neighbors(
    nearest: tuple[Callable[[], list[Any]], list[Any]], state: AbstractContextManager[Any]
) -> None:
    run, expected = nearest
    assert len(expected[0]) == 50
    with state:
        found = run()
    assert_identical(found, expected)


@pytest.mark.slow
def test_tiles(images: tuple[np.ndarray, np.ndarray], state: AbstractContextManager[Any]) -> None:
    torch.manual_seed(0)
    settings = ExtractionSettings(kind="random", max_keypoints=50, resize=640, tile=512)
    extractor = NeuralExtractor(aliked(), settings)
    image = Image(pixels=torch.from_numpy(images[0][:40]).permute(2, 0, 1))
    expected = tensors(extractor.extract(image))
    with state:
        found = tensors(extractor.extract(image))
    assert_identical(found, expected)


@pytest.mark.parametrize("mode", [nullcontext, torch.inference_mode, torch.no_grad])
def test_results_are_ordinary_tensors(
    network: Any, images: tuple[np.ndarray, np.ndarray], mode: Callable[[], AbstractContextManager[Any]]
) -> None:
    """A loss may depend on them, in whatever mode they were computed."""
    matcher = lightglue(network)
    with mode():
        features = [matcher.extract(image) for image in images]
        pair = (features[0], features[1])
        (found,), (nearest,) = matcher.matcher.match([pair]), NearestMatcher().match([pair])
    for tensor in (*tensors(features[0]), found.scores, nearest.scores):
        weight = torch.ones(1, requires_grad=True)
        (tensor * weight).sum().backward()
        assert weight.grad is not None


def test_networks_made_in_inference_mode_can_be_used_outside(images: tuple[np.ndarray, np.ndarray]) -> None:
    with torch.inference_mode():
        inside = lightglue(random_model(tiny_config(max_keypoints=300), noise_pair(HEIGHT, WIDTH)[0]))
        expected = inside.match(*images).matches
    np.testing.assert_array_equal(inside.match(*images).matches, expected)


def test_training_has_gradients_and_random_weights_are_the_same(
    network: Any, state: AbstractContextManager[Any]
) -> None:
    expected = random_network(network.matcher.shape, seed=3)
    with state, _training_state():
        created = random_network(network.matcher.shape, seed=3)
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
    for one, other in zip(created.parameters(), expected.parameters(), strict=True):
        assert torch.equal(one, other)
        assert one.requires_grad


@pytest.mark.slow
def test_threads(network: Any, images: tuple[np.ndarray, np.ndarray]) -> None:
    results = []
    for count in (1, 3):
        with changed(torch.get_num_threads, torch.set_num_threads, count):
            results.append(lightglue(network).match(*images))
    np.testing.assert_array_equal(results[0].matches, results[1].matches)
    np.testing.assert_allclose(results[0].scores, results[1].scores, atol=1e-5)


def test_every_new_tensor_has_a_device_and_a_dtype() -> None:
    """Otherwise it depends on the defaults of the user; initial weights of layers may."""
    package = SOURCE / "tiepoint"
    missing = [
        f"{path.relative_to(package)}:{call.lineno}: {ast.unparse(call)}"
        for path in sorted(package.rglob("*.py"))
        if path.relative_to(package).parts[0] != "huggingface"
        for call in _creations(path.read_text(encoding="utf-8"))
        if not {"device", "dtype"} <= {keyword.arg for keyword in call.keywords}
    ]
    assert missing == []


def _creations(source: str) -> Iterator[ast.Call]:
    if "torch" not in source:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CREATORS:
            is_torch = isinstance(node.func.value, ast.Name) and node.func.value.id == "torch"
            if is_torch and "Parameter(" not in source.splitlines()[node.lineno - 1]:
                yield node


@pytest.mark.slow
def test_threads_at_once_give_identical_results(network: Any, images: tuple[np.ndarray, np.ndarray]) -> None:
    matcher = lightglue(network)
    expected = matcher.match(*images)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: matcher.match(*images), range(8)):
            np.testing.assert_array_equal(found.matches, expected.matches)
            np.testing.assert_array_equal(found.scores, expected.scores)
