"""Stitch overlapping images, in any order, into a panorama (extra opencv).

    python examples/09_stitch_a_panorama.py A.jpg B.jpg C.jpg

Without arguments, it cuts overlapping pieces out of one of scikit-image's photos. Writes panorama.png.
"""

import sys

import numpy as np
from skimage.data import coffee

import tiepoint
from tiepoint.stitching.settings import StitchSettings

photo = coffee()
images = sys.argv[1:] or [photo[:, 250:], photo[:, :300], photo[:, 120:460]]

settings = StitchSettings(projection="auto", crop=False)
panorama = tiepoint.stitch(images, "panorama.png", settings=settings)
print(panorama)

for image in panorama.images:
    print(image.name, "focal length", image.focal_px, "homography", image.homography)
for pair in panorama.pairs:
    print(f"images {pair.index0} and {pair.index1}: {len(pair.result)} matches, depth: {pair.has_parallax}")
for image in panorama.left_out:
    print(f"{image.name} is not part of it: {image.reason}")
for warning in panorama.warnings:
    print("warning:", warning)

# Where a point of the first image is in the panorama.
print(panorama.to_panorama(0, np.array([[0.0, 0.0]])))
