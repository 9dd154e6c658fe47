"""Features of one image, and the assignment (matches) of a pair."""

# The library validates values of users without a type checker, and arrays of any dtype.
# pyright: reportUnnecessaryIsInstance=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import describe, warn_once
from tiepoint.io.notebook import to_html
from tiepoint.types.image_values import to_image_size

if TYPE_CHECKING:
    from tiepoint.types.feature_arrays import ArrayLike, DescriptorNorm

    Keypoints: TypeAlias = Float[Tensor, "n 2"]
    PerKeypoint: TypeAlias = Float[Tensor, "n"]
    Descriptors: TypeAlias = Float[Tensor, "n d"]
    Covariances: TypeAlias = Float[Tensor, "n 2 2"]
    ImageSize: TypeAlias = tuple[int, int]
else:  # arguments of Features, which converts arrays
    Keypoints = Float[Tensor, "n 2"] | Float[np.ndarray, "n 2"]
    PerKeypoint = Float[Tensor, "n"] | Float[np.ndarray, "n"]
    Descriptors = Float[Tensor, "n d"] | Float[np.ndarray, "n d"]
    Covariances = Float[Tensor, "n 2 2"] | Float[np.ndarray, "n 2 2"]
    ImageSize = Any

StoppedBy: TypeAlias = Literal[
    "last_layer", "confidence", "max_layers", "latency_budget", "no_keypoints", "no_layers"
]
"""Reason why a matcher ran no further layer: the network has no more; early stopping; the option `max_layers`; the
option `latency_budget_ms`; an image has no keypoints (left); the matcher has no layers."""

TENSORS = (
    "keypoints",
    "scores",
    "descriptors",
    "scales",
    "orientations",
    "covariances",
)  # fields of Features

# Field with one row per keypoint -> shape of a row
ROWS: dict[str, tuple[int | str, ...]] = {
    "scores": (),
    "descriptors": ("d",),
    "scales": (),
    "orientations": (),
    "covariances": (2, 2),
}

OPTIONAL = ("scales", "orientations", "covariances")  # fields that may be None

# Maximum number of keypoints in the picture of a notebook; those with the highest scores come first
MAX_DOTS = 4000

MAX_OUTSIDE_PX = 1.0
"""Maximum distance in px of a keypoint outside its image; resizing back moves keypoints by less."""

MAX_OUTSIDE_FRACTION = 0.05
"""Maximum fraction of keypoints outside their image, about which there is one warning: some detectors find them beyond the
border. More of them come from a wrong image size."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Features:
    """Keypoints and descriptors of one image, validated once.

    NumPy arrays are converted to tensors, float64 to float32 and a NumPy image size to integers.

    Attributes:
        keypoints: Keypoints (x, y) in px of the original, upright image.
        scores: Detection confidence; higher is better.
        descriptors: Unit-length descriptors, one per keypoint.
        image_size: Image size (width, height) in px.
        scales: Keypoint sizes in px of the resized image, if the detector provides them.
        orientations: Keypoint orientations in rad (y axis down), if the detector provides them.
        covariances: Covariances of the positions in px^2 of the original image, if they are known; RaCo's come from
            `Matcher.estimate_covariances`.
        kind: Descriptor type and digest of its weights; must equal the matcher's. "" marks features of unknown origin,
            of which only the dimensions are checked.
        fingerprint: Digest of the kind and all extraction settings; the key of caches.
        source: Path or URL of the image, for drawings and reports.
        exif_orientation: EXIF orientation (1 to 8) of the file, already applied to all coordinates.

    Raises:
        InvalidInput: If shapes or devices do not agree, a value is not finite, the image size is not positive, or more
            than 5 % of the keypoints are more than 1 px outside the image; fewer of them are a warning, once.
    """

    keypoints: Keypoints
    scores: PerKeypoint
    descriptors: Descriptors
    image_size: ImageSize
    scales: PerKeypoint | None = None
    orientations: PerKeypoint | None = None
    covariances: Covariances | None = None
    kind: str = ""
    fingerprint: str = ""
    source: str | None = None
    exif_orientation: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", to_image_size(self.image_size))
        for name in TENSORS:
            object.__setattr__(self, name, _to_tensor(getattr(self, name)))
        _check_keypoints(self.keypoints, self.image_size)
        for name, row in ROWS.items():
            _check_per_keypoint(name, getattr(self, name), row, keypoints=self.keypoints)

    def __len__(self) -> int:
        return self.keypoints.shape[0]

    def __repr__(self) -> str:
        width, height = self.image_size
        details = [f"{len(self)} keypoints", f"descriptor dimension {self.descriptors.shape[1]}"]
        details += [f"{width} x {height} px", self.kind, self.source or ""]
        return f"Features({', '.join(filter(None, details))})"

    def _repr_html_(self) -> str:
        """Show the numbers and the positions of the keypoints in a notebook."""
        width, height = self.image_size
        rows: list[tuple[str, object]] = [
            ("image size", f"{width} x {height} px"),
            ("descriptor dimension", self.descriptors.shape[1]),
            ("kind", self.kind or "unknown"),
            ("source", self.source or "from memory"),
        ]
        return to_html(f"{len(self):,} keypoints", rows, _draw_positions(self.keypoints, self.image_size))

    @property
    def device(self) -> torch.device:
        """Device of the tensors."""
        return self.keypoints.device

    @classmethod
    def from_arrays(
        cls,
        keypoints: "ArrayLike",
        descriptors: "ArrayLike",
        image_size: "tuple[int, int] | ArrayLike",
        *,
        scores: "ArrayLike | None" = None,
        scales: "ArrayLike | None" = None,
        orientations: "ArrayLike | None" = None,
        covariances: "ArrayLike | None" = None,
        kind: str = "",
        normalize: "DescriptorNorm | None" = None,
        source: str | None = None,
    ) -> "Features":
        """Make features from arrays or tensors of any numeric type.

        Args:
            keypoints: Keypoints (x, y) in px, shape (n, 2); the center of the top-left pixel is (0, 0).
            descriptors: Descriptors, shape (n, d).
            image_size: Image size (width, height) in px.
            scores: Detection confidences, shape (n,); None for 1.
            scales: Keypoint sizes in px, shape (n,), for weights that need them (SIFT, DoG-HardNet).
            orientations: Keypoint orientations in rad (y axis down), shape (n,), for the same weights.
            covariances: Covariances of the positions in px^2, shape (n, 2, 2).
            kind: Name of the descriptor; features of different kinds are never matched. "" for unknown.
            normalize: "l2" to scale descriptors to unit length, "rootsift" for the square root of SIFT's histograms; None
                keeps them.
            source: Path or URL of the image, for drawings and reports.

        Raises:
            InvalidInput: If shapes do not agree, a value is not finite, or keypoints are outside of the image.

        Example:
            >>> own = tiepoint.Features.from_arrays([[3.0, 4.0]], [[0.6, 0.8]], (640, 480), kind="mine")
        """
        from tiepoint.types.feature_arrays import feature_values

        optional = {
            "scores": scores,
            "scales": scales,
            "orientations": orientations,
            "covariances": covariances,
        }
        values = feature_values(keypoints, descriptors, optional, normalize)
        return cls(**values, image_size=image_size, kind=kind, source=source)

    @classmethod
    def from_opencv(
        cls,
        keypoints: "Sequence[Any]",
        descriptors: "ArrayLike",
        image_size: "tuple[int, int] | ArrayLike",
        *,
        kind: str = "",
        normalize: "DescriptorNorm | None" = "l2",
        source: str | None = None,
    ) -> "Features":
        """Make features from the output of OpenCV's `detectAndCompute`.

        Scales are `KeyPoint.size`, as in cvg/LightGlue; orientations `KeyPoint.angle` in rad, None if all are -1; scores `KeyPoint.response`.

        Args:
            keypoints: Keypoints of type cv2.KeyPoint.
            descriptors: Descriptors, shape (n, d); None if there are no keypoints. Binary descriptors (uint8) have no
                cosine and are refused.
            image_size: Image size (width, height) in px.
            kind: Name of the descriptor.
            normalize: "l2" for unit length, "rootsift" for SIFT, None to keep them.
            source: Path or URL of the image.

        Raises:
            InvalidInput: For the same reasons as in `from_arrays`.
        """
        from tiepoint.types.feature_arrays import opencv_values

        values = opencv_values(keypoints, descriptors)
        return cls.from_arrays(**values, image_size=image_size, kind=kind, normalize=normalize, source=source)

    def to_opencv(self) -> list[Any]:
        """Return the keypoints as cv2.KeyPoint; the size is 1 and the angle -1 where they are unknown.

        Raises:
            MissingDependency: If OpenCV is not installed.
        """
        from tiepoint.types.feature_arrays import to_opencv_keypoints

        return to_opencv_keypoints(self)

    def to_lafs(self, *, default_scale: float = 1.0) -> Float[Tensor, "1 n 2 3"]:
        """Return kornia's local affine frames (LAFs): columns are the axes of the frame and its center, in px.

        Args:
            default_scale: Scale in px of keypoints without scales; without orientations, frames are upright.
        """
        from tiepoint.types.feature_arrays import to_lafs

        return to_lafs(self, default_scale)

    def to_hloc(self) -> dict[str, np.ndarray]:
        """Return the arrays of hloc's feature files: keypoints (n, 2), descriptors (d, n), scores (n,), image_size (2,)."""
        from tiepoint.types.feature_arrays import to_hloc

        return to_hloc(self)

    def to_colmap(self) -> Float[np.ndarray, "n c"]:
        """Return the keypoints as COLMAP's databases and pycolmap take them.

        Returns:
            x, y, and scale and orientation if they are known, in float32; the top-left corner of the image is (0, 0), so
            coordinates are larger by 0.5 px.
        """
        from tiepoint.types.feature_arrays import to_colmap

        return to_colmap(self)

    def to(self, device: torch.device | str) -> "Features":
        """Return the features with all tensors on a device.

        Args:
            device: Target device.
        """
        if self.device == torch.device(device):
            return self
        moved = {name: value.to(device) for name, value in self._tensors()}
        return replace(self, **moved)

    def _tensors(self) -> list[tuple[str, Tensor]]:
        return [(name, value) for name in TENSORS if isinstance(value := getattr(self, name), Tensor)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Assignment:
    """Output of a matcher for one pair of m and n keypoints, on the CPU.

    Attributes:
        matches: Index pairs (keypoint of image 0, keypoint of image 1), in ascending order of the first.
        scores: Confidence of each match: in (0, 1] for LightGlue, cosine similarity for mutual nearest neighbors.
        matching_scores0: Confidence of the mutual match of each keypoint of image 0, also below the threshold; 0
            without a mutual match.
        matching_scores1: Confidence of the mutual match of each keypoint of image 1.
        prune0: Number of layers after which each keypoint of image 0 was pruned, as `prune0` of the reference
            implementation; the number of layers without pruning.
        prune1: Number of layers after which each keypoint of image 1 was pruned.
        layers_run: Number of layers that were run; 0 if an image has no keypoints, or the matcher has no layers.
        stopped_by: Reason why no further layer was run.
    """

    matches: Int[Tensor, "k 2"]
    scores: Float[Tensor, "k"]
    matching_scores0: Float[Tensor, "m"]
    matching_scores1: Float[Tensor, "n"]
    prune0: Int[Tensor, "m"]
    prune1: Int[Tensor, "n"]
    layers_run: int = 0
    stopped_by: StoppedBy = "no_layers"

    def __repr__(self) -> str:
        m, n = len(self.matching_scores0), len(self.matching_scores1)
        return f"Assignment({len(self.matches)} matches of {m} and {n} keypoints, {self.layers_run} layers)"


def _draw_positions(keypoints: Tensor, image_size: tuple[int, int]) -> str:
    """Return an SVG element with a dot per keypoint, at most `MAX_DOTS`."""
    width, height = image_size
    radius = max(width, height) / 250
    points = keypoints.detach().float().cpu()[:MAX_DOTS].tolist()
    dots = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.3g}"/>' for x, y in points)
    return (
        f'<svg viewBox="0 0 {width} {height}" style="max-width:100%;max-height:320px;background:#14171b" '
        f'fill="#ffb040" role="img" aria-label="positions of the keypoints">{dots}</svg>'
    )


def _to_tensor(value: Any) -> Any:
    """Convert a NumPy array to a tensor; float64, NumPy's default, to float32. Other values are returned unchanged."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "fiu":
        return value
    dtype = np.dtype(np.float32) if value.dtype.name == "float64" else value.dtype.newbyteorder("=")
    array = value.astype(dtype, copy=False)
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))  # torch requires both


def _check_keypoints(keypoints: Tensor, image_size: tuple[int, int]) -> None:
    if not isinstance(keypoints, Tensor) or keypoints.ndim != 2 or keypoints.shape[1] != 2:
        raise InvalidInput(f"keypoints: expected a tensor of shape (n, 2), got {describe(keypoints)}")
    _check_floating("keypoints", keypoints)
    if keypoints.shape[0] == 0:
        return
    _check_finite("keypoints", keypoints)
    limit = keypoints.new_tensor(image_size) - 1 + MAX_OUTSIDE_PX
    outside = ((keypoints < -MAX_OUTSIDE_PX) | (keypoints > limit)).any(dim=1)
    count = int(outside.sum())
    if count:
        x, y = (float(value) for value in keypoints[outside][0])
        width, height = image_size
        message = (
            f"{count} of {len(keypoints)} keypoints are more than {MAX_OUTSIDE_PX:g} px outside the "
            f"{width} x {height} image (width x height), the first at (x, y) = ({x:.1f}, {y:.1f}); "
            "check that image_size is (width, height) of the image that the keypoints belong to"
        )
        if count > MAX_OUTSIDE_FRACTION * len(keypoints):
            raise InvalidInput(message)
        warn_once("keypoints outside", message)


def _check_per_keypoint(
    name: str, value: Tensor | None, row: tuple[int | str, ...], *, keypoints: Tensor
) -> None:
    """Check a tensor with one row per keypoint; letters in the shape of a row match any number."""
    if value is None and name in OPTIONAL:
        return
    shape = (keypoints.shape[0], *row)
    if not isinstance(value, Tensor) or not _has_shape(value, shape):
        expected = f"({', '.join(map(str, shape))}{'' if row else ','})"
        raise InvalidInput(
            f"{name}: expected a tensor of shape {expected}, one row per keypoint, got {describe(value)}"
        )
    _check_floating(name, value)
    if value.device != keypoints.device:
        raise InvalidInput(
            f"{name}: expected device {keypoints.device} as for keypoints, got {value.device}; "
            "move both to the same device"
        )
    _check_finite(name, value)


def _has_shape(value: Tensor, shape: tuple[int | str, ...]) -> bool:
    sides = zip(value.shape, shape, strict=False)
    return value.ndim == len(shape) and all(isinstance(want, str) or side == want for side, want in sides)


def _check_floating(name: str, value: Tensor) -> None:
    if not value.dtype.is_floating_point:
        raise InvalidInput(f"{name}: expected floating point, got {value.dtype}; convert with {name}.float()")


def _check_finite(name: str, value: Tensor) -> None:
    if not bool(torch.isfinite(value).all()):
        raise InvalidInput(f"{name}: found NaN or infinite values; remove those rows first")
