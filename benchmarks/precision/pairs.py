"""Pairs with ground truth for every match, in two halves that share no scene."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.verification.pairs import negative_pairs, spaced
from tiepoint.evaluation.datasets import read_dataset, read_disparity
from tiepoint.evaluation.ground_truth import (
    DisparityGroundTruth,
    EvaluationPair,
    HomographyGroundTruth,
    PoseGroundTruth,
)
from tiepoint.evaluation.protocols import Prediction
from tiepoint.evaluation.resized_coordinates import MatchedPair, resized
from tiepoint.geometry import metrics
from tiepoint.geometry.intrinsics import undistort
from tiepoint.geometry.multiview import essential_from_pose, fundamental_from_essential

Half = Literal["fit", "test"]

MAX_PAIRS_PER_SCENE = 6
"""Maximum number of pairs per scene, evenly spaced."""

MAX_ERROR_PX = 3.0
"""Maximum error of a correct match in px of the scaled images."""

SCALED = Prediction(resize=1024)
"""Scaling of both images in which errors are measured: a longer side of 1024 px."""

COARSE_GROUND_TRUTH = ("rushmore", "amos17603_201704", "amos21510_201607", "amosFence", "amosSchool")
"""Scenes whose homographies are not accurate to `MAX_ERROR_PX`, as their README says."""

DENSE = (HomographyGroundTruth, PoseGroundTruth, DisparityGroundTruth)
"""Types of ground truth that decide about every match; a few annotated points do not."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Pairs of one scene, and the half that it belongs to."""

    name: str
    half: Half
    pairs: tuple[EvaluationPair, ...]

    @property
    def truth(self) -> str:
        """Type of the ground truth, as text."""
        names = {
            HomographyGroundTruth: "homography",
            PoseGroundTruth: "pose",
            DisparityGroundTruth: "disparity",
        }
        return names[type(self.pairs[0].truth)]


def read_scenes(data: Path) -> list[Scene]:
    """Return all scenes with dense and accurate ground truth; every second one, by name, is in the fitted half."""
    pairs = sorted(read_dataset("pairs-jsonl", data).pairs, key=lambda pair: pair.scene)
    groups = {
        scene: tuple(spaced(list(group), MAX_PAIRS_PER_SCENE))
        for scene, group in groupby(
            (pair for pair in pairs if isinstance(pair.truth, DENSE)), key=lambda pair: pair.scene
        )
        if scene not in COARSE_GROUND_TRUTH
    }
    return [
        Scene(name=name, half="test" if number % 2 else "fit", pairs=groups[name])
        for number, name in enumerate(groups)
    ]


def pairs_of_two_scenes(scenes: Sequence[Scene], count: int) -> list[EvaluationPair]:
    """Return pairs that show two scenes: all of their matches are wrong."""
    return negative_pairs({scene.name: list(scene.pairs) for scene in scenes}, count)


def errors_px(pair: EvaluationPair, matched: MatchedPair) -> np.ndarray:
    """Return the error of each match in px of the scaled images; NaN where the ground truth is unknown.

    Homographies: symmetric transfer error. Poses: the larger distance from the epipolar lines, which is necessary, but
    not sufficient for a correct match. Disparities: distance from the corresponding point.
    """
    if isinstance(pair.truth, DisparityGroundTruth):
        scale = SCALED.longer_side(matched.image_size0) / max(matched.image_size0)
        disparity = read_disparity(pair.truth)
        return scale * metrics.disparity_errors_px(matched.points0, matched.points1, disparity)
    scaled, truth = resized(matched, pair.truth, SCALED)
    if isinstance(truth, HomographyGroundTruth):
        return metrics.homography_errors_px(scaled.points0, scaled.points1, truth.homography)
    fundamental = fundamental_from_essential(
        essential_from_pose(truth.cam1_from_cam0), truth.camera0.intrinsics, truth.camera1.intrinsics
    )
    points = (undistort(scaled.points0, truth.camera0), undistort(scaled.points1, truth.camera1))
    return metrics.epipolar_errors_px(*points, fundamental)
