"""Features of one image as NumPy arrays."""

from dataclasses import dataclass

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import describe
from tiepoint.types.image_values import to_image_size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Features:
    """Keypoints and descriptors of one image, validated once; floating-point arrays are converted to float32.

    Attributes:
        keypoints: Keypoints (x, y) in px of the original, upright image, shape (n, 2).
        scores: Detection confidence, shape (n,); higher is better.
        descriptors: Unit-length descriptors, shape (n, d).
        image_size: Image size (width, height) in px.
        scales: Keypoint sizes in px of the resized image, shape (n,), if the matcher needs them.
        orientations: Keypoint orientations in rad (y axis down), shape (n,), if the matcher needs them.
        kind: Descriptor type and digest of its weights; must equal the matcher's. "" marks features of unknown origin,
            of which only the dimensions are checked.
        fingerprint: Digest of the kind and all extraction settings; the key of caches.
        source: Path or URL of the image.
        exif_orientation: EXIF orientation (1 to 8) of the file, already applied to all coordinates.

    Raises:
        InvalidInput: If shapes do not agree, a value is not a finite number, or the image size is not positive.
    """

    keypoints: np.ndarray
    scores: np.ndarray
    descriptors: np.ndarray
    image_size: tuple[int, int]
    scales: np.ndarray | None = None
    orientations: np.ndarray | None = None
    kind: str = ""
    fingerprint: str = ""
    source: str | None = None
    exif_orientation: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_size", to_image_size(self.image_size))
        count = len(self.keypoints) if getattr(self.keypoints, "ndim", 0) == 2 else -1
        shapes = {"keypoints": (count, 2), "scores": (count,), "descriptors": (count, None)}
        shapes |= {name: (count,) for name in ("scales", "orientations") if getattr(self, name) is not None}
        for name, shape in shapes.items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), shape))

    def __len__(self) -> int:
        return len(self.keypoints)

    def __repr__(self) -> str:
        width, height = self.image_size
        details = [f"{len(self)} keypoints", f"descriptor dimension {self.descriptors.shape[1]}"]
        details += [f"{width} x {height} px", self.kind, self.source or ""]
        return f"Features({', '.join(filter(None, details))})"


def _checked(name: str, value: object, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return an array in float32 and in C order; None in `shape` is any size."""
    expected = f"({', '.join('n' if size == -1 else 'd' if size is None else str(size) for size in shape)})"
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.ndim != len(shape):
        raise InvalidInput(f"{name}: expected floating point of shape {expected}, got {describe(value)}")
    if any(size not in (None, given) for size, given in zip(shape, value.shape, strict=True)):
        raise InvalidInput(f"{name}: expected shape {expected}, one row per keypoint, got {describe(value)}")
    if not np.isfinite(value).all():
        raise InvalidInput(f"{name}: found NaN or infinite values; remove those rows first")
    return np.ascontiguousarray(value, np.float32)
