"""Matches and ground truth in px of the resized images, for protocols with resized coordinates."""

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
    """Predictions of one pair.

    Attributes:
        keypoints0: Keypoint coordinates (x, y) in px of image 0, shape (m, 2).
        keypoints1: Keypoint coordinates (x, y) in px of image 1, shape (n, 2).
        matches: Indices of matched keypoints of both images, shape (k, 2).
        scores: Match scores, shape (k,).
        image_size0: Size (width, height) of image 0 in px.
        image_size1: Size (width, height) of image 1 in px.
        seconds: Time of "extract" (both images) and "match" in seconds.
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
        """Matched points of image 0 in px, shape (k, 2)."""
        return self.keypoints0[self.matches[:, 0]]

    @property
    def points1(self) -> Float[np.ndarray, "k 2"]:
        """Matched points of image 1 in px, shape (k, 2)."""
        return self.keypoints1[self.matches[:, 1]]

    @property
    def correspondences(self) -> Correspondences:
        """Matched points and image sizes; the estimators check intrinsics against the sizes."""
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
    """Convert matches and ground truth to px of the resized images; pairs with disparity maps are returned unchanged."""
    transforms = [
        ImageTransform.fit(size, prediction.longer_side(size))
        for size in (matched.image_size0, matched.image_size1)
    ]
    converted = resize_truth(truth, *transforms)
    return (matched, truth) if converted is truth else (_resize_matched(matched, *transforms), converted)


@singledispatch
def resize_truth(truth: GroundTruth, transform0: ImageTransform, transform1: ImageTransform) -> GroundTruth:
    """Convert a ground truth to px of the resized images; types without a conversion are returned unchanged."""
    return truth


@resize_truth.register
def _(
    truth: HomographyGroundTruth, transform0: ImageTransform, transform1: ImageTransform
) -> HomographyGroundTruth:
    converted = matrix(transform1) @ truth.homography @ np.linalg.inv(matrix(transform0))
    return HomographyGroundTruth(homography=converted)


@resize_truth.register
def _(truth: PoseGroundTruth, transform0: ImageTransform, transform1: ImageTransform) -> PoseGroundTruth:
    return replace(
        truth,
        camera0=_resize_camera(truth.camera0, transform0),
        camera1=_resize_camera(truth.camera1, transform1),
    )


@resize_truth.register
def _(truth: PointsGroundTruth, transform0: ImageTransform, transform1: ImageTransform) -> PointsGroundTruth:
    return replace(
        truth,
        points0=_resize_points(truth.points0, transform0),
        points1=_resize_points(truth.points1, transform1),
    )


def matrix(transform: ImageTransform) -> Float[np.ndarray, "3 3"]:
    """Return the homography that maps original px to resized px."""
    x, y = transform.scale
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1.0]])


def _resize_matched(
    matched: MatchedPair, transform0: ImageTransform, transform1: ImageTransform
) -> MatchedPair:
    return replace(
        matched,
        keypoints0=_resize_points(matched.keypoints0, transform0),
        keypoints1=_resize_points(matched.keypoints1, transform1),
        image_size0=transform0.resized_size,
        image_size1=transform1.resized_size,
    )


def _resize_points(points: Float[np.ndarray, "n 2"], transform: ImageTransform) -> Float[np.ndarray, "n 2"]:
    return transform.to_resized(torch.from_numpy(points)).numpy()


def _resize_camera(camera: Camera, transform: ImageTransform) -> Camera:
    if camera.image_size not in (None, transform.original_size):
        raise InvalidInput(
            "expected an image of {} x {} px as for the intrinsics, got {} x {} px; scale the intrinsics first".format(
                *camera.image_size, *transform.original_size
            )
        )
    size = transform.resized_size if camera.image_size else None
    distortion = camera.distortion if any(camera.distortion) else None
    return Camera.from_intrinsics(
        matrix(transform) @ camera.intrinsics, size, distortion=distortion, source=camera.source
    )
