"""Correct matches against the angle by which image 1 is turned, with and without rotations="auto".

    .venv/bin/python benchmarks/rotation.py                    # a quarter of an hour on one thread
    .venv/bin/python benchmarks/rotation.py --only sacre_coeur # that pair again; the rest stays in the record
    .venv/bin/python benchmarks/rotation.py --quick --records build/bench
    .venv/bin/python benchmarks/render_rotation.py

Image 1 of every pair is turned about its center, onto a black canvas that holds all of it, by multiples of 15 degrees.
Of Oxford affine's scenes the third image is matched with the first; a match is correct within 3 px of the true
homography. Sacre Coeur has no ground truth: a match is correct within 3 px of the epipolar geometry that the upright
pair gives with many keypoints, which a few wrong matches are by chance.

What upright photographs pay is measured with the default settings, on pairs that nobody turned: the share of
"rotate", which is the verdict and what follows from it, in the seconds of a match.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from rich.console import Console

import tiepoint
from tiepoint.evaluation.datasets.pairs_jsonl import read_pairs_jsonl
from tiepoint.evaluation.ground_truth import EvaluationPair
from tiepoint.geometry.multiview import sampson_distances, transfer_errors
from tiepoint.image import Image, read_image
from tiepoint.result import MatchResult
from timing import parse, parser, write_record

RECORD = "rotation.json"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
STEP_DEG = 15
MAX_ERROR_PX = 3.0
SMALL = {"resize": 512, "max_keypoints": 512}
LARGE = {"resize": 1024, "max_keypoints": 1024}
"""For Sacre Coeur, whose photographs differ so much that small ones don't match when they are turned a little."""

UPRIGHT = "upright photographs"
"""Name of the pairs that nobody turned."""

SCENES = ("graf", "wall", "leuven", "boat", "bark")
"""The last two show rotated photographs anyway: bark by 150 degrees, boat by 40."""

ORDINARY = {
    "oxford_affine": ("graf", "wall", "bikes", "leuven", "trees", "ubc"),
    "strecha": (),
    "lund_door12": (),
    "templeRing47": (),
}
"""Sets, and scenes of them (none named: all), whose photographs are upright."""

PAIRS_A_SET = 8

Errors = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Points of image 0, points of the unturned image 1 -> errors in px."""


@dataclass(frozen=True)
class Case:
    """A pair, and how far a match of it is from the truth."""

    name: str
    image0: Image
    image1: Image
    errors: Errors
    settings: dict[str, int]


@dataclass(frozen=True)
class Measured:
    """Correct and all matches of one pair at one angle."""

    pair: str
    angle_deg: int
    correct: int
    matches: int
    correct_auto: int
    matches_auto: int
    rotation1: int


@dataclass(frozen=True)
class Cost:
    """What an upright pair pays."""

    pair: str
    seconds: float
    seconds_rotate: float
    rotation1: int


def main() -> None:
    """Measure the pairs, print a line about each, write the record."""
    arguments = parse(parser(__doc__, RECORD))
    arguments.runs = 1  # counts are the same in every run
    torch.set_num_threads(1)
    before = previous(arguments.records / RECORD) if arguments.only else {"measured": [], "costs": []}
    chosen = [case for case in cases(arguments.quick) if arguments.only in case.name]
    measured = [row for row in before["measured"] if row["pair"] not in {case.name for case in chosen}]
    measured += [asdict(one) for case in chosen for one in turned(case, quick=arguments.quick)]
    costs = before["costs"]
    if arguments.only in UPRIGHT:
        costs = [asdict(cost) for cost in upright_costs(quick=arguments.quick)]
    settings = {"planes": SMALL, "sacre_coeur": LARGE}
    write_record(RECORD, arguments, settings=settings, measured=measured, costs=costs)


def previous(path: Path) -> dict[str, Any]:
    """The record that is to be completed."""
    return json.loads(path.read_text())


def cases(quick: bool) -> Iterator[Case]:
    """Oxford's planes, and Sacre Coeur."""
    for scene in SCENES[:1] if quick else SCENES:
        pair = next(p for p in pairs_of("oxford_affine") if p.scene == scene and p.image1.stem == "img3")
        homography: Any = pair.truth
        errors = partial(transfer_errors, homography=homography.homography)
        yield Case(f"{scene} 1-3", *images(pair), errors, SMALL)
    if not quick:
        yield sacre_coeur()


def sacre_coeur() -> Case:
    """Its epipolar geometry as the upright pair gives it."""
    names = ("sacre_coeur1.jpg", "sacre_coeur2.jpg")
    image0, image1 = (read_image(DATA / "lightglue_assets" / name) for name in names)
    result = tiepoint.load(max_keypoints=4096, adaptive=False).match(image0, image1)
    estimate = tiepoint.estimate_fundamental(result)
    assert estimate.fundamental is not None, estimate.reason
    return Case(
        "sacre_coeur", image0, image1, partial(sampson_distances, fundamental=estimate.fundamental), LARGE
    )


def turned(case: Case, *, quick: bool) -> Iterator[Measured]:
    """One pair at all angles."""
    never, auto = (tiepoint.load(**case.settings, rotations=rotations) for rotations in (None, "auto"))
    for angle in range(0, 360, 90 if quick else STEP_DEG):
        image1, turned_from_upright = turn(case.image1, angle)
        results = [matcher.match(case.image0, image1) for matcher in (never, auto)]
        correct = [count_correct(result, case.errors, turned_from_upright) for result in results]
        found = Measured(
            pair=case.name,
            angle_deg=angle,
            correct=correct[0],
            matches=len(results[0]),
            correct_auto=correct[1],
            matches_auto=len(results[1]),
            rotation1=results[1].rotation1,
        )
        say(
            f"{case.name} at {angle}: {found.correct} of {found.matches} correct, auto {found.correct_auto} "
            f"of {found.matches_auto} at {found.rotation1}; upright {results[0].verify().probability:.2f}"
        )
        yield found


def turn(image: Image, angle_deg: int) -> tuple[Image, np.ndarray]:
    """The image turned counter-clockwise on a larger canvas, and the homography from the upright one to it."""
    width, height = image.image_size
    cosine, sine = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    sides = np.abs([[cosine, sine], [sine, cosine]]) @ (width, height)
    canvas = tuple(int(side) for side in np.ceil(sides - 1e-9))
    matrix = np.eye(3)
    matrix[:2, :2] = [[cosine, sine], [-sine, cosine]]  # y points down
    centers = [(np.array(size) - 1) / 2 for size in ((width, height), canvas)]
    matrix[:2, 2] = centers[1] - matrix[:2, :2] @ centers[0]
    pixels = cv2.warpAffine(np.asarray(image.to_pil()), matrix[:2], canvas, flags=cv2.INTER_CUBIC)
    return read_image(pixels), matrix


def count_correct(result: MatchResult, errors: Errors, turned_from_upright: np.ndarray) -> int:
    """Matches within `MAX_ERROR_PX` of the truth, in px of the unturned images."""
    upright_from_turned = np.linalg.inv(turned_from_upright)
    points1 = result.points1 @ upright_from_turned[:2, :2].T + upright_from_turned[:2, 2]
    return int((errors(result.points0.astype(np.float64), points1) <= MAX_ERROR_PX).sum())


def upright_costs(*, quick: bool) -> Iterator[Cost]:
    """Seconds of pairs that nobody turned, with the default settings."""
    matcher = tiepoint.load(rotations="auto")
    for name, scenes in ORDINARY.items():
        pairs = [p for p in pairs_of(name) if not scenes or p.scene in scenes]
        count = 1 if quick else min(PAIRS_A_SET, len(pairs))
        for index in np.linspace(0, len(pairs) - 1, count).astype(int):
            result = matcher.match(*images(pairs[index]))
            seconds = dict(result.seconds)
            rotate = seconds.pop("rotate")
            say(
                f"{pairs[index].name}: {sum(seconds.values()):.2f} s + {rotate:.2f} s, turned {result.rotation1}"
            )
            yield Cost(pairs[index].name, sum(seconds.values()), rotate, result.rotation1)


def pairs_of(name: str) -> list[EvaluationPair]:
    """The pairs of a set of ../shared/data."""
    return list(read_pairs_jsonl(f"{DATA / 'pairs.jsonl'}#{name}").pairs)


def images(pair: EvaluationPair) -> tuple[Image, Image]:
    """Both, upright."""
    return read_image(pair.image0), read_image(pair.image1)


def say(line: str) -> None:
    """Progress, on stderr."""
    Console(stderr=True).print(line, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
