"""The dictionaries that extractors and LightGlue exchange."""

from collections.abc import Iterable, Mapping
from typing import NotRequired, TypedDict

from jaxtyping import Bool, Float, Int
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import did_you_mean


class FeatureDict(TypedDict):
    """Features of a batch of images.

    Attributes:
        keypoints: Keypoints (x, y) in px of the original images; the center of the top-left pixel is (0, 0).
        keypoint_scores: Detection scores.
        descriptors: Unit-length descriptors.
        image_size: Sizes (width, height) of the original images in px; set by `extract`.
        mask: True for keypoints and False for padding; only in a batch whose images have different numbers of
            keypoints, which cvg/LightGlue refuses.
    """

    keypoints: Float[Tensor, "b n 2"]
    keypoint_scores: Float[Tensor, "b n"]
    descriptors: Float[Tensor, "b n d"]
    image_size: NotRequired[Float[Tensor, "b 2"]]
    mask: NotRequired[Bool[Tensor, "b n"]]


class MatchDict(TypedDict):
    """Matches of a batch of pairs with m and n keypoints.

    Attributes:
        matches0: Index of the match of each keypoint of image 0; -1 without a match.
        matches1: Index of the match of each keypoint of image 1.
        matching_scores0: Score of the mutual match of each keypoint of image 0, also below the threshold; 0 without.
        matching_scores1: Score of the mutual match of each keypoint of image 1.
        stop: Number of layers that ran; in a batch the maximum of its pairs.
        matches: Index pairs (keypoint of image 0, keypoint of image 1) of each pair, shape (k, 2).
        scores: Score of each match of each pair, shape (k,).
        prune0: Number of layers after which each keypoint of image 0 was pruned; 0 for padding. float32 if pruning is
            disabled, as in cvg/LightGlue.
        prune1: Number of layers after which each keypoint of image 1 was pruned.
    """

    matches0: Int[Tensor, "b m"]
    matches1: Int[Tensor, "b n"]
    matching_scores0: Float[Tensor, "b m"]
    matching_scores1: Float[Tensor, "b n"]
    stop: int
    matches: list[Tensor]
    scores: list[Tensor]
    prune0: Tensor
    prune1: Tensor


def require_keys(owner: str, data: Mapping[str, object], required: Iterable[str]) -> None:
    """Check that a dictionary has all required keys.

    Args:
        owner: Name of the class for the message.
        data: Dictionary.
        required: Keys.

    Raises:
        InvalidInput: If a key is missing.
    """
    for name in required:
        if name not in data:
            raise InvalidInput(
                f"{owner}: missing key {name!r}, got {', '.join(map(repr, data)) or 'none'}"
                f"{did_you_mean(name, map(str, data))}"
            )
