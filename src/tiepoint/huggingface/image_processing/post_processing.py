"""Conversion of a model's output to keypoints and matched points in px of the original images."""

from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image import ImageTransform

WRONG_COUNT = "Make sure that you pass in as many target sizes as the batch dimension of the mask"
WRONG_FORM = "Each element of target_sizes must contain the size (h, w) of each image of the batch"


class KeypointMatches(TypedDict):
    """Matches of one pair, on the device of the output.

    Keys:
        keypoints0: Matched points (x, y) in px of the original image 0; the center of its top-left pixel is (0, 0).
        keypoints1: Matched points (x, y) in px of the original image 1.
        matching_scores: Match scores.
    """

    keypoints0: Float[Tensor, "k 2"]
    keypoints1: Float[Tensor, "k 2"]
    matching_scores: Float[Tensor, "k"]


class Keypoints(TypedDict):
    """Keypoints of one image, on the device of the output.

    Keys:
        keypoints: Keypoints (x, y) in px of the original image; the center of its top-left pixel is (0, 0).
        scores: Keypoint scores.
        descriptors: Descriptors.
    """

    keypoints: Float[Tensor, "n 2"]
    scores: Float[Tensor, "n"]
    descriptors: Float[Tensor, "n d"]


def post_process_keypoint_matching(
    outputs: Any, target_sizes: Any, threshold: float = 0.0
) -> list[KeypointMatches]:
    """Return the matches of each pair with a score above a threshold, in px of the original images.

    Args:
        outputs: Output of tiepoint's or transformers' model: `matches`, `matching_scores` and `mask` (b, 2, n),
            `keypoints` (b, 2, n, 2) relative to the image, and optionally `image_sizes` (b, 2, 2), the (height, width)
            in px of the processed images.
        target_sizes: Sizes of the original images in px, (b, 2, 2), or a list of b pairs ((h0, w0), (h1, w1)).
        threshold: Minimum match score (exclusive).

    Returns:
        One entry per pair. Without `image_sizes` the half-pixel shift of resizing cannot be undone.

    Raises:
        InvalidInput: If the number or the form of the target sizes is wrong.
    """
    targets = _check_target_sizes(
        target_sizes, len(outputs.mask), _as_size_pairs, "((h0, w0), (h1, w1)) per pair"
    )
    image_sizes = getattr(outputs, "image_sizes", None)
    processed = targets if image_sizes is None else _as_size_pairs(image_sizes)
    return [
        _pair_matches(outputs, pair, processed[pair], targets[pair], threshold)
        for pair in range(len(targets))
    ]


def post_process_keypoint_detection(outputs: Any, target_sizes: Any) -> list[Keypoints]:
    """Return the keypoints of each image, in px of the original images.

    Args:
        outputs: Output of tiepoint's or transformers' model: `mask` and `scores` (b, n), `keypoints` (b, n, 2) relative
            to the image, `descriptors` (b, n, d), and optionally `image_sizes` (b, 2), the (height, width) in px of
            the processed images.
        target_sizes: Sizes of the original images in px, (b, 2), or a list of b sizes (height, width).

    Returns:
        One entry per image, without padding. Without `image_sizes` the half-pixel shift of resizing cannot be undone.

    Raises:
        InvalidInput: If the number or the form of the target sizes is wrong.
    """
    targets = _check_target_sizes(target_sizes, len(outputs.mask), _as_sizes, "(height, width) per image")
    image_sizes = getattr(outputs, "image_sizes", None)
    processed = targets if image_sizes is None else _as_sizes(image_sizes)
    return [
        _image_keypoints(outputs, image, processed[image], targets[image]) for image in range(len(targets))
    ]


SizePair = tuple[tuple[int, int], tuple[int, int]]
"""(height, width) of both images of a pair, in px."""

Sizes = TypeVar("Sizes", SizePair, tuple[int, int])


def _pair_matches(
    outputs: Any, pair: int, processed: SizePair, targets: SizePair, threshold: float
) -> KeypointMatches:
    indices0, indices1 = _matched_indices(outputs, pair, threshold)
    keypoints = outputs.keypoints[pair].detach().float()
    return {
        "keypoints0": _to_original(keypoints[0, indices0], processed[0], targets[0]),
        "keypoints1": _to_original(keypoints[1, indices1], processed[1], targets[1]),
        "matching_scores": outputs.matching_scores[pair, 0, indices0].detach().float(),
    }


def _image_keypoints(
    outputs: Any, image: int, processed: tuple[int, int], target: tuple[int, int]
) -> Keypoints:
    is_keypoint = outputs.mask[image] > 0
    return {
        "keypoints": _to_original(outputs.keypoints[image].detach().float()[is_keypoint], processed, target),
        "scores": outputs.scores[image].detach()[is_keypoint],
        "descriptors": outputs.descriptors[image].detach()[is_keypoint],
    }


def _matched_indices(outputs: Any, pair: int, threshold: float) -> tuple[Int[Tensor, "k"], Int[Tensor, "k"]]:
    """Return the keypoint indices of the matches in both images; padding of either image is excluded."""
    matches, scores = outputs.matches[pair, 0], outputs.matching_scores[pair, 0]
    mask0, mask1 = outputs.mask[pair] > 0
    in_range = (matches > -1) & (matches < len(mask1))
    valid = mask0 & in_range & mask1[torch.where(in_range, matches, 0)]
    indices0 = torch.nonzero(valid & (scores > threshold))[:, 0]
    return indices0, matches[indices0]


def _to_original(
    relative: Float[Tensor, "k 2"], processed: tuple[int, int], target: tuple[int, int]
) -> Float[Tensor, "k 2"]:
    """Map (x / width, y / height) of the processed image to px of the original; sizes are (height, width)."""
    (height, width), (target_height, target_width) = processed, target
    transform = ImageTransform((target_width, target_height), (width, height))
    return transform.to_original(relative * relative.new_tensor((width, height)))


def _check_target_sizes(
    sizes: Any, num_items: int, convert: Callable[[Any], list[Sizes]], form: str
) -> list[Sizes]:
    if not hasattr(sizes, "__len__") or isinstance(sizes, str):
        raise InvalidInput(f"{WRONG_FORM}; got {sizes!r}")
    if len(sizes) != num_items:
        raise InvalidInput(f"{WRONG_COUNT}; got {len(sizes)} for {num_items}")
    try:
        return convert(sizes)
    except (TypeError, ValueError, RuntimeError):
        raise InvalidInput(
            f"{WRONG_FORM}: expected {form}, in px, at least 1; got {_one_line(sizes)}"
        ) from None


def _as_size_pairs(sizes: Any) -> list[SizePair]:
    """Convert sizes; raises TypeError, ValueError or RuntimeError if they are not positive ((h0, w0), (h1, w1))."""
    return [(_as_image_shape(size0), _as_image_shape(size1)) for size0, size1 in _to_list(sizes)]


def _as_sizes(sizes: Any) -> list[tuple[int, int]]:
    """Convert sizes; raises TypeError, ValueError or RuntimeError if they are not positive (height, width)."""
    return [_as_image_shape(size) for size in _to_list(sizes)]


def _to_list(sizes: Any) -> Any:
    return sizes.tolist() if hasattr(sizes, "tolist") else sizes  # one transfer from a GPU


def _as_image_shape(size: Any) -> tuple[int, int]:
    height, width = (int(side) for side in size)
    if min(height, width) < 1:
        raise ValueError
    return height, width


def _one_line(value: object) -> str:
    return " ".join(repr(value).split())[:200]
