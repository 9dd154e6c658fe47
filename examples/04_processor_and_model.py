"""Use image processor and model separately, as with transformers, to access the outputs of the network.

    python examples/04_processor_and_model.py A.jpg B.jpg

Without arguments, it uses scikit-image's stereo pair of a motorcycle. The model returns all keypoints of both images,
matched or not; the processor converts them to matches in px of the original images. Draws the matches in matches.png.
"""

import sys

import torch
from PIL import Image
from skimage.data import stereo_motorcycle

from tiepoint import AutoImageProcessor, AutoModelForKeypointMatching

MODEL = "aliked+lightglue"  # or a folder, or "ETH-CVG/lightglue_superpoint"
images = [Image.open(path) for path in sys.argv[1:3]] or [Image.fromarray(i) for i in stereo_motorcycle()[:2]]

processor = AutoImageProcessor.from_pretrained(MODEL)
model = AutoModelForKeypointMatching.from_pretrained(MODEL, dtype="auto")
inputs = processor(images, return_tensors="pt")
with torch.inference_mode():
    outputs = model(**inputs)

image_sizes = [[(image.height, image.width) for image in images]]
processed_outputs = processor.post_process_keypoint_matching(outputs, image_sizes, threshold=0.2)
for output in processed_outputs:
    print(f"{len(output['matching_scores'])} matches above 0.2, of {int(outputs.mask[0, 0].sum())} keypoints")
processor.visualize_keypoint_matching(images, processed_outputs)[0].save("matches.png")
