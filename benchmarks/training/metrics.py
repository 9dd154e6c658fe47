"""Metrics of a trained matcher and of the published one, on the same features."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

import tiepoint
from benchmarks.images import Pair, extract_pairs, image_files, top_k
from benchmarks.records import Record
from benchmarks.timing import Case, time_case
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.image import Image, read_image
from tiepoint.image.listing import find_images
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.training.data.homographic_warps import Warp, warp_image
from tiepoint.training.validation import (
    VALIDATION_PROTOCOLS,
    HeldOutPair,
    held_out_pairs,
    nearest_matcher,
    network_matcher,
    validate,
)

PROTOCOL = VALIDATION_PROTOCOLS["homography-512"]
PUBLISHED, SMALL = "aliked+lightglue", "aliked+lightglue-small"
NUM_ROTATIONS = 4
"""Number of rotations of image 1, by multiples of 90 degrees."""

NUM_LAYERS = (2, 3, 5, 7, 9)
FILTER_THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Minimum match scores; that of the protocol is 0.1."""

SPEED_KEYPOINTS, SPEED_RUNS = 2048, 5


def measure_held_out(folder: Path, photos: Path, cache: Path) -> Record:
    """Return the metrics on held-out images."""
    pairs = held_out(photos, cache, extractor_of(folder))
    return {
        "protocol": PROTOCOL.name,
        "figures": matcher_metrics(folder, pairs),
        "thresholds": threshold_metrics(folder, pairs),
    }


def measure_published(photos: Path, cache: Path) -> Record:
    """Return the metrics of published weights: LightGlue truncated to fewer layers, and the small preset."""
    pairs, network = held_out(photos, cache, extractor_of(PUBLISHED)), lightglue(PUBLISHED).network
    networks = {f"published, {layers} layers": network.truncated(layers) for layers in NUM_LAYERS} | {
        f"preset {SMALL}": lightglue(SMALL).network
    }
    return {
        name: validate(network_matcher(truncated, PROTOCOL), pairs, PROTOCOL).to_dict()
        for name, truncated in networks.items()
    }


def measure_rotations(folder: Path, photos: Path, cache: Path) -> Record:
    """Return the metrics on the same pairs with image 1 rotated and extracted again, without photometric augmentation."""
    extractor = extractor_of(folder)
    pairs = held_out(photos, cache, extractor)
    settings = replace(extractor.settings, max_keypoints=PROTOCOL.warps.max_keypoints)
    extractor = NeuralExtractor(extractor.network, settings)
    return {
        "turned": {
            str(90 * count): matcher_metrics(folder, [rotate_pair(pair, count, extractor) for pair in pairs])
            for count in range(NUM_ROTATIONS)
        }
    }


def measure_speed(folder: Path, photos: Path, cache: Path) -> Record:
    """Return the times to match a pair of 2048 keypoints, side by side, with all layers and adaptive."""
    with image_files() as files:
        pairs = extract_pairs(files, SPEED_KEYPOINTS)
    cases = [
        speed_case(folder, name, top_k(pair, SPEED_KEYPOINTS), adaptive=adaptive)
        for name, pair in pairs.items()
        for adaptive in (False, True)
    ]
    return {"speed": [asdict(time_case(case, SPEED_RUNS)) for case in cases]}


def held_out(photos: Path, cache: Path, extractor: NeuralExtractor) -> list[HeldOutPair]:
    """Return the pairs of the protocol."""
    pairs, _ = held_out_pairs(find_images(photos), extractor, cache, PROTOCOL)
    return pairs


def extractor_of(preset: str | Path) -> NeuralExtractor:
    """Return the extractor of a preset, or of a trained folder."""
    extractor = tiepoint.load(preset, device="cpu", resize=None, tile=None).extractor
    assert isinstance(extractor, NeuralExtractor)
    return extractor


def matcher_metrics(folder: Path, pairs: list[HeldOutPair]) -> Record:
    """Return the metrics of each matcher."""
    published, trained = (lightglue(preset).network for preset in (PUBLISHED, folder))
    matchers: dict[str, PairMatcher] = {
        "mutual nearest": nearest_matcher(),
        "published": network_matcher(published, PROTOCOL),
        "trained": network_matcher(trained, PROTOCOL),
        "trained, adaptive": network_matcher(trained, PROTOCOL, adaptive=True),
    }
    return {name: validate(matcher, pairs, PROTOCOL).to_dict() for name, matcher in matchers.items()}


def threshold_metrics(folder: Path, pairs: list[HeldOutPair]) -> dict[str, Record]:
    """Return the metrics of both networks with other filter thresholds than that of the protocol."""
    networks = {
        name: lightglue(preset).network for name, preset in (("published", PUBLISHED), ("trained", folder))
    }
    protocols = [replace(PROTOCOL, filter_threshold=threshold) for threshold in FILTER_THRESHOLDS]
    return {
        name: {
            str(protocol.filter_threshold): validate(
                network_matcher(net, protocol), pairs, protocol
            ).to_dict()
            for protocol in protocols
        }
        for name, truncated in networks.items()
    }


def lightglue(preset: str | Path, *, adaptive: bool = False) -> LightGlueMatcher:
    """Return the matcher of a preset, or of a trained folder."""
    matcher = tiepoint.load(preset, adaptive=adaptive, device="cpu").matcher
    assert isinstance(matcher, LightGlueMatcher)
    return matcher


def speed_case(folder: Path, name: str, pair: Pair, *, adaptive: bool) -> Case:
    """Return both matchers on one pair."""
    counts = tuple(map(len, pair))
    assert counts == (SPEED_KEYPOINTS,) * 2, counts
    matchers = {
        "published": lightglue(PUBLISHED, adaptive=adaptive),
        "trained": lightglue(folder, adaptive=adaptive),
    }
    works = {name: partial(count_matches, matcher, pair) for name, matcher in matchers.items()}
    facts = {"keypoints": SPEED_KEYPOINTS, "pair": name, "adaptive": adaptive}
    return Case("training", f"{name} pair, {'adaptive' if adaptive else 'all layers'}", works, facts)


def count_matches(matcher: LightGlueMatcher, pair: Pair) -> int:
    """Match a pair and return the number of matches."""
    (assignment,) = matcher.match([pair])
    return len(assignment.matches)


def rotate_pair(pair: HeldOutPair, num_rotations: int, extractor: NeuralExtractor) -> HeldOutPair:
    """Return the pair with image 1 rotated counter-clockwise by multiples of 90 degrees and extracted again."""
    source = pair.warp1.features.source
    assert source is not None
    size = pair.warp1.features.image_size
    pixels = warp_image(read_image(source), pair.warp1.homography, size)
    features = extractor.extract(Image(pixels=torch.rot90(pixels, num_rotations, (1, 2))))
    homography = pair.warp1.homography @ upright_from_rotated(size, num_rotations)
    return HeldOutPair(pair.warp0, Warp(features, homography))


def upright_from_rotated(size: tuple[int, int], num_rotations: int) -> np.ndarray:
    """Return the homography from px of an image rotated counter-clockwise to px of the image of this size."""
    homography, (width, height) = np.eye(3), size
    for _ in range(num_rotations):
        # a rotation by 90 degrees maps (x, y) to (y, width - 1 - x)
        homography = homography @ np.array([[0.0, -1, width - 1], [1, 0, 0], [0, 0, 1]])
        width, height = height, width
    return homography
