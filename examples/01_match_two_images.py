"""Match two images in one call: extract features, match them, draw the matches.

    python examples/01_match_two_images.py A.jpg B.jpg

Without arguments, it uses scikit-image's stereo pair of a motorcycle. Prints the five matches with the highest scores and
draws all of them in matches.png. Points are (x, y) in px; the center of the top-left pixel is (0, 0).
"""

import sys

from skimage.data import stereo_motorcycle

import tiepoint

images = sys.argv[1:3] or stereo_motorcycle()[:2]
result = tiepoint.match(*images)

print(f"{len(result)} matches, the highest scores:")
for k in result.scores.argsort()[::-1][:5]:
    (x0, y0), (x1, y1) = result.points0[k], result.points1[k]
    print(f"({x0:6.1f}, {y0:6.1f}) -> ({x1:6.1f}, {y1:6.1f})  {result.scores[k]:.2f}")
result.draw(*images).save("matches.png")
