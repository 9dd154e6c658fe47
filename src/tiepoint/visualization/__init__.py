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

import lazy_loader

__getattr__, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
