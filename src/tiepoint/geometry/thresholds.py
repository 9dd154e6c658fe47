"""Default inlier thresholds: the same in functions, commands and collections, and those of COLMAP."""

TWO_VIEW_MAX_ERROR_PX = 4.0
"""Two-view geometry: transfer error of homographies, Sampson error of the other models, in px of the original images."""

ABSOLUTE_POSE_MAX_ERROR_PX = 12.0
"""Absolute poses: reprojection error of 3D points in px of the original image; they have errors of their own."""
