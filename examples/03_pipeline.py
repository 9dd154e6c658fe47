"""Use the pipeline of transformers; only the import differs.

    python examples/03_pipeline.py A.jpg B.jpg

Without arguments, it uses scikit-image's stereo pair of a motorcycle. Images may be paths, URLs or PIL images, as a
pair, a list of pairs, or a generator of pairs. The model may be a tiepoint preset, which needs no hub, a folder, or a
repository such as "ETH-CVG/lightglue_superpoint".
"""

import sys

from PIL import Image
from skimage.data import stereo_motorcycle

from tiepoint import pipeline

images = sys.argv[1:3] or [Image.fromarray(image) for image in stereo_motorcycle()[:2]]
matcher = pipeline(task="keypoint-matching", model="aliked+lightglue", dtype="auto")
matches = matcher(images, threshold=0.9)

print(f"{len(matches)} matches above 0.9, the highest scores:")
for match in matches[:5]:
    print(match["keypoint_image_0"], match["keypoint_image_1"], round(match["score"], 2))
