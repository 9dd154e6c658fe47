"""Parts that detectors share: non-maximum suppression, top-k selection, sub-pixel refinement, bilinear sampling.

A score map has shape (h, w). A pixel is given by its raster index y * w + x; a position is (x, y) in px, and the
center of the top-left pixel is (0, 0). Nothing here has parameters.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.models.tracing import is_tracing

MIN_CONTRAST = 0.5 / 255
"""Half a step of an 8-bit image; an image with less variation is blank."""

CUBIC = -0.75
"""Parameter of cubic convolution, as in torch's bicubic interpolation."""


class Detection(NamedTuple):
    """Keypoints of one image.

    Attributes:
        keypoints: Positions (x, y) in px of the network's input image, shape (n, 2); the center of the top-left
            pixel is (0, 0).
        scores: Detection scores, shape (n,); higher is better. Keypoints are in descending order of the score at
            their integer pixel; where a detector refines positions, these are the scores at the refined positions,
            which are sorted only approximately.
        descriptors: Unit-length descriptors, shape (n, d).
    """

    keypoints: Float[Tensor, "n 2"]
    scores: Float[Tensor, "n"]
    descriptors: Float[Tensor, "n d"]


def has_contrast(images: Num[Tensor, "b c h w"]) -> Bool[Tensor, "b"]:
    """Return whether each image has texture: some channel varies by more than `MIN_CONTRAST`.

    The score map of a blank image is not constant: zero padding causes responses along the border that spread
    inwards. Its maxima are artifacts, so detectors set the scores of blank images to zero.

    Args:
        images: Images, shape (b, c, h, w), values in [0, 1] or uint8.
    """
    # one dimension at a time: torch reduces two at once without vector instructions
    contrast = images.amax(dim=2).amax(dim=2) - images.amin(dim=2).amin(dim=2)
    return (contrast > MIN_CONTRAST).any(dim=1)


def window_maximum(scores: Float[Tensor, "*b h w"], radius: int) -> Float[Tensor, "*b h w"]:
    """Return the maximum of the (2 radius + 1) x (2 radius + 1) window around each pixel, clipped at the border."""
    padded = F.pad(scores, [radius] * 4, value=-torch.inf)
    return _running_maximum(_running_maximum(padded, 2 * radius + 1, dim=-1), 2 * radius + 1, dim=-2)


def simple_nms(scores: Float[Tensor, "*b h w"], radius: int) -> Float[Tensor, "*b h w"]:
    """Non-maximum suppression: set all scores to zero except those that are the maximum of their window.

    Two more iterations reconsider the neighbors of suppressed pixels: they keep the maxima among the pixels that
    are outside the windows of all maxima found so far. Neighbors with equal scores are all kept.

    Args:
        scores: Non-negative score maps, shape (…, h, w).
        radius: Window radius in px.

    Source: SuperPoint (arXiv 1712.07629), in the implementation published with SuperGlue; also used by ALIKED.
    """
    is_maximum = scores == window_maximum(scores, radius)
    for _ in range(2):
        is_suppressed = window_maximum(is_maximum.to(scores.dtype), radius) > 0
        remaining = scores.masked_fill(is_suppressed, 0)
        is_maximum = is_maximum | ((remaining == window_maximum(remaining, radius)) & ~is_suppressed)
    return scores.masked_fill(~is_maximum, 0)


def strict_maxima(scores: Float[Tensor, "*b h w"], radius: int) -> Bool[Tensor, "*b h w"]:
    """Mark pixels that exceed every other pixel of their window; windows that cross the border have no maximum.

    Source: `nms2d` of kornia 0.9.0, used by its DISK.
    """
    height, width = (side - 2 * radius for side in scores.shape[-2:])
    if height <= 0 or width <= 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    rows = _running_maximum(_running_maximum(scores, 2 * radius + 1, dim=-1), radius, dim=-2)
    same_row = _running_maximum(scores.narrow(-2, radius, height), radius, dim=-1)
    above, below = rows.narrow(-2, 0, height), rows.narrow(-2, radius + 1, height)
    left, right = same_row.narrow(-1, 0, width), same_row.narrow(-1, radius + 1, width)
    others = torch.maximum(torch.maximum(above, below), torch.maximum(left, right))
    center = scores.narrow(-2, radius, height).narrow(-1, radius, width)
    return F.pad(center > others, [radius] * 4)


def remove_border(scores: Float[Tensor, "*b h w"], width: int) -> Float[Tensor, "*b h w"]:
    """Set the outermost `width` pixels of each side to zero."""
    height, length = (max(side - 2 * width, 0) for side in scores.shape[-2:])
    if height == 0 or length == 0:
        return torch.zeros_like(scores)
    return F.pad(scores.narrow(-2, width, height).narrow(-1, width, length), [width] * 4)


def apply_mask(scores: Float[Tensor, "h w"], mask: Bool[Tensor, "H W"] | None) -> Float[Tensor, "h w"]:
    """Set the scores to zero where the mask is False.

    Args:
        scores: Score map, shape (h, w); may be smaller than the mask at the right and the bottom.
        mask: Mask, shape (H, W), True where keypoints are allowed; None allows them everywhere.
    """
    if mask is None:
        return scores
    height, width = scores.shape
    return scores.masked_fill(~mask[:height, :width], 0)


def candidate_pixels(scores: Float[Tensor, "h w"]) -> Int[Tensor, "n"]:
    """Return the raster indices of all positive scores, in ascending order."""
    return (scores.detach().flatten() > 0).nonzero().squeeze(1)


def top_k(scores: Float[Tensor, "n"], max_keypoints: int | None, threshold: float = 0.0) -> Int[Tensor, "k"]:
    """Return the indices of the highest scores in descending order; ties go to the lower index.

    Args:
        scores: Scores of keypoint candidates, shape (n,).
        max_keypoints: Maximum number of keypoints; None keeps all.
        threshold: Minimum score (exclusive); zero scores are never selected.

    Raises:
        InvalidInput: If `max_keypoints` is negative.
    """
    if is_tracing():
        return _traced_top_k(scores.detach(), max_keypoints, threshold)
    if max_keypoints is not None and max_keypoints < 0:
        raise InvalidInput(f"max_keypoints must be None or at least 0, got {max_keypoints}")
    values = scores.detach()
    is_candidate = values > max(threshold, 0.0)
    if max_keypoints is not None and 0 < max_keypoints < len(values):
        # sorting all candidates would take longer than finding the lowest score that is selected
        is_candidate &= values >= values.topk(max_keypoints, sorted=False).values.min()
    candidates = is_candidate.nonzero().squeeze(1)
    order = values[candidates].argsort(descending=True, stable=True)
    return candidates[order[:max_keypoints]]


def _traced_top_k(
    values: Float[Tensor, "n"], max_keypoints: int | None, threshold: float
) -> Int[Tensor, "k"]:
    """Compute `top_k` with one selection; ONNX's breaks ties as documented, torch's does not."""
    candidates = (values > max(threshold, 0.0)).nonzero().squeeze(1)
    count = candidates.shape[0]
    count = count if max_keypoints is None else torch.sym_min(max_keypoints, count)
    return candidates[values[candidates].topk(count).indices]


def pixel_coordinates(indices: Int[Tensor, "*n"], width: int) -> Int[Tensor, "*n 2"]:
    """Return the (x, y) coordinates of raster indices into a map of the given width."""
    rows = indices // width
    return torch.stack([indices - rows * width, rows], dim=-1)  # the ONNX exporter lacks % by a dynamic width


def flatten_spatial(image: Float[Tensor, "c h w"]) -> Float[Tensor, "hw c"]:
    """Flatten a map to one row per pixel, in raster order; a view if the memory format is channels-last."""
    return image.permute(1, 2, 0).flatten(0, 1)


def window_offsets(radius: int, width: int, device: torch.device) -> Int[Tensor, "k"]:
    """Return the raster-index offsets of a (2 radius + 1)^2 window, row by row, in a map of the given width."""
    steps = torch.arange(-radius, radius + 1, dtype=torch.int64, device=device)
    return (steps[:, None] * width + steps[None, :]).flatten()


def soft_argmax(
    scores: Float[Tensor, "h w"], indices: Int[Tensor, "n"], radius: int, temperature: float
) -> Float[Tensor, "n 2"]:
    """Return sub-pixel positions: the mean of each pixel's window, weighted by exp(score / temperature).

    Args:
        scores: Score map before suppression, shape (h, w).
        indices: Raster indices of pixels at least `radius` px from the border, shape (n,).
        radius: Window radius in px.
        temperature: Softmax temperature in units of the scores; toward zero the result is the argmax.

    Source: ALIKED (arXiv 2304.03608), differentiable keypoint detection.
    """
    width = scores.shape[-1]
    window = window_offsets(radius, width, scores.device)
    patches = scores.flatten()[indices[:, None] + window]
    weights = torch.softmax(patches / temperature, dim=1)
    steps = torch.arange(-radius, radius + 1, device=scores.device, dtype=scores.dtype)
    offsets = torch.stack([steps.repeat(len(steps)), steps.repeat_interleave(len(steps))], dim=1)  # (x, y)
    return pixel_coordinates(indices, width) + weights @ offsets


def keep_inside_mask(
    positions: Float[Tensor, "n 2"], indices: Int[Tensor, "n"], mask: Bool[Tensor, "h w"]
) -> Float[Tensor, "n 2"]:
    """Return the refined positions, replaced by the unrefined pixel where refinement left the mask.

    Args:
        positions: Refined positions (x, y) in px, shape (n, 2); inside the map when rounded.
        indices: Raster indices of the unrefined pixels, shape (n,); all inside the mask.
        mask: Mask, shape (h, w), True where keypoints are allowed.
    """
    columns, rows = positions.detach().round().long().unbind(dim=1)
    pixels = pixel_coordinates(indices, mask.shape[1]).to(positions.dtype)
    return torch.where(mask[rows, columns][:, None], positions, pixels)


def bilinear_corners(
    x: Float[Tensor, "n"], y: Float[Tensor, "n"], width: int, height: int
) -> tuple[Int[Tensor, "n 4"], Float[Tensor, "n 4"]]:
    """Return the four pixels around each position and their bilinear weights; pixels outside have weight zero.

    Args:
        x: Columns in px, shape (n,).
        y: Rows in px, shape (n,).
        width: Width of the map in px.
        height: Height of the map in px.

    Returns:
        Raster indices, clamped to the map, and weights; both of shape (n, 4).
    """
    columns, column_weights = _linear_neighbors(x, width)
    rows, row_weights = _linear_neighbors(y, height)
    indices = [row * width + column for row in rows for column in columns]
    weights = [row * column for row in row_weights for column in column_weights]
    return torch.stack(indices, dim=1), torch.stack(weights, dim=1)


def bicubic_neighbors(
    positions: Float[Tensor, "n 2"], width: int, height: int
) -> tuple[Int[Tensor, "n 16"], Float[Tensor, "n 16"]]:
    """Return the 4 x 4 pixels around each position and their bicubic weights; pixels outside have weight zero.

    Args:
        positions: Positions (x, y) in px, shape (n, 2).
        width: Width of the map in px.
        height: Height of the map in px.

    Returns:
        Raster indices, clamped to the map, and weights; both of shape (n, 16).
    """
    columns, column_weights = _cubic_neighbors(positions[:, 0], width)
    rows, row_weights = _cubic_neighbors(positions[:, 1], height)
    indices = rows[:, :, None] * width + columns[:, None, :]
    weights = row_weights[:, :, None] * column_weights[:, None, :]
    return indices.flatten(1), weights.flatten(1)


def weighted_row_sum(
    rows: Float[Tensor, "m c"], indices: Int[Tensor, "n k"], weights: Float[Tensor, "n k"]
) -> Float[Tensor, "n c"]:
    """Return a weighted sum of rows per line of `indices`; gathering and adding need no intermediate copy.

    Args:
        rows: Vectors to sum, shape (m, c).
        indices: Indices of rows, shape (n, k).
        weights: Weights of the rows of any floating-point dtype, shape (n, k).

    Returns:
        Sums in the dtype of the rows, shape (n, c).
    """
    if is_tracing():  # ONNX has no such operator
        return (weights.to(rows.dtype)[:, None, :] @ rows[indices]).squeeze(1)
    return F.embedding_bag(indices, rows, per_sample_weights=weights.to(rows.dtype), mode="sum")


def sample_bilinear(
    rows: Float[Tensor, "hw c"], positions: Float[Tensor, "n 2"], width: int, height: int
) -> Float[Tensor, "n c"]:
    """Sample a map at sub-pixel positions; values outside the map are zero.

    Args:
        rows: Map with one row per pixel in raster order, shape (height * width, c).
        positions: Positions (x, y) in px of the map, shape (n, 2).
        width: Width of the map in px.
        height: Height of the map in px.
    """
    x, y = positions.unbind(dim=1)
    return weighted_row_sum(rows, *bilinear_corners(x, y, width, height))


def _running_maximum(values: Tensor, length: int, dim: int) -> Tensor:
    """Return the maxima of `length` consecutive values along `dim`, in log2(length) steps of doubling windows."""
    reach = 1
    while reach < length:
        step = min(reach, length - reach)
        count = values.shape[dim] - step
        values = torch.maximum(values.narrow(dim, 0, count), values.narrow(dim, step, count))
        reach += step
    return values


def _linear_neighbors(positions: Float[Tensor, "n"], size: int) -> tuple[list[Tensor], list[Tensor]]:
    """Return the pixel before and after each position along an axis, clamped, and their weights, zero outside."""
    first = positions.floor()
    fraction = positions - first
    neighbors = first, first + 1
    inside = [(pixel >= 0) & (pixel < size) for pixel in neighbors]
    pixels = [pixel.long().clamp(0, size - 1) for pixel in neighbors]
    return pixels, [(1 - fraction) * inside[0], fraction * inside[1]]


def _cubic_neighbors(positions: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return four pixels per position and their weights by cubic convolution (Keys 1981, a = -0.75, as torch's)."""
    lower = positions.floor()
    fraction = (positions - lower)[:, None]
    steps = torch.arange(-1, 3, device=positions.device, dtype=positions.dtype)
    distances = (fraction - steps).abs()
    near = ((CUBIC + 2) * distances - (CUBIC + 3)) * distances.square() + 1
    far = CUBIC * (((distances - 5) * distances + 8) * distances - 4)
    return _inside_map(lower[:, None] + steps, torch.where(distances <= 1, near, far), size)


def _inside_map(neighbors: Tensor, weights: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Clamp pixels to the map, and set the weights of those outside to zero."""
    inside = (neighbors >= 0) & (neighbors < size)
    return neighbors.long().clamp(0, size - 1), weights * inside
