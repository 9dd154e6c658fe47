"""Make docs/images/registration.jpg: a bent slice of tissue on the grid of another image, by a model and piecewise.

    python -m benchmarks pictures registration

The image is one of scikit-image's, which may be redistributed; its copy is rotated, bent and darkened by this program.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from skimage import data

import tiepoint
from benchmarks.paths import PICTURES
from tiepoint.image.displacement import DisplacementField
from tiepoint.image.resampling import Resampler, warp_whole
from tiepoint.registration.alignment import AlignSettings
from tiepoint.visualization import save_image

PICTURE = PICTURES / "registration.jpg"
PANEL_PX = 480
CAPTION_HEIGHT_PX = 30
FONT_SIZE = 16
BEND_PX = 14


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no options."""


def main(arguments: argparse.Namespace) -> None:
    """Register the copy twice, and draw both images and both overlays."""
    fixed = data.immunohistochemistry()
    moving = bent_copy(fixed)
    panels = {"fixed": fixed, "moving: rotated, bent, darker": moving}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for pixels, file in ((fixed, "fixed.png"), (moving, "moving.png")):
            PIL.Image.fromarray(pixels).save(folder / file)
        for piecewise in (False, True):
            alignment = tiepoint.register(
                folder / "moving.png",
                folder / "fixed.png",
                folder / "aligned.png",
                align_settings=AlignSettings(piecewise=piecewise),
            )
            aligned = np.asarray(PIL.Image.open(folder / "aligned.png").convert("RGB"))
            label = "with --piecewise" if alignment.deformation is not None else alignment.estimate.kind
            panels[f"overlay, {label}"] = overlay(fixed, aligned)
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    save_image(sheet(panels), PICTURE)


def bent_copy(image: np.ndarray) -> np.ndarray:
    """Rotate by 12 degrees, bend, and darken."""
    height, width = image.shape[:2]
    angle = np.deg2rad(12)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    center = np.array([width, height]) / 2
    matrix = np.eye(3)
    matrix[:2] = np.column_stack([rotation, center - rotation @ center])
    y, x = np.mgrid[0:13, 0:13] / 2.5
    offsets = BEND_PX * np.stack([np.sin(x) * np.cos(y), np.cos(1.3 * x + y)], axis=-1)
    field = DisplacementField(offsets, max(width, height) / 12)
    bent = warp_whole(Resampler(image, matrix, "cubic", displacement=field), (width, height)).pixels
    return (bent * 0.75).astype(np.uint8)


def overlay(fixed: np.ndarray, aligned: np.ndarray) -> np.ndarray:
    """Show the fixed image in red and the aligned one in cyan: gray where they agree."""
    grays = [image.mean(axis=2) / max(float(np.quantile(image, 0.99)), 1) * 255 for image in (fixed, aligned)]
    return np.stack([grays[0], grays[1], grays[1]], axis=-1).clip(0, 255).astype(np.uint8)


def sheet(panels: dict[str, np.ndarray]) -> PIL.Image.Image:
    """Put the panels next to each other, two per row, each below its caption."""
    font = PIL.ImageFont.load_default(size=FONT_SIZE)
    step = PANEL_PX + CAPTION_HEIGHT_PX
    page = PIL.Image.new("RGB", (2 * PANEL_PX, -(-len(panels) // 2) * step), "white")
    for index, (caption, pixels) in enumerate(panels.items()):
        left, top = index % 2 * PANEL_PX, index // 2 * step
        PIL.ImageDraw.Draw(page).text((left + 8, top + 5), caption, fill="black", font=font)
        panel = PIL.Image.fromarray(pixels).resize((PANEL_PX, PANEL_PX), PIL.Image.Resampling.LANCZOS)
        page.paste(panel, (left, top + CAPTION_HEIGHT_PX))
    return page
