"""What an evaluation is about: pairs of images, and what is true of them.

Coordinates are pixels (x, y) of the upright image, turned by `quarter_turns` where a data set asks for it; the
center of the top-left pixel is (0, 0). Where authors published another convention, they lie half a pixel off,
which is within the accuracy of every set that is read here.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.types import Camera


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HomographyGroundTruth:
    """A plane, or a camera that only turned.

    Attributes:
        homography: maps pixels of image 0 to pixels of image 1, p1 ~ H p0.
    """

    homography: Float[np.ndarray, "3 3"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoseGroundTruth:
    """Calibrated cameras and the motion between them.

    Attributes:
        camera0: of image 0.
        camera1: of image 1.
        cam1_from_cam0: [R | t], X1 = R X0 + t; x to the right, y down, z into the scene. The length of t has a
            meaning only where the data set gives meters.
    """

    camera0: Camera
    camera1: Camera
    cam1_from_cam0: Float[np.ndarray, "3 4"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointsGroundTruth:
    """Correspondences that a person marked by hand.

    Attributes:
        points0: (x, y) in px of image 0.
        points1: where the same physical points are in image 1.
        motions: number of rigid motions or planes among them; one model fits all points only where it is 1.
    """

    points0: Float[np.ndarray, "k 2"]
    points1: Float[np.ndarray, "k 2"]
    motions: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DisparityGroundTruth:
    """A rectified pair: x1 = x0 - disparity / scale, y1 = y0.

    Attributes:
        path: image of disparities, as large as image 0; 0 = unknown.
        scale: what a stored value is divided by to give pixels.
    """

    path: Path
    scale: float


GroundTruth: TypeAlias = HomographyGroundTruth | PoseGroundTruth | PointsGroundTruth | DisparityGroundTruth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EvaluationPair:
    """Two image files and what is true of them.

    Attributes:
        name: unique in its data set, such as "graf/img1-img4".
        scene: what the pair shows; figures may be averaged by scene.
        image0: file of image 0.
        image1: file of image 1.
        truth: in pixels of the images as they are matched, after the quarter turns.
        tags: what figures may be grouped by: "rot_deg", "gap", "index" of the viewpoint ...
        quarter_turns0: number of counter-clockwise quarter turns, 0 to 3, by which the upright image 0 is turned
            before it is matched (as `numpy.rot90`): lists of SuperGlue give these for images without EXIF.
        quarter_turns1: likewise for image 1.
    """

    name: str
    scene: str
    image0: Path
    image1: Path
    truth: GroundTruth
    tags: dict[str, str | float] = field(default_factory=dict)
    quarter_turns0: int = 0
    quarter_turns1: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """Pairs that could be read, and what could not.

    Attributes:
        name: of the reader, with the subset where one was asked for: "pairs-jsonl#strecha".
        pairs: in the order of the data set.
        problems: what could not be read, one line each, with file and line number; empty where all is well.
    """

    name: str
    pairs: tuple[EvaluationPair, ...]
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pairs)
