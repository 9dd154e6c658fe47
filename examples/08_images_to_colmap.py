"""Match a folder of images, export a COLMAP database, and reconstruct if there are enough images.

    python examples/08_images_to_colmap.py A.jpg B.jpg C.jpg

Without arguments, it uses scikit-image's stereo pair of a motorcycle. A second run reuses the results of the first.
Writes images/ and collection/, with the page collection/view.html.
"""

import shutil
import sys
from pathlib import Path

import PIL.Image
from skimage.data import stereo_motorcycle

import tiepoint
from tiepoint.collection.report.html_view import write_html_view


def gather(folder: Path, files: list[str]) -> Path:
    """Copy the images into one folder, or write the stereo pair there."""
    folder.mkdir(exist_ok=True)
    for file in files:
        shutil.copy2(file, folder)
    if not files:
        for name, image in zip(("left", "right"), stereo_motorcycle(), strict=False):
            PIL.Image.fromarray(image).save(folder / f"{name}.png")
    return folder


images = gather(Path("images"), sys.argv[1:])
report = tiepoint.match_collection(images, "collection", resize=640, max_keypoints=1024)
print(f"{report.images} images, {report.pairs} pairs, {report.matches} matches, {report.inliers} inliers")

collection = tiepoint.open_collection("collection")
for name0, name1 in collection.pairs():
    matches, scores = collection.matches(name0, name1)
    estimate = collection.geometry(name0, name1)
    print(
        f"{name0} {name1}: {len(matches)} matches, {estimate.num_inliers} inliers, mean score {scores.mean():.2f}"
    )

print("database:", tiepoint.export_colmap(collection))
model = tiepoint.reconstruct(collection)
if model.success:
    print(f"model: {model.registered} of {model.images} images, {model.points} points, ")
    print(f"mean reprojection error {model.mean_reprojection_error_px:.2f} px")
else:
    print("no model:", model.reason)
print("page:", write_html_view(collection))
