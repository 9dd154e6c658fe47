"""Oriented patches around keypoints, from a pyramid of the image.

Source: `extract_patches_from_pyramid` of kornia, whose patches HardNet is used with: the level of the pyramid at which a
patch has its number of pixels, bilinear interpolation, and border pixels outside of the image.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
"""Low-pass filter between the levels of the pyramid."""

CHUNK = 1024
"""Patches that are sampled at a time, to bound the memory."""


def oriented_patches(
    image: Float[Tensor, "1 h w"],
    keypoints: Float[Tensor, "n 2"],
    radii: Float[Tensor, "n"],
    orientations: Float[Tensor, "n"],
    size: int,
) -> Float[Tensor, "n 1 p p"]:
    """Sample a square patch around each keypoint, rotated to its orientation.

    Args:
        image: Gray image.
        keypoints: Keypoints (x, y) in px.
        radii: Half sides of the squares in px.
        orientations: Orientations in rad (y axis down).
        size: Side of a patch in px.
    """
    pyramid = build_pyramid(image, size)
    levels = level_of(radii, size, len(pyramid))
    patches = image.new_zeros(len(keypoints), 1, size, size)
    for level, pixels in enumerate(pyramid):
        for chosen in (levels == level).nonzero()[:, 0].split(CHUNK):
            grid = _sampling_grid(keypoints[chosen], radii[chosen], orientations[chosen], size)
            patches[chosen] = _sample(pixels, grid, (image.shape[2], image.shape[1]))
    return patches


def build_pyramid(image: Float[Tensor, "1 h w"], min_side: int) -> list[Float[Tensor, "1 _ _"]]:
    """Return the image and its halved versions, down to the last one whose sides have `min_side` px.

    Args:
        image: Gray image.
        min_side: Minimum side in px of the levels but the first.
    """
    levels = [image]
    while min(side // 2 for side in levels[-1].shape[1:]) >= min_side:
        levels.append(_halved(levels[-1]))
    return levels


def level_of(radii: Float[Tensor, "n"], size: int, count: int) -> Int[Tensor, "n"]:
    """Return the level of the pyramid that each patch is sampled from: the last with at least its number of pixels.

    Args:
        radii: Half sides of the squares in px.
        size: Side of a patch in px.
        count: Number of levels.
    """
    return (2 * radii / size).log2().clamp(0, count - 1).long()


def _halved(image: Float[Tensor, "1 h w"]) -> Float[Tensor, "1 _ _"]:
    taps = image.new_tensor(BINOMIAL)
    padded = F.pad(image[None], (2, 2, 2, 2), mode="reflect")
    blurred = F.conv2d(F.conv2d(padded, taps.view(1, 1, 1, 5)), taps.view(1, 1, 5, 1))
    height, width = image.shape[1:]
    return F.interpolate(blurred, size=(height // 2, width // 2), mode="bilinear", align_corners=False)[0]


def _sampling_grid(
    keypoints: Float[Tensor, "n 2"],
    radii: Float[Tensor, "n"],
    orientations: Float[Tensor, "n"],
    size: int,
) -> Float[Tensor, "n p p 2"]:
    """Return the positions (x, y) in px at which patches are sampled."""
    steps = (2 * torch.arange(size, dtype=torch.float32, device=keypoints.device) + 1) / size - 1
    v, u = torch.meshgrid(steps, steps, indexing="ij")
    cosines, sines = (radii * orientations.cos())[:, None, None], (radii * orientations.sin())[:, None, None]
    offsets = torch.stack((cosines * u + sines * v, cosines * v - sines * u), dim=-1)
    return keypoints[:, None, None] + offsets


def _sample(
    pixels: Float[Tensor, "1 h w"], positions: Float[Tensor, "n p p 2"], image_size: tuple[int, int]
) -> Float[Tensor, "n 1 p p"]:
    """Sample a level at positions in px of the whole image."""
    count, size = positions.shape[:2]
    grid = (2 * positions + 1) / positions.new_tensor(image_size) - 1
    rows = grid.reshape(1, count * size, size, 2)
    found = F.grid_sample(pixels[None], rows, mode="bilinear", padding_mode="border", align_corners=False)
    return found.reshape(count, 1, size, size)
