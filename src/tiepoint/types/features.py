"""Features of one image, and matches of one pair."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.errors import InvalidInput

MAX_OUTSIDE_PX = 1.0
"""How far outside its image a keypoint may lie (resizing back moves it by less than this)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Keypoints and descriptors of one image, validated once.

    Attributes:
        keypoints: (x, y) in px of the original, upright image.
        scores: detector confidence, higher is better.
        descriptors: one unit vector a keypoint.
        image_size: (width, height) in px.
        scales: keypoint size in px of the image that the detector saw, where the detector has it.
        orientations: in rad, y axis down, where the detector has it.
        kind: descriptor family and digest of its weights; must equal the matcher's. "" = made by the user:
            only dimensions are checked.
        fingerprint: kind and every setting of the extraction; the key of caches.
        source: path or URL of the image, for drawing and reports.
        exif_orientation: 1 to 8 as found in the file, already applied to everything here.

    Raises:
        InvalidInput: shapes that do not fit each other, values that are not finite, an image size that is not
            positive, or keypoints more than 1 px outside the image.
    """

    keypoints: Float[Tensor, "n 2"]
    scores: Float[Tensor, "n"]
    descriptors: Float[Tensor, "n d"]
    image_size: tuple[int, int]
    scales: Float[Tensor, "n"] | None = None
    orientations: Float[Tensor, "n"] | None = None
    kind: str = ""
    fingerprint: str = ""
    source: str | None = None
    exif_orientation: int = 1

    def __post_init__(self) -> None:
        check_size(self.image_size)
        _check_keypoints(self.keypoints, self.image_size)
        for name, dimensions in (("scores", 1), ("descriptors", 2), ("scales", 1), ("orientations", 1)):
            _check_column(name, getattr(self, name), dimensions, like=self.keypoints)

    def __len__(self) -> int:
        return self.keypoints.shape[0]

    @property
    def device(self) -> torch.device:
        """Where the tensors lie."""
        return self.keypoints.device

    def to(self, device: torch.device | str) -> "Features":
        """The same features with every tensor on `device`."""
        if self.device == torch.device(device):
            return self
        moved = {name: value.to(device) for name, value in self._tensors()}
        return replace(self, **moved)

    def _tensors(self) -> list[tuple[str, Tensor]]:
        names = ("keypoints", "scores", "descriptors", "scales", "orientations")
        return [(name, value) for name in names if isinstance(value := getattr(self, name), Tensor)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assignment:
    """What a matcher says of one pair; the tensors lie on the CPU.

    Attributes:
        matches: index pairs (into keypoints of image 0, of image 1), by rising index of image 0.
        scores: confidence of each pair, in (0, 1] for LightGlue, cosine for nearest.
        matching_scores0: per keypoint of image 0: confidence of its mutual match, also when it lies below the
            threshold; 0 where there is none.
        matching_scores1: likewise for image 1.
        prune0: 1 + number of prunings that each keypoint of image 0 survived; layers of the network where
            pruning is off (the official `prune0`).
        prune1: likewise for image 1.
        layers_run: number of layers that ran; 0 when an image has no keypoints or the matcher has no layers.
    """

    matches: Int[Tensor, "k 2"]
    scores: Float[Tensor, "k"]
    matching_scores0: Float[Tensor, "m"]
    matching_scores1: Float[Tensor, "n"]
    prune0: Int[Tensor, "m"]
    prune1: Int[Tensor, "n"]
    layers_run: int = 0


def check_size(image_size: tuple[int, int]) -> None:
    """Raise InvalidInput unless `image_size` is (width, height) in whole px above 0."""
    whole = (
        isinstance(image_size, tuple) and len(image_size) == 2 and all(isinstance(s, int) for s in image_size)
    )
    if not whole or min(image_size) <= 0:
        raise InvalidInput(
            f"image_size must be (width, height), two whole numbers above 0, but is {image_size!r}; "
            "convert with tuple(int(side) for side in image_size)"
        )


def _check_keypoints(keypoints: Tensor, image_size: tuple[int, int]) -> None:
    if not isinstance(keypoints, Tensor) or keypoints.ndim != 2 or keypoints.shape[1] != 2:
        raise InvalidInput(f"keypoints must be a tensor of shape (n, 2), but came as {describe(keypoints)}")
    if not keypoints.dtype.is_floating_point:
        raise InvalidInput(
            f"keypoints must be floating point, but are {keypoints.dtype}; use keypoints.float()"
        )
    if keypoints.shape[0] == 0:
        return
    if not bool(torch.isfinite(keypoints).all()):
        raise InvalidInput("keypoints hold NaN or infinite values; remove those rows before making Features")
    limit = keypoints.new_tensor(image_size) - 1 + MAX_OUTSIDE_PX
    outside = ((keypoints < -MAX_OUTSIDE_PX) | (keypoints > limit)).any(dim=1)
    if bool(outside.any()):
        first = keypoints[outside][0].tolist()
        width, height = image_size
        raise InvalidInput(
            f"{int(outside.sum())} of {len(keypoints)} keypoints lie more than {MAX_OUTSIDE_PX:g} px outside the "
            f"{width} x {height} image (width x height), the first at (x, y) = ({first[0]:.1f}, {first[1]:.1f}); "
            "is image_size (width, height) of the image that the keypoints belong to?"
        )


def _check_column(name: str, value: Tensor | None, dimensions: int, *, like: Tensor) -> None:
    if value is None and name in ("scales", "orientations"):
        return
    count = like.shape[0]
    if not isinstance(value, Tensor) or value.ndim != dimensions or value.shape[0] != count:
        expected = f"({count},)" if dimensions == 1 else f"({count}, d)"
        raise InvalidInput(
            f"{name} must be a tensor of shape {expected}, one row a keypoint, but came as {describe(value)}"
        )
    if not value.dtype.is_floating_point:
        raise InvalidInput(f"{name} must be floating point, but are {value.dtype}; use {name}.float()")
    if value.device != like.device:
        raise InvalidInput(
            f"{name} lie on {value.device}, keypoints on {like.device}; move both to one device"
        )
    if not bool(torch.isfinite(value).all()):
        raise InvalidInput(f"{name} hold NaN or infinite values; remove those rows before making Features")


def describe(value: object) -> str:
    """A short text for error messages: type, and shape and dtype where the value has them."""
    shape = getattr(value, "shape", None)
    if shape is None:
        return type(value).__name__
    return f"{type(value).__name__} of shape {tuple(shape)}, {getattr(value, 'dtype', 'no dtype')}"
