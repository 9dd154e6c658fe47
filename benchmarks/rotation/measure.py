"""Count correct matches against the in-plane rotation of the images, with and without a search over views.

    python -m benchmarks rotation                    # a quarter of an hour on one thread
    python -m benchmarks rotation --only sacre_coeur # measure that pair again; the rest of the record is kept
    python -m benchmarks rotation --quick --records build/bench
    python -m benchmarks rotation render

Image 1 of each pair is rotated about its center, onto a black canvas that holds all of it, by multiples of 15 degrees;
image 0, and both images together, by multiples of 45 degrees. In the scenes of Oxford affine, the third image is matched with the first; a match is correct within 3 px of the
ground-truth homography. Sacre Coeur has no ground truth: a match is correct within 3 px of the epipolar geometry that is
estimated from the upright pair with many keypoints, which includes a few wrong matches by chance.

The cost for upright images is measured with the default settings, on pairs that are not rotated: the fraction of "views",
that is pair verification and the search, in the time of a match.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
import torch
from rich.console import Console

import tiepoint
from benchmarks.paths import DATA
from benchmarks.records import (
    Record,
    about,
    add_quick_argument,
    add_records_argument,
    read_record,
    write_record,
)
from tiepoint.evaluation.datasets.pairs_jsonl import read_pairs_jsonl
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.geometry.multiview import sampson_distances, transfer_errors
from tiepoint.image import Image, read_image
from tiepoint.result import MatchResult

RECORD = "rotation.json"
STEPS_DEG = {"1": 15, "0": 45, "both": 45}
"""Rotated images -> step of their angles."""
MAX_ERROR_PX = 3.0
PLANE_SETTINGS = {"resize": 512, "max_keypoints": 512}
SACRE_COEUR_SETTINGS = {"resize": 1024, "max_keypoints": 1024}
"""Settings for Sacre Coeur, whose images are too different to match at a small size when rotated a little."""

UPRIGHT = "upright pairs"
"""Name of the pairs that are not rotated, for --only."""

SCENES = ("graf", "wall", "leuven", "boat", "bark")
"""Scenes of Oxford affine; the images of the last two are rotated themselves: bark by 150 degrees, boat by 40."""

UPRIGHT_SETS = {
    "oxford_affine": ("graf", "wall", "bikes", "leuven", "trees", "ubc"),
    "strecha": (),
    "lund_door12": (),
    "templeRing47": (),
}
"""Data set -> scenes whose images are upright (empty: all)."""

PAIRS_PER_SET = 8

Errors = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Function from points of image 0 and points of the upright image 1 to errors in px."""


@dataclass(frozen=True)
class RotationCase:
    """A pair, and the error function of its matches."""

    name: str
    image0: Image
    image1: Image
    errors: Errors
    settings: dict[str, int]


@dataclass(frozen=True)
class Measurement:
    """Correct and all matches of one pair at one angle; field names are those of the record."""

    pair: str
    rotated: str
    angle_deg: int
    correct: int
    matches: int
    correct_search: int
    matches_search: int
    rotation0: int
    rotation1: int


@dataclass(frozen=True)
class Cost:
    """Cost of the rotation search for an upright pair; field names are those of the record."""

    pair: str
    seconds: float
    seconds_views: float
    rotation0: int
    rotation1: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", default="", help="Measure only pairs whose name contains this text.")
    add_quick_argument(parser)
    add_records_argument(parser, RECORD)


def main(arguments: argparse.Namespace) -> None:
    """Measure the selected pairs and write the record."""
    torch.set_num_threads(1)
    known = known_record(arguments, RECORD)
    chosen, measured = select_cases(arguments, known)
    measured += [asdict(one) for case in chosen for one in measure_angles(case, quick=arguments.quick)]
    costs = known.get("costs", [])
    if arguments.only in UPRIGHT:
        costs = [asdict(cost) for cost in measure_costs(quick=arguments.quick)]
    record = {
        "about": about(runs=1),  # counts are the same in every run
        "settings": {"planes": PLANE_SETTINGS, "sacre_coeur": SACRE_COEUR_SETTINGS},
        "measured": measured,
        "costs": costs,
    }
    write_record(arguments.records, RECORD, record)


def known_record(arguments: argparse.Namespace, name: str) -> Record:
    """Return the record of which --only keeps the rest; without --only an empty one."""
    return (read_record(arguments.records, name) if arguments.only else None) or {}


def select_cases(arguments: argparse.Namespace, known: Record) -> tuple[list[RotationCase], list[Record]]:
    """Return the cases to measure, and the known rows of the others."""
    chosen = [case for case in cases(arguments.quick) if arguments.only in case.name]
    names = {case.name for case in chosen}
    return chosen, [row for row in known.get("measured", []) if row["pair"] not in names]


def cases(quick: bool) -> Iterator[RotationCase]:
    """Yield the planes of Oxford affine, and Sacre Coeur."""
    for scene in SCENES[:1] if quick else SCENES:
        pair = next(p for p in read_pairs("oxford_affine") if p.scene == scene and p.image1.stem == "img3")
        ground_truth: Any = pair.truth
        errors = partial(transfer_errors, homography=ground_truth.homography)
        yield RotationCase(f"{scene} 1-3", *read_images(pair), errors, PLANE_SETTINGS)
    if not quick:
        yield sacre_coeur()


def sacre_coeur() -> RotationCase:
    """Return the pair with the epipolar geometry estimated from its upright images."""
    names = ("sacre_coeur1.jpg", "sacre_coeur2.jpg")
    image0, image1 = (read_image(DATA / "lightglue_assets" / name) for name in names)
    result = tiepoint.load(max_keypoints=4096, adaptive=False, views=None).match(image0, image1)
    estimate = tiepoint.estimate_fundamental(result, max_error_px=1.0)
    assert estimate.fundamental is not None, estimate.reason
    return RotationCase(
        "sacre_coeur",
        image0,
        image1,
        partial(sampson_distances, fundamental=estimate.fundamental),
        SACRE_COEUR_SETTINGS,
    )


def measure_angles(case: RotationCase, *, quick: bool) -> Iterator[Measurement]:
    """Yield the measurements of one pair at all angles."""
    without, search = (tiepoint.load(**case.settings, views=views) for views in (None, "rotation"))
    angles = [
        (name, angle) for name, step in STEPS_DEG.items() for angle in range(0, 360, 90 if quick else step)
    ]
    for name, angle in angles:
        (image0, matrix0), (image1, matrix1) = (
            rotate(image, angle if name in (side, "both") else 0)
            for side, image in (("0", case.image0), ("1", case.image1))
        )
        results = [matcher.match(image0, image1) for matcher in (without, search)]
        correct = [count_correct(result, case.errors, matrix0, matrix1) for result in results]
        measurement = Measurement(
            pair=case.name,
            rotated=name,
            angle_deg=angle,
            correct=correct[0],
            matches=len(results[0]),
            correct_search=correct[1],
            matches_search=len(results[1]),
            rotation0=results[1].rotation0,
            rotation1=results[1].rotation1,
        )
        log(str(measurement))
        yield measurement


def rotate(image: Image, angle_deg: int) -> tuple[Image, np.ndarray]:
    """Return the image rotated counter-clockwise on a larger canvas, and the homography from the upright image."""
    width, height = image.image_size
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    sides = np.abs([[cosine, sine], [sine, cosine]]) @ (width, height)
    canvas = tuple(int(side) for side in np.ceil(sides - 1e-9))
    matrix = np.eye(3)
    matrix[:2, :2] = [[cosine, sine], [-sine, cosine]]  # the y axis points down
    centers = [(np.array(size) - 1) / 2 for size in ((width, height), canvas)]
    matrix[:2, 2] = centers[1] - matrix[:2, :2] @ centers[0]
    pixels = cv2.warpAffine(np.asarray(image.to_pil()), matrix[:2], canvas, flags=cv2.INTER_CUBIC)
    return read_image(pixels), matrix


def count_correct(result: MatchResult, errors: Errors, matrix0: np.ndarray, matrix1: np.ndarray) -> int:
    """Return the number of matches within `MAX_ERROR_PX` of the ground truth, in px of the upright images.

    Args:
        result: Matches of the rotated images.
        errors: Errors of points of the upright images.
        matrix0: Homography from the upright to the rotated image 0.
        matrix1: Homography from the upright to the rotated image 1.
    """
    both = (result.points0, np.linalg.inv(matrix0)), (result.points1, np.linalg.inv(matrix1))
    points0, points1 = (
        points.astype(np.float64) @ inverse[:2, :2].T + inverse[:2, 2] for points, inverse in both
    )
    return int((errors(points0, points1) <= MAX_ERROR_PX).sum())


def measure_costs(*, quick: bool) -> Iterator[Cost]:
    """Yield the times of upright pairs with the default settings."""
    matcher = tiepoint.load(views="rotation")
    for name, scenes in UPRIGHT_SETS.items():
        pairs = [p for p in read_pairs(name) if not scenes or p.scene in scenes]
        count = 1 if quick else min(PAIRS_PER_SET, len(pairs))
        for index in np.linspace(0, len(pairs) - 1, count).astype(int):
            result = matcher.match(*read_images(pairs[index]))
            seconds = dict(result.seconds)
            seconds_views = seconds.pop("views")
            total = sum(seconds.values())
            cost = Cost(pairs[index].name, total, seconds_views, result.rotation0, result.rotation1)
            log(str(cost))
            yield cost


def read_pairs(name: str) -> list[EvaluationPair]:
    """Return the pairs of a set of ../shared/data."""
    return list(read_pairs_jsonl(f"{DATA / 'pairs.jsonl'}#{name}").pairs)


def read_images(pair: EvaluationPair) -> tuple[Image, Image]:
    """Read both images."""
    return read_image(pair.image0), read_image(pair.image1)


def log(line: str) -> None:
    """Print a line on stderr."""
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)
