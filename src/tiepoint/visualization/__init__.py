"""Pictures of a pair: its matches, and what a geometric model makes of them.

    matches    two images side by side, a line a match
    inliers    likewise: which matches fit a model
    epipolar   points of one image, and the lines of the other one on which their partners must lie
    overlays   image 0 warped onto image 1, mixed or in a checkerboard
    panoramas  both images on one canvas
    warping    an image seen through a homography
    canvas, colors, captions, arrays, saving   what these share

Points are pixels (x, y) of the original images; the center of the top-left pixel is (0, 0).
"""

from tiepoint.visualization.epipolar import draw_epipolar_lines
from tiepoint.visualization.inliers import draw_inliers
from tiepoint.visualization.matches import draw_matches
from tiepoint.visualization.overlays import OverlayMode, draw_overlay
from tiepoint.visualization.panorama import draw_panorama
from tiepoint.visualization.saving import PICTURE_FORMATS, check_image_path, save_image

__all__ = [
    "PICTURE_FORMATS",
    "OverlayMode",
    "check_image_path",
    "draw_epipolar_lines",
    "draw_inliers",
    "draw_matches",
    "draw_overlay",
    "draw_panorama",
    "save_image",
]
