"""Default inlier thresholds: the same in functions, commands and collections."""

TWO_VIEW_MAX_ERROR_PX = 3.0
"""Two-view geometry: transfer error of homographies, Sampson error of the other models, in px of the original images.

As in OpenCV; COLMAP uses 4 px, at which scenes of little depth cannot be told from a plane in images of 1000 px."""

ABSOLUTE_POSE_MAX_ERROR_PX = 12.0
"""Absolute poses: reprojection error of 3D points in px of the original image; they have errors of their own.

COLMAP's default."""
