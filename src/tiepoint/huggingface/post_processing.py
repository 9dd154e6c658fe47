"""From a model's output to matched points in pixels of the original images."""

from typing import Any, TypedDict

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image import ImageTransform

WRONG_COUNT = "Make sure that you pass in as many target sizes as the batch dimension of the mask"
WRONG_FORM = "Each element of target_sizes must contain the size (h, w) of each image of the batch"


class KeypointMatches(TypedDict):
    """The matches of one pair, on the device of the output.

    Keys:
        keypoints0: (x, y) in px of the original image 0; the center of its top-left pixel is (0, 0).
        keypoints1: their partners in image 1.
        matching_scores: confidence of each match.
    """

    keypoints0: Float[Tensor, "k 2"]
    keypoints1: Float[Tensor, "k 2"]
    matching_scores: Float[Tensor, "k"]


def post_process_keypoint_matching(
    outputs: Any, target_sizes: Any, threshold: float = 0.0
) -> list[KeypointMatches]:
    """Matches of each pair whose score is above a threshold, in px of the original images.

    Args:
        outputs: of this package's model or of transformers': `matches`, `matching_scores` and `mask` (b, 2, n),
            `keypoints` (b, 2, n, 2) relative to the image, and where it has them `image_sizes` (b, 2, 2), the
            (height, width) in px that the model saw.
        target_sizes: (b, 2, 2), or a list of b pairs ((h0, w0), (h1, w1)): the sizes of the original images, in px.
        threshold: scores must be above, not at it.

    Returns:
        One entry a pair. Without `image_sizes` the half-pixel shift of resizing can't be undone.

    Raises:
        InvalidInput: another number or form of target sizes.
    """
    sizes = _checked_sizes(target_sizes, len(outputs.mask))
    processed = getattr(outputs, "image_sizes", None)
    seen = sizes if processed is None else _as_pairs(processed)
    return [
        _matches_of_pair(outputs, index, seen[index], sizes[index], threshold) for index in range(len(sizes))
    ]


SizePair = tuple[tuple[int, int], tuple[int, int]]


def _matches_of_pair(
    outputs: Any, pair: int, seen: SizePair, targets: SizePair, threshold: float
) -> KeypointMatches:
    indices0, indices1 = _matched(outputs, pair, threshold)
    keypoints = outputs.keypoints[pair].detach().float()
    return {
        "keypoints0": _to_original(keypoints[0, indices0], seen[0], targets[0]),
        "keypoints1": _to_original(keypoints[1, indices1], seen[1], targets[1]),
        "matching_scores": outputs.matching_scores[pair, 0, indices0].detach().float(),
    }


def _matched(outputs: Any, pair: int, threshold: float) -> tuple[Int[Tensor, "k"], Int[Tensor, "k"]]:
    """Indices into both images; padding has no part in it, on neither side."""
    matches, scores = outputs.matches[pair, 0], outputs.matching_scores[pair, 0]
    mask0, mask1 = outputs.mask[pair] > 0
    in_range = (matches > -1) & (matches < len(mask1))
    real = mask0 & in_range & mask1[torch.where(in_range, matches, 0)]
    indices0 = torch.nonzero(real & (scores > threshold))[:, 0]
    return indices0, matches[indices0]


def _to_original(
    relative: Float[Tensor, "k 2"], seen: tuple[int, int], target: tuple[int, int]
) -> Float[Tensor, "k 2"]:
    """From (x / width, y / height) of the image that the model saw, (height, width), to px of the original."""
    (height, width), (target_height, target_width) = seen, target
    transform = ImageTransform((target_width, target_height), (width, height))
    return transform.to_original(relative * relative.new_tensor((width, height)))


def _checked_sizes(sizes: Any, count: int) -> list[SizePair]:
    if not hasattr(sizes, "__len__") or isinstance(sizes, str):
        raise InvalidInput(f"{WRONG_FORM}; got {sizes!r}")
    if len(sizes) != count:
        raise InvalidInput(f"{WRONG_COUNT}; got {len(sizes)} for {count} pairs")
    try:
        return _as_pairs(sizes)
    except (TypeError, ValueError, RuntimeError):
        raise InvalidInput(
            f"{WRONG_FORM}, that is ((h0, w0), (h1, w1)) of each pair, in px above 0; got {_one_line(sizes)}"
        ) from None


def _as_pairs(sizes: Any) -> list[SizePair]:
    """Raises TypeError, ValueError or RuntimeError where they aren't ((h0, w0), (h1, w1)) each, all above 0."""
    plain = sizes.tolist() if hasattr(sizes, "tolist") else sizes  # all at once from an accelerator
    return [(_as_side_pair(size0), _as_side_pair(size1)) for size0, size1 in plain]


def _as_side_pair(size: Any) -> tuple[int, int]:
    height, width = (int(side) for side in size)
    if min(height, width) < 1:
        raise ValueError
    return height, width


def _one_line(value: object) -> str:
    return " ".join(repr(value).split())[:200]
