"""The values that everything else passes around: frozen, validated once.

    features  Features of one image, Matches of a pair
    camera    Camera: from rays to pixels
    two_view  TwoViewEstimate: the geometry of a pair, or why there is none

Keypoints are pixels (x, y) of the upright image, that is, after EXIF orientation has been applied;
the center of the top-left pixel is (0, 0).
"""

from tiepoint.types.camera import CAMERA_MODELS, Camera, CameraSource
from tiepoint.types.correspondences import Correspondences, HasCorrespondences, ImageInfo, as_correspondences
from tiepoint.types.features import MAX_OUTSIDE_PX, Assignment, Features, describe
from tiepoint.types.two_view import Kind, TwoViewEstimate

__all__ = [
    "CAMERA_MODELS",
    "MAX_OUTSIDE_PX",
    "Assignment",
    "Camera",
    "CameraSource",
    "Correspondences",
    "Features",
    "HasCorrespondences",
    "ImageInfo",
    "Kind",
    "TwoViewEstimate",
    "as_correspondences",
    "describe",
]
