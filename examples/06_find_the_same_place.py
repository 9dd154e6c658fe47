"""One photograph against many: which ones show the same place? Its points are found once, and broken files cost nothing.

    python examples/06_find_the_same_place.py A.jpg B.jpg C.jpg ...

Looks for A's place in the others. Without arguments it takes scikit-image's stereo pair of a motorcycle, and a cup of
coffee. For a whole folder there is the command: tiepoint find A.jpg FOLDER --top 10 -o found.jpg --cache features/
"""

import sys

from skimage.data import coffee, stereo_motorcycle

import tiepoint

left, right, _ = stereo_motorcycle()
query, *images = sys.argv[1:] or [left, coffee(), right]

matcher = tiepoint.load("aliked+lightglue")
found = []
for number, result in enumerate(matcher.match_one_to_many(query, images), start=1):
    if isinstance(result, tiepoint.InvalidInput):  # a value: the others are matched all the same
        print(f"photograph {number} was passed over: {result}")
    else:
        found.append((number, result))

for number, result in sorted(found, key=lambda item: -item[1].verify().probability):
    verdict = result.verify()
    print(f"photograph {number}: {verdict.probability:.2f}, {len(result)} matches, {verdict.reason}")
