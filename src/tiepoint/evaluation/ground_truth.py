"""Evaluation pairs and their ground truth.

Coordinates are pixels (x, y) of the upright image, rotated by `num_rotations` if the data set specifies it; the center of
the top-left pixel is (0, 0). Data sets published with another convention are off by half a pixel, which is within their
accuracy.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.types import Camera


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HomographyGroundTruth:
    """Homography of a plane or of a pure rotation.

    Attributes:
        homography: Maps px of image 0 to px of image 1, p1 ~ H p0.
    """

    homography: Float[np.ndarray, "3 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoseGroundTruth:
    """Calibrated cameras and their relative pose.

    Attributes:
        camera0: Camera of image 0.
        camera1: Camera of image 1.
        cam1_from_cam0: Relative pose [R | t], X1 = R X0 + t; x to the right, y down, z forward. The scale of t is
            arbitrary unless the data set is metric.
    """

    camera0: Camera
    camera1: Camera
    cam1_from_cam0: Float[np.ndarray, "3 4"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointsGroundTruth:
    """Manually annotated correspondences.

    Attributes:
        points0: Coordinates (x, y) in px of image 0, shape (k, 2).
        points1: Coordinates of the corresponding points in px of image 1, shape (k, 2).
        motions: Number of rigid motions or planes; a single model fits all points only if it is 1.
    """

    points0: Float[np.ndarray, "k 2"]
    points1: Float[np.ndarray, "k 2"]
    motions: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DisparityGroundTruth:
    """Disparity map of a rectified pair: x1 = x0 - disparity / scale, y1 = y0.

    Attributes:
        path: Disparity image of the size of image 0; 0 means unknown.
        scale: Divisor that converts stored values to px.
    """

    path: Path
    scale: float


GroundTruth: TypeAlias = HomographyGroundTruth | PoseGroundTruth | PointsGroundTruth | DisparityGroundTruth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationPair:
    """Two image files and their ground truth.

    Attributes:
        name: Name that is unique in the data set, for example "graf/img1-img4".
        scene: Name of the scene, by which metrics may be averaged.
        image0: Path of image 0.
        image1: Path of image 1.
        truth: Ground truth in px of the images as they are matched, after their rotation.
        tags: Attributes by which metrics may be grouped: "rot_deg", "gap", "index" of the viewpoint, ...
        num_rotations0: Number of 90-degree rotations (CCW, as `numpy.rot90`), 0 to 3, applied to the upright image 0
            before matching; SuperGlue's lists specify these for images without EXIF orientation.
        num_rotations1: Number of 90-degree rotations (CCW) applied to image 1.
    """

    name: str
    scene: str
    image0: Path
    image1: Path
    truth: GroundTruth
    tags: dict[str, str | float] = field(default_factory=dict)
    num_rotations0: int = 0
    num_rotations1: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Valid pairs of a data set, and the problems of the others.

    Attributes:
        name: Name of the reader, with the selected subset if any: "pairs-jsonl#strecha".
        pairs: Pairs in the order of the data set.
        problems: Messages about skipped entries, with file and line number.
    """

    name: str
    pairs: tuple[EvaluationPair, ...]
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)
