"""Match all pairs of images: features are extracted once per image, not once per pair.

    python examples/02_extract_once_match_many.py A.jpg B.jpg C.jpg ...

Without arguments, it uses scikit-image's stereo pair of a motorcycle, and the left image upside down. All pairs are
matched in one batch; the results are identical to matching each pair on its own.
"""

import sys
from itertools import combinations

from skimage.data import stereo_motorcycle

import tiepoint

left, right, _ = stereo_motorcycle()
images = sys.argv[1:] or [left, right, left[::-1]]

matcher = tiepoint.load("aliked+lightglue")
features = [matcher.extract(image) for image in images]
pairs = list(combinations(range(len(images)), 2))
results = matcher.match_features([(features[i], features[j]) for i, j in pairs])

for (i, j), result in zip(pairs, results, strict=True):
    print(f"image {i} and image {j}: {len(result)} matches")
