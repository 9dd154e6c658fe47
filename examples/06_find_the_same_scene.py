"""Match one image with many: which of them show the same scene? Unreadable files do not stop the search.

    python examples/06_find_the_same_scene.py A.jpg B.jpg C.jpg ...

Ranks the other images by the probability that they show A's scene. Without arguments, it uses scikit-image's stereo pair
of a motorcycle and a cup of coffee. To search a folder, use the command: tiepoint find A.jpg FOLDER --top 10 -o found.jpg --cache features/
"""

import sys

from skimage.data import coffee, stereo_motorcycle

import tiepoint

left, right, _ = stereo_motorcycle()
query, *images = sys.argv[1:] or [left, coffee(), right]

matcher = tiepoint.load("aliked+lightglue")
found = []
for number, result in enumerate(matcher.match_one_to_many(query, images), start=1):
    if isinstance(result, tiepoint.InvalidInput):  # a value, so that the others are still matched
        print(f"image {number} was skipped: {result}")
    else:
        found.append((number, result))

for number, result in sorted(found, key=lambda item: -item[1].verify().probability):
    verification = result.verify()
    print(f"image {number}: {verification.probability:.2f}, {len(result)} matches, {verification.reason}")
