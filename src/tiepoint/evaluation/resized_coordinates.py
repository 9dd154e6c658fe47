"""Matches and truths in pixels of the resized images, where a protocol counts these."""

from dataclasses import dataclass, field, replace
from functools import singledispatch

import numpy as np
import torch
from jaxtyping import Float, Int

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import (
    GroundTruth,
    HomographyGroundTruth,
    PointsGroundTruth,
    PoseGroundTruth,
)
from tiepoint.evaluation.protocols import Prediction
from tiepoint.image import ImageTransform
from tiepoint.types import Camera, Correspondences, ImageInfo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchedPair:
    """What loop 1 found in a pair.

    Attributes:
        keypoints0: (x, y) in px of image 0.
        keypoints1: likewise of image 1.
        matches: indices into both.
        scores: of each match.
        image_size0: (width, height) in px of the image that the keypoints belong to.
        image_size1: likewise.
        seconds: "extract" (both images) and "match".
    """

    keypoints0: Float[np.ndarray, "m 2"]
    keypoints1: Float[np.ndarray, "n 2"]
    matches: Int[np.ndarray, "k 2"]
    scores: Float[np.ndarray, "k"]
    image_size0: tuple[int, int]
    image_size1: tuple[int, int]
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def points0(self) -> Float[np.ndarray, "k 2"]:
        """Matched points of image 0."""
        return self.keypoints0[self.matches[:, 0]]

    @property
    def points1(self) -> Float[np.ndarray, "k 2"]:
        """Matched points of image 1."""
        return self.keypoints1[self.matches[:, 1]]

    @property
    def correspondences(self) -> Correspondences:
        """Matched points with the image sizes, against which estimation checks the intrinsics."""
        return Correspondences.from_points(
            self.points0,
            self.points1,
            self.scores,
            image0=ImageInfo(image_size=self.image_size0),
            image1=ImageInfo(image_size=self.image_size1),
        )


def resized(
    matched: MatchedPair, truth: GroundTruth, prediction: Prediction
) -> tuple[MatchedPair, GroundTruth]:
    """Both in pixels of what the extractor saw; a disparity map stays as it is, and so do its matches."""
    transforms = [
        ImageTransform.fit(size, prediction.longer_side(size))
        for size in (matched.image_size0, matched.image_size1)
    ]
    moved = move_truth(truth, *transforms)
    return (matched, truth) if moved is truth else (_move_matched(matched, *transforms), moved)


@singledispatch
def move_truth(truth: GroundTruth, transform0: ImageTransform, transform1: ImageTransform) -> GroundTruth:
    """The same truth, in pixels of the resized images; one that has no pixels to move comes back itself."""
    return truth


@move_truth.register
def _(
    truth: HomographyGroundTruth, transform0: ImageTransform, transform1: ImageTransform
) -> HomographyGroundTruth:
    moved = matrix(transform1) @ truth.homography @ np.linalg.inv(matrix(transform0))
    return HomographyGroundTruth(homography=moved)


@move_truth.register
def _(truth: PoseGroundTruth, transform0: ImageTransform, transform1: ImageTransform) -> PoseGroundTruth:
    return replace(
        truth,
        camera0=_move_camera(truth.camera0, transform0),
        camera1=_move_camera(truth.camera1, transform1),
    )


@move_truth.register
def _(truth: PointsGroundTruth, transform0: ImageTransform, transform1: ImageTransform) -> PointsGroundTruth:
    return replace(
        truth,
        points0=_move_points(truth.points0, transform0),
        points1=_move_points(truth.points1, transform1),
    )


def matrix(transform: ImageTransform) -> Float[np.ndarray, "3 3"]:
    """The transform as a homography, original px -> resized px."""
    x, y = transform.scale
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1.0]])


def _move_matched(
    matched: MatchedPair, transform0: ImageTransform, transform1: ImageTransform
) -> MatchedPair:
    return replace(
        matched,
        keypoints0=_move_points(matched.keypoints0, transform0),
        keypoints1=_move_points(matched.keypoints1, transform1),
        image_size0=transform0.resized_size,
        image_size1=transform1.resized_size,
    )


def _move_points(points: Float[np.ndarray, "n 2"], transform: ImageTransform) -> Float[np.ndarray, "n 2"]:
    return transform.to_resized(torch.from_numpy(points)).numpy()


def _move_camera(camera: Camera, transform: ImageTransform) -> Camera:
    if camera.image_size not in (None, transform.original_size):
        raise InvalidInput(
            "the intrinsics are for an image of {} x {} px, but the image has {} x {}; scale them first".format(
                *camera.image_size, *transform.original_size
            )
        )
    size = transform.resized_size if camera.image_size else None
    distortion = camera.distortion if any(camera.distortion) else None
    return Camera.from_intrinsics(
        matrix(transform) @ camera.intrinsics, size, distortion=distortion, source=camera.source
    )
