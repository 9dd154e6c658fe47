"""Make docs/images/stitch_views.jpg and stitch_panorama.jpg: rendered views of a street, and their panorama.

python -m benchmarks pictures panorama
"""

import argparse

import numpy as np
import PIL.Image

import tiepoint
from benchmarks.panorama.scenes import render_scene, rotation, shoot
from benchmarks.paths import PICTURES

VIEWS = PICTURES / "stitch_views.jpg"
PANORAMA = PICTURES / "stitch_panorama.jpg"
ANGLES = ((30, 2, 2), (-60, -3, -1), (0, -2, 1), (-30, 3, -2), (60, -1, 0))
EXPOSURES = (1.0, 0.85, 1.1, 1.0, 0.9)
WIDTH = 1200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take no options."""


def main(arguments: argparse.Namespace) -> None:
    """Render five views in any order, and stitch them."""
    scene = render_scene(6144, 2100)
    shots = [
        shoot(scene, rotation(*angles), size=(640, 480), focal_px=560.0, exposure=exposure).pixels
        for angles, exposure in zip(ANGLES, EXPOSURES, strict=True)
    ]
    row = PIL.Image.fromarray(np.concatenate(shots, axis=1))
    row.resize((WIDTH, round(WIDTH * row.height / row.width))).save(VIEWS, quality=80)
    panorama = tiepoint.stitch(shots)
    shown = PIL.Image.new("RGB", panorama.image_size, "white")
    shown.paste(panorama.to_pil(), mask=panorama.to_pil().getchannel("A"))
    shown.resize((WIDTH, round(WIDTH * shown.height / shown.width))).save(PANORAMA, quality=80)
    print(panorama)
