"""Alignment of image patches: Lucas-Kanade with a fixed affine warp, a translation to estimate, gain and offset removed.

    pixel coordinates   (x, y) in px, (0, 0) at the center of the top-left pixel
    warp                2x2 matrix from offsets in image 0 to offsets in image 1, for each patch

Source: Baker and Matthews, Lucas-Kanade 20 Years On, IJCV 2004 (inverse compositional algorithm).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32

MAX_ITERATIONS = 15
MIN_STEP_PX = 0.01  # of the last iteration
MIN_TEXTURE = 1e-3  # smaller eigenvalue of the normalized structure tensor per pixel, in 1/px²


class AlignedPatches(NamedTuple):
    """Result of `align_patches`.

    Attributes:
        points: Positions (x, y) in image 1 in px.
        correlation: Normalized correlation of both patches, in [-1, 1].
        converged: Whether the last step was small, the patch has texture and is inside both images.
    """

    points: Float[np.ndarray, "n 2"]
    correlation: Float[np.ndarray, "n"]
    converged: Bool[np.ndarray, "n"]


def align_patches(
    image0: Float32[np.ndarray, "h0 w0"],
    image1: Float32[np.ndarray, "h1 w1"],
    points0: Float[np.ndarray, "n 2"],
    points1: Float[np.ndarray, "n 2"],
    warps: Float[np.ndarray, "n 2 2"],
    *,
    radius: int,
    step: float = 1.0,
) -> AlignedPatches:
    """Move points of image 1 so that their patches look like those of image 0.

    Args:
        image0: Gray image.
        image1: Gray image.
        points0: Patch centers in image 0.
        points1: Initial positions in image 1.
        warps: Warps of the offsets from a patch center, image 0 to image 1.
        radius: Number of samples on each side of the center.
        step: Distance of the samples in px of image 0.
    """
    offsets = _grid(radius, step)  # (s, 2)
    samples0 = points0[:, None, :] + offsets  # (n, s, 2)
    template, energy = _normalize(_bilinear(image0, samples0))
    gradient = _gradient(image0, samples0, step) / energy[:, None, None]  # (n, s, 2)
    gradient -= gradient.mean(axis=1, keepdims=True)
    tensor = np.einsum("nsi,nsj->nij", gradient, gradient)
    has_texture = np.linalg.eigvalsh(tensor)[:, 0] > MIN_TEXTURE
    inverse = np.asarray(np.linalg.inv(tensor + 1e-12 * np.eye(2)), np.float64)
    warped = np.einsum("nij,sj->nsi", warps, offsets)
    moved = points1.astype(np.float64).copy()
    size = np.full(len(moved), np.inf)
    for _ in range(MAX_ITERATIONS):
        active = size > MIN_STEP_PX
        if not active.any():
            break
        current, _ = _normalize(_bilinear(image1, moved[active, None, :] + warped[active]))
        error = current - template[active]
        shift = np.einsum("nij,nj->ni", inverse[active], np.einsum("nsi,ns->ni", gradient[active], error))
        shift = np.clip(shift, -step * radius / 2, step * radius / 2)
        moved[active] -= np.einsum("nij,nj->ni", warps[active], shift)
        size[active] = np.linalg.norm(shift, axis=1)
    final, _ = _normalize(_bilinear(image1, moved[:, None, :] + warped))
    inside = _inside(image0, samples0) & _inside(image1, moved[:, None, :] + warped)
    return AlignedPatches(
        points=moved,
        correlation=(final * template).sum(axis=1),
        converged=has_texture & inside & (size <= 10 * MIN_STEP_PX),
    )


def _grid(radius: int, step: float) -> Float[np.ndarray, "s 2"]:
    values = np.arange(-radius, radius + 1) * step
    return np.stack(np.meshgrid(values, values), axis=-1).reshape(-1, 2)


def _bilinear(
    image: Float32[np.ndarray, "h w"], points: Float[np.ndarray, "n s 2"]
) -> Float[np.ndarray, "n s"]:
    """Sample an image; points outside have the nearest pixel of the border."""
    height, width = image.shape
    x = np.clip(points[..., 0], 0, width - 1.001)
    y = np.clip(points[..., 1], 0, height - 1.001)
    left, top = x.astype(np.int64), y.astype(np.int64)
    fx, fy = x - left, y - top
    flat, index = image.ravel(), top * width + left
    upper = flat[index] * (1 - fx) + flat[index + 1] * fx
    lower = flat[index + width] * (1 - fx) + flat[index + width + 1] * fx
    return upper * (1 - fy) + lower * fy


def _gradient(
    image: Float32[np.ndarray, "h w"], points: Float[np.ndarray, "n s 2"], step: float
) -> Float[np.ndarray, "n s 2"]:
    """Central differences per px."""
    half = step / 2
    differences = [
        _bilinear(image, points + shift) - _bilinear(image, points - shift)
        for shift in (np.array([half, 0.0]), np.array([0.0, half]))
    ]
    return np.stack(differences, axis=-1) / step


def _normalize(values: Float[np.ndarray, "n s"]) -> tuple[Float[np.ndarray, "n s"], Float[np.ndarray, "n"]]:
    """Return values of zero mean and unit norm, and the norm."""
    centered = values - values.mean(axis=1, keepdims=True)
    norm = np.maximum(np.linalg.norm(centered, axis=1), 1e-6)
    return centered / norm[:, None], norm


def _inside(image: Float32[np.ndarray, "h w"], points: Float[np.ndarray, "n s 2"]) -> Bool[np.ndarray, "n"]:
    height, width = image.shape
    limit = np.array([width - 1, height - 1])
    return np.all((points >= 0) & (points <= limit), axis=(1, 2))
