"""Data types of all packages: frozen dataclasses, validated once.

    features         Features of one image, Assignment (output of a matcher)
    correspondences  Correspondences: matched points of a pair, the input of geometry
    camera           Camera: camera model and intrinsics
    two_view         TwoViewEstimate: two-view geometry, or the reason of its failure
    options          LoadOptions: keyword options of `tiepoint.load`

Coordinates are (x, y) in px of the upright image (after EXIF orientation); the center of the top-left pixel is (0, 0).
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
