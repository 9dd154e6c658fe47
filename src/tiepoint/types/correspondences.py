"""Correspondences: matched points of an image pair, the input of geometry, evaluation and pair verification."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import describe
from tiepoint.types.features import Assignment, Features
from tiepoint.types.image_values import to_image_size


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Image of a pair, without its pixels and features.

    Attributes:
        image_size: Image size (width, height) in px; None if unknown.
        source: Path or URL of the image; None if unknown.
        num_keypoints: Number of detected keypoints.
        kind: Kind of the features, as `Features.kind`; "" if unknown.
        rotation: Rotation in degrees (CCW) of the image before features were extracted, from 0 to 359.
    """

    image_size: tuple[int, int] | None = None
    source: str | None = None
    num_keypoints: int = 0
    rotation: int = 0
    kind: str = ""

    def __post_init__(self) -> None:
        if self.image_size is not None:
            object.__setattr__(self, "image_size", to_image_size(self.image_size))

    @classmethod
    def from_features(cls, features: Features, rotation: int = 0) -> "ImageInfo":
        """Describe the image from which features were extracted."""
        return cls(
            image_size=features.image_size,
            source=features.source,
            num_keypoints=len(features),
            rotation=rotation,
            kind=features.kind,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Correspondences:
    """Matched points of an image pair, validated once.

    Attributes:
        points0: Points (x, y) of image 0 in px, float64.
        points1: Corresponding points (x, y) of image 1 in px, float64.
        scores: Confidence of each match, float64; 1 if the matches have no scores.
        image0: Size, source and rotation of image 0.
        image1: Size, source and rotation of image 1.
        layers_run: Number of matcher layers that were run; 0 for matchers without layers.

    Raises:
        InvalidInput: If shapes do not agree, or a value is not finite.
    """

    points0: Float[np.ndarray, "k 2"]
    points1: Float[np.ndarray, "k 2"]
    scores: Float[np.ndarray, "k"]
    image0: ImageInfo = ImageInfo()
    image1: ImageInfo = ImageInfo()
    layers_run: int = 0

    def __post_init__(self) -> None:
        _check_points("points0", self.points0)
        _check_points("points1", self.points1)
        if len(self.points0) != len(self.points1):
            raise InvalidInput(
                "points0 and points1 must have the same number of rows, "
                f"got {len(self.points0)} and {len(self.points1)}; index both with the matches first"
            )
        _check_scores(self.scores, len(self))

    def __len__(self) -> int:
        return len(self.points0)

    def __repr__(self) -> str:
        return f"Correspondences({len(self)} matches)"

    @classmethod
    def from_points(
        cls,
        points0: Any,
        points1: Any,
        scores: Any = None,
        *,
        image0: ImageInfo | None = None,
        image1: ImageInfo | None = None,
        layers_run: int = 0,
    ) -> "Correspondences":
        """Copy array-likes (NumPy arrays, tensors, lists) to float64.

        Args:
            points0: Points (x, y) of image 0 in px, shape (k, 2).
            points1: Corresponding points of image 1, shape (k, 2).
            scores: Confidence of each match, shape (k,); None sets them to 1.
            image0: Size, source and rotation of image 0; None if unknown.
            image1: Size, source and rotation of image 1; None if unknown.
            layers_run: Number of matcher layers that were run.

        Raises:
            InvalidInput: If a value is not numeric or not finite, or shapes do not agree.
        """
        first, second = _to_float64("points0", points0), _to_float64("points1", points1)
        return cls(
            points0=first,
            points1=second,
            scores=np.ones(len(first)) if scores is None else _to_float64("scores", scores),
            image0=image0 or ImageInfo(),
            image1=image1 or ImageInfo(),
            layers_run=layers_run,
        )

    @classmethod
    def from_assignment(
        cls,
        features0: Features,
        features1: Features,
        assignment: Assignment,
        *,
        rotation0: int = 0,
        rotation1: int = 0,
    ) -> "Correspondences":
        """Collect the matched keypoints of an image pair.

        Args:
            features0: Features of image 0.
            features1: Features of image 1.
            assignment: Matches between them.
            rotation0: Rotation in degrees (CCW) of image 0 before features were extracted.
            rotation1: Rotation in degrees (CCW) of image 1 before features were extracted.
        """
        indices0, indices1 = assignment.matches.unbind(dim=1)
        return cls.from_points(
            features0.keypoints[indices0.to(features0.device)],
            features1.keypoints[indices1.to(features1.device)],
            assignment.scores,
            image0=ImageInfo.from_features(features0, rotation0),
            image1=ImageInfo.from_features(features1, rotation1),
            layers_run=assignment.layers_run,
        )


@runtime_checkable
class HasCorrespondences(Protocol):
    """Object with the correspondences of a pair, such as MatchResult."""

    @property
    def correspondences(self) -> Correspondences:
        """Matched points of the pair."""
        ...


def as_correspondences(matches: Any, points1: Any = None) -> Correspondences:
    """Return the correspondences of what an estimator was given.

    Args:
        matches: MatchResult, Correspondences, or points (x, y) of image 0 in px, shape (k, 2).
        points1: Corresponding points of image 1 if `matches` are points, else None.

    Raises:
        InvalidInput: If only one array of points is given, a value is not finite, or shapes do not agree.
    """
    if points1 is not None:
        return Correspondences.from_points(matches, points1)
    if isinstance(matches, Correspondences):
        return matches
    if isinstance(matches, HasCorrespondences):
        return matches.correspondences
    raise InvalidInput(
        f"expected a MatchResult, Correspondences, or two arrays of points, got {describe(matches)}; "
        "pass points0 and points1"
    )


def _check_points(name: str, points: np.ndarray) -> None:
    if getattr(points, "ndim", None) != 2 or points.shape[1] != 2:
        raise InvalidInput(f"{name}: expected an array of shape (k, 2), got {describe(points)}")
    invalid = int((~np.isfinite(points)).any(axis=1).sum())
    if invalid:
        raise InvalidInput(
            f"{name} contains NaN or infinite values in {invalid} of {len(points)} rows; remove those matches"
        )


def _check_scores(scores: np.ndarray, count: int) -> None:
    if getattr(scores, "shape", None) != (count,) or not np.isfinite(scores).all():
        raise InvalidInput(f"scores: expected {count} finite values, got {describe(scores)}")


def _to_float64(name: str, value: Any) -> np.ndarray:
    """Copy numbers to a new float64 array."""
    numbers = value.detach().double().cpu().numpy() if hasattr(value, "detach") else value
    try:
        return np.array(numbers, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput(f"{name}: expected an array of numbers, got {describe(value)}") from None
