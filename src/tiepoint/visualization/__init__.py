"""Drawings of matches and two-view geometry.

    matches        two images next to each other, with matched points and lines
    inliers        two images next to each other, with inliers in green and outliers in red
    selection      the matches that get a line
    epipolar       points with their epipolar lines in the other image
    overlays       image 0 warped onto image 1, blended or as a checkerboard
    panorama       both images on one canvas
    tracks         an image with the tracks of its points
    contact_sheet  thumbnails with captions
    warping        an image warped by a homography
    canvas, colors, captions, validation, saving   shared by these

Points are (x, y) in px of the original images; the center of the top-left pixel is (0, 0).
"""

from tiepoint.visualization.epipolar import draw_epipolar_lines
from tiepoint.visualization.inliers import draw_inliers
from tiepoint.visualization.matches import draw_matches
from tiepoint.visualization.overlays import OverlayMode, draw_overlay
from tiepoint.visualization.panorama import draw_panorama
from tiepoint.visualization.saving import IMAGE_FORMATS, check_image_path, save_image
from tiepoint.visualization.selection import MAX_LINES

__all__ = [
    "IMAGE_FORMATS",
    "MAX_LINES",
    "OverlayMode",
    "check_image_path",
    "draw_epipolar_lines",
    "draw_inliers",
    "draw_matches",
    "draw_overlay",
    "draw_panorama",
    "save_image",
]
