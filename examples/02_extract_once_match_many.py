"""Match every photograph with every other one: points are found once per photograph, not once per pair.

    python examples/02_extract_once_match_many.py A.jpg B.jpg C.jpg ...

Without arguments it takes scikit-image's stereo pair of a motorcycle, and the left photograph once more, upside down.
All pairs go through the network together; each gives exactly what it would give alone.
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
    print(f"photograph {i} and photograph {j}: {len(result)} matches")
