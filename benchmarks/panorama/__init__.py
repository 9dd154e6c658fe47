"""Panoramas of known rotations, rendered from one large image, beside OpenCV's stitcher."""
