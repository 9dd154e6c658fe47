"""Features of a function that is not part of the package: local maxima of brightness, described by random projections."""

from pathlib import Path

import h5py
import numpy as np
import torch
from torch.nn import functional as F

from tiepoint.image import Image, read_image
from tiepoint.image.listing import find_images
from tiepoint.training.config import TrainConfig
from tiepoint.types import Features

KIND, DIM, BORDER = "mine@1", 16, 4

PROJECTION = torch.randn(75, DIM, generator=torch.Generator().manual_seed(0))

TINY = TrainConfig().replace(
    model={"layers": 1, "width": 16, "heads": 1},
    data={"warps": {"resize": 96, "max_keypoints": 32, "per_image": 2}, "negatives": 0.0},
    optim={"batch_size": 2},
    run={"pairs": 12, "validations": 1},
)
"""Settings of a training that takes a second."""


def brightest_points(image: Image) -> Features:
    """Return local maxima as keypoints."""
    pixels = image.pixels.float() / (255 if image.pixels.dtype == torch.uint8 else 1)
    gray = F.avg_pool2d(pixels.mean(0)[None], 3, 1, 1)[0]
    is_maximum = gray == F.max_pool2d(gray[None], 7, 1, 3)[0]
    y, x = is_maximum[BORDER:-BORDER, BORDER:-BORDER].nonzero().T + BORDER
    patches = F.unfold(pixels[None], 5, padding=2)[0].T.reshape(*gray.shape, 75)[y, x]
    return Features.from_arrays(
        torch.stack((x, y), 1),
        (patches - 0.5) @ PROJECTION,
        image.image_size,
        scores=gray[y, x],
        kind=KIND,
        normalize="l2",
    )


def write_hloc_features(images: Path, path: Path) -> Path:
    """Write the features of all images of a folder in hloc's format."""
    with h5py.File(path, "w") as file:
        for image in find_images(images):
            group = file.create_group(image.relative_to(images).as_posix())
            for name, value in brightest_points(read_image(image)).to_hloc().items():
                group[name] = value
    return path


def write_npz_features(images: Path, folder: Path) -> Path:
    """Write the features of all images of a folder as .npz files, without the suffix of the image."""
    folder.mkdir()
    for image in find_images(images):
        features = brightest_points(read_image(image))
        np.savez(
            folder / f"{image.stem}.npz",
            keypoints=features.keypoints.numpy(),
            descriptors=features.descriptors.numpy(),
            scores=features.scores.numpy(),
            image_size=np.array(features.image_size),
        )
    return folder
