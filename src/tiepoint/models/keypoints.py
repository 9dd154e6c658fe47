"""What the detectors share: suppression, choice and refinement of keypoints on a score map, bilinear sampling.

A score map is (h, w). A pixel is named by its raster index y * w + x; a position is (x, y) in px, the center of
the top-left pixel = (0, 0). Nothing here has parameters.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from tiepoint.errors import InvalidInput

MIN_CONTRAST = 0.5 / 255
"""Half a step of an 8-bit image: an image that varies by less is blank in every file that could hold it."""


class Detection(NamedTuple):
    """The keypoints of one image.

    Attributes:
        keypoints: (x, y) in px of the image that the network saw; the center of its top-left pixel is (0, 0).
        scores: higher is better. The order is that of the scores at the whole pixel, falling; where a detector
            refines positions, these are the scores at the refined ones, which fall up to small swaps.
        descriptors: one unit vector a keypoint.
    """

    keypoints: Float[Tensor, "n 2"]
    scores: Float[Tensor, "n"]
    descriptors: Float[Tensor, "n d"]


def has_contrast(images: Num[Tensor, "b c h w"]) -> Bool[Tensor, "b"]:
    """Whether each image shows anything: some channel varies by more than `MIN_CONTRAST`.

    The score map of a blank image is not flat: zero padding makes the networks answer along the border, and
    the answer spreads inwards. Its maxima are about padding, not about the image, so detectors set it to zero.

    Args:
        images: values in [0, 1], or bytes.
    """
    pixels = images.flatten(2)
    contrast = pixels.amax(dim=2) - pixels.amin(dim=2)
    return (contrast > MIN_CONTRAST).any(dim=1)


def window_maximum(scores: Float[Tensor, "*b h w"], radius: int) -> Float[Tensor, "*b h w"]:
    """The maximum of the (2 radius + 1) x (2 radius + 1) window around each pixel, cut off at the border."""
    padded = F.pad(scores, [radius] * 4, value=-torch.inf)
    return _running_maximum(_running_maximum(padded, 2 * radius + 1, dim=-1), 2 * radius + 1, dim=-2)


def simple_nms(scores: Float[Tensor, "*b h w"], radius: int) -> Float[Tensor, "*b h w"]:
    """Keep the score of pixels that are the maximum of their window, set all others to zero.

    Two more passes look at what lies outside the windows of the maxima found so far, and so find the maxima
    that stood in the shadow of a suppressed pixel. Equal neighbors all stay.

    Args:
        scores: not negative.
        radius: of the window, in px.

    Source: SuperPoint (arXiv 1712.07629), as published with SuperGlue; DKD of ALIKED uses it too.
    """
    is_maximum = scores == window_maximum(scores, radius)
    for _ in range(2):
        in_shadow = window_maximum(is_maximum.to(scores.dtype), radius) > 0
        remaining = scores.masked_fill(in_shadow, 0)
        is_maximum = is_maximum | ((remaining == window_maximum(remaining, radius)) & ~in_shadow)
    return scores.masked_fill(~is_maximum, 0)


def strict_maxima(scores: Float[Tensor, "*b h w"], radius: int) -> Bool[Tensor, "*b h w"]:
    """Mark the pixels that exceed every other pixel of their window; a window that leaves the map has none.

    Source: `nms2d` of kornia 0.9.0, which its DISK uses.
    """
    height, width = (side - 2 * radius for side in scores.shape[-2:])
    if height <= 0 or width <= 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    rows = _running_maximum(_running_maximum(scores, 2 * radius + 1, dim=-1), radius, dim=-2)
    beside = _running_maximum(scores.narrow(-2, radius, height), radius, dim=-1)
    above, below = rows.narrow(-2, 0, height), rows.narrow(-2, radius + 1, height)
    left, right = beside.narrow(-1, 0, width), beside.narrow(-1, radius + 1, width)
    others = torch.maximum(torch.maximum(above, below), torch.maximum(left, right))
    center = scores.narrow(-2, radius, height).narrow(-1, radius, width)
    return F.pad(center > others, [radius] * 4)


def remove_border(scores: Float[Tensor, "*b h w"], width: int) -> Float[Tensor, "*b h w"]:
    """Set the outermost `width` pixels of each side to zero."""
    height, length = (max(side - 2 * width, 0) for side in scores.shape[-2:])
    if height == 0 or length == 0:
        return torch.zeros_like(scores)
    return F.pad(scores.narrow(-2, width, height).narrow(-1, width, length), [width] * 4)


def one_by_one(masks: Bool[Tensor, "b h w"] | None, count: int) -> list[Tensor | None]:
    """The masks of a batch of `count` images, or as many times none."""
    return [None] * count if masks is None else list(masks)


def masked(scores: Float[Tensor, "h w"], mask: Bool[Tensor, "H W"] | None) -> Float[Tensor, "h w"]:
    """The score map with zeros where the mask is False; without a mask as it is.

    Args:
        scores: may end before the mask does, at the right and at the bottom.
        mask: True where keypoints may lie.
    """
    if mask is None:
        return scores
    height, width = scores.shape
    return scores.masked_fill(~mask[:height, :width], 0)


def strongest(
    scores: Float[Tensor, "h w"], max_keypoints: int | None, threshold: float = 0.0
) -> Int[Tensor, "n"]:
    """Raster indices of the highest scores, falling; ties go to the lower index.

    Args:
        scores: suppressed pixels hold zero.
        max_keypoints: how many at most; None keeps all.
        threshold: only scores above it; zero scores are never kept.

    Raises:
        InvalidInput: max_keypoints is negative.
    """
    if max_keypoints is not None and max_keypoints < 0:
        raise InvalidInput(f"max_keypoints must be 0 or more, or None for all, but is {max_keypoints}")
    values = scores.detach().flatten()
    candidates = (values > max(threshold, 0.0)).nonzero().squeeze(1)
    order = values[candidates].argsort(descending=True, stable=True)
    return candidates[order[:max_keypoints]]


def positions_of(indices: Int[Tensor, "*n"], width: int) -> Int[Tensor, "*n 2"]:
    """(x, y) of raster indices into a map of the given width."""
    return torch.stack([indices % width, indices // width], dim=-1)


def rows_of(image: Float[Tensor, "c h w"]) -> Float[Tensor, "hw c"]:
    """A map with one row a pixel, in raster order; a view where the map lies channels last."""
    return image.permute(1, 2, 0).flatten(0, 1)


def window_indices(radius: int, width: int, device: torch.device) -> Int[Tensor, "k"]:
    """What to add to a raster index to get its (2 radius + 1)^2 window, row by row."""
    steps = torch.arange(-radius, radius + 1, device=device)
    return (steps[:, None] * width + steps[None, :]).flatten()


def soft_argmax(
    scores: Float[Tensor, "h w"], indices: Int[Tensor, "n"], radius: int, temperature: float
) -> Float[Tensor, "n 2"]:
    """Sub-pixel positions: the mean of each pixel's window, weighted by exp(score / temperature).

    Args:
        scores: the score map before suppression.
        indices: raster indices of pixels at least `radius` px from the border.
        radius: of the window, in px.
        temperature: in units of the scores; toward zero the result is the position of the maximum.

    Source: ALIKED (arXiv 2304.03608), differentiable keypoint detection.
    """
    width = scores.shape[-1]
    window = window_indices(radius, width, scores.device)
    patches = scores.flatten()[indices[:, None] + window]
    weights = torch.softmax(patches / temperature, dim=1)
    steps = torch.arange(-radius, radius + 1, device=scores.device, dtype=scores.dtype)
    offsets = torch.cartesian_prod(steps, steps).flip(1)
    return positions_of(indices, width) + weights @ offsets


def kept_inside(
    positions: Float[Tensor, "n 2"], indices: Int[Tensor, "n"], mask: Bool[Tensor, "h w"]
) -> Float[Tensor, "n 2"]:
    """Refined positions, but the pixel itself where the refined position has left the mask.

    Args:
        positions: (x, y) in px, inside the map when rounded.
        indices: raster indices of the pixels that were refined, all of them allowed.
        mask: True where keypoints may lie.
    """
    columns, rows = positions.detach().round().long().unbind(dim=1)
    pixels = positions_of(indices, mask.shape[1]).to(positions.dtype)
    return torch.where(mask[rows, columns][:, None], positions, pixels)


def bilinear_corners(
    positions: Float[Tensor, "n 2"], width: int, height: int
) -> tuple[Int[Tensor, "n 4"], Float[Tensor, "n 4"]]:
    """The four pixels around each position, and their bilinear weights; pixels outside weigh zero.

    Returns:
        Raster indices, always inside the map, and weights.
    """
    columns, column_weights = _linear_neighbors(positions[:, 0], width)
    rows, row_weights = _linear_neighbors(positions[:, 1], height)
    indices = rows[:, :, None] * width + columns[:, None, :]
    weights = row_weights[:, :, None] * column_weights[:, None, :]
    return indices.flatten(1), weights.flatten(1)


def weighted_rows(
    rows: Float[Tensor, "m c"], indices: Int[Tensor, "n k"], weights: Float[Tensor, "n k"]
) -> Float[Tensor, "n c"]:
    """For each line of `indices` the weighted sum of those rows; gathers and adds without a copy in between."""
    return F.embedding_bag(indices, rows, per_sample_weights=weights, mode="sum")


def sample_bilinear(
    rows: Float[Tensor, "hw c"], positions: Float[Tensor, "n 2"], width: int, height: int
) -> Float[Tensor, "n c"]:
    """Sample a map at fractional positions; it is zero outside.

    Args:
        rows: the map, one row a pixel in raster order.
        positions: (x, y) in px of the map.
        width: of the map, in px.
        height: of the map, in px.
    """
    return weighted_rows(rows, *bilinear_corners(positions, width, height))


def _running_maximum(values: Tensor, length: int, dim: int) -> Tensor:
    """Maxima of `length` neighbors along `dim`; ever longer runs are merged, log2(length) steps in all."""
    reach = 1
    while reach < length:
        step = min(reach, length - reach)
        count = values.shape[dim] - step
        values = torch.maximum(values.narrow(dim, 0, count), values.narrow(dim, step, count))
        reach += step
    return values


def _linear_neighbors(positions: Tensor, size: int) -> tuple[Tensor, Tensor]:
    lower = positions.floor()
    fraction = positions - lower
    neighbors = torch.stack([lower, lower + 1], dim=-1)
    weights = torch.stack([1 - fraction, fraction], dim=-1)
    inside = (neighbors >= 0) & (neighbors < size)
    return neighbors.long().clamp(0, size - 1), weights * inside
