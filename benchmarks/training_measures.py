"""What benchmarks/training.py measures of a trained matcher, beside the published one on the same features."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tiepoint
from photographs import Pair, features_of, photographs, strongest
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
from timing import Case, time_case

PROTOCOL = VALIDATION_PROTOCOLS["homography-512"]
PUBLISHED, SMALL = "aliked+lightglue", "aliked+lightglue-small"
TURNS = (0, 1, 2, 3)
"""Quarter turns of image 1."""
FIRST_LAYERS = (2, 3, 5, 7, 9)
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Of the scores of matches; the protocol's is 0.1."""
SPEED_KEYPOINTS, SPEED_RUNS = 2048, 5


def measure_held_out(folder: Path, photos: Path, cache: Path) -> dict[str, Any]:
    """ValidationMetrics on photographs that training never saw."""
    pairs = held_out(photos, cache, extractor_of(folder))
    return {
        "protocol": PROTOCOL.name,
        "figures": figures_of(folder, pairs),
        "thresholds": figures_by_threshold(folder, pairs),
    }


def measure_known(photos: Path, cache: Path) -> dict[str, Any]:
    """ValidationMetrics of what is published: LightGlue stopped after fewer layers, each with its own head, and the small preset."""
    pairs, network = held_out(photos, cache, extractor_of(PUBLISHED)), lightglue(PUBLISHED).network
    networks = {f"published, {layers} layers": network.truncated(layers) for layers in FIRST_LAYERS} | {
        f"preset {SMALL}": lightglue(SMALL).network
    }
    return {
        name: validate(network_matcher(net, PROTOCOL), pairs, PROTOCOL).to_dict()
        for name, net in networks.items()
    }


def measure_turns(folder: Path, photos: Path, cache: Path) -> dict[str, Any]:
    """ValidationMetrics on the same pairs with image 1 turned, and its features found anew; without its augmentation."""
    usual = extractor_of(folder)
    pairs = held_out(photos, cache, usual)
    settings = replace(usual.settings, max_keypoints=PROTOCOL.warps.max_keypoints)
    extractor = NeuralExtractor(usual.network, settings)
    return {
        "turned": {
            str(90 * turns): figures_of(folder, [turned(pair, turns, extractor) for pair in pairs])
            for turns in TURNS
        }
    }


def measure_speed(folder: Path, photos: Path, cache: Path) -> dict[str, Any]:
    """Seconds to match a pair of 2048 keypoints, side by side, with all layers and adaptive."""
    with photographs() as files:
        pairs = features_of(files, SPEED_KEYPOINTS)
    cases = [
        speed_case(folder, name, strongest(pair, SPEED_KEYPOINTS), adaptive=adaptive)
        for name, pair in pairs.items()
        for adaptive in (False, True)
    ]
    return {"speed": [asdict(time_case(case, SPEED_RUNS)) for case in cases]}


def held_out(photos: Path, cache: Path, extractor: NeuralExtractor) -> list[HeldOutPair]:
    """The pairs of the protocol."""
    pairs, _ = held_out_pairs(find_images(photos), extractor, cache, PROTOCOL)
    return pairs


def extractor_of(preset: str | Path) -> NeuralExtractor:
    """What finds the keypoints for a preset, or for a trained folder."""
    extractor = tiepoint.load(preset, device="cpu", resize=None, tile=None).extractor
    assert isinstance(extractor, NeuralExtractor)
    return extractor


def figures_of(folder: Path, pairs: list[HeldOutPair]) -> dict[str, Any]:
    """Of every matcher, under the protocol."""
    published, trained = (lightglue(preset).network for preset in (PUBLISHED, folder))
    matchers: dict[str, PairMatcher] = {
        "mutual nearest": nearest_matcher(),
        "published": network_matcher(published, PROTOCOL),
        "trained": network_matcher(trained, PROTOCOL),
        "trained, adaptive": network_matcher(trained, PROTOCOL, adaptive=True),
    }
    return {name: validate(matcher, pairs, PROTOCOL).to_dict() for name, matcher in matchers.items()}


def figures_by_threshold(folder: Path, pairs: list[HeldOutPair]) -> dict[str, dict[str, Any]]:
    """Of both networks, where matches with lower scores count too, or no more: one row of the protocol changed."""
    networks = {
        name: lightglue(preset).network for name, preset in (("published", PUBLISHED), ("trained", folder))
    }
    protocols = [replace(PROTOCOL, filter_threshold=threshold) for threshold in THRESHOLDS]
    return {
        name: {
            str(protocol.filter_threshold): validate(
                network_matcher(net, protocol), pairs, protocol
            ).to_dict()
            for protocol in protocols
        }
        for name, net in networks.items()
    }


def lightglue(preset: str | Path, *, adaptive: bool = False) -> LightGlueMatcher:
    """The matcher of a preset, or of a trained folder."""
    matcher = tiepoint.load(preset, adaptive=adaptive, device="cpu").matcher
    assert isinstance(matcher, LightGlueMatcher)
    return matcher


def speed_case(folder: Path, name: str, pair: Pair, *, adaptive: bool) -> Case:
    """Both matchers on one pair."""
    counts = tuple(map(len, pair))
    assert counts == (SPEED_KEYPOINTS,) * 2, counts
    matchers = {
        "published": lightglue(PUBLISHED, adaptive=adaptive),
        "trained": lightglue(folder, adaptive=adaptive),
    }
    works = {who: partial(number_of_matches, matcher, pair) for who, matcher in matchers.items()}
    facts = {"keypoints": SPEED_KEYPOINTS, "pair": name, "adaptive": adaptive}
    return Case("training", f"{name} pair, {'adaptive' if adaptive else 'all layers'}", works, facts)


def number_of_matches(matcher: LightGlueMatcher, pair: Pair) -> int:
    """Match once."""
    (found,) = matcher.match([pair])
    return len(found.matches)


def turned(pair: HeldOutPair, quarter_turns: int, extractor: NeuralExtractor) -> HeldOutPair:
    """The pair with image 1 turned, so that its features are found anew; without its augmentation."""
    source = pair.warp1.features.source
    assert source is not None
    size = pair.warp1.features.image_size
    pixels = warp_image(read_image(source), pair.warp1.homography, size)
    features = extractor.extract(Image(pixels=torch.rot90(pixels, quarter_turns, (1, 2))))
    homography = pair.warp1.homography @ upright_from_turned(size, quarter_turns)
    return HeldOutPair(pair.warp0, Warp(features, homography))


def upright_from_turned(size: tuple[int, int], quarter_turns: int) -> np.ndarray:
    """From px of an image turned counter-clockwise to px of the image of this size as it was."""
    homography, (width, height) = np.eye(3), size
    for _ in range(quarter_turns):
        # a turn takes (x, y) to (y, width - 1 - x)
        homography = homography @ np.array([[0.0, -1, width - 1], [1, 0, 0], [0, 0, 1]])
        width, height = height, width
    return homography
