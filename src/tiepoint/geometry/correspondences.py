"""What estimators work on: matches of a pair, checked once."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.types import describe


@runtime_checkable
class HasMatches(Protocol):
    """Matches of a pair: a MatchResult, or anything with its names.

    Where it also has `features0` and `features1`, their `image_size` and `source` say what cameras there were.
    """

    @property
    def points0(self) -> Any:
        """(k, 2): (x, y) in px of image 0."""
        ...

    @property
    def points1(self) -> Any:
        """(k, 2): where the same physical points are in image 1."""
        ...

    @property
    def scores(self) -> Any:
        """(k,): confidence of each match."""
        ...


class ImageInfo(NamedTuple):
    """What is known of one image: (width, height) in px, and the file that it is from."""

    image_size: tuple[int, int] | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correspondences:
    """Matches of a pair, finite and of fitting shapes.

    Attributes:
        points0: (x, y) in px of image 0.
        points1: where the same physical points are in image 1.
        weights: at least 0; 1 where the matches have no scores.
        sides: what is known of image 0 and image 1.
    """

    points0: Float[np.ndarray, "k 2"]
    points1: Float[np.ndarray, "k 2"]
    weights: Float[np.ndarray, "k"]
    sides: tuple[ImageInfo, ImageInfo] = (ImageInfo(), ImageInfo())

    def __len__(self) -> int:
        return len(self.points0)

    @classmethod
    def of(cls, matches: Any, points1: Any = None) -> "Correspondences":
        """Check what was given: matches alone, or the points of both images.

        Raises:
            InvalidInput: no matches and no points, shapes that differ, or values that are not finite.
        """
        if isinstance(matches, HasMatches) and points1 is None:
            sides = (_side(matches, "features0"), _side(matches, "features1"))
            return cls._checked(matches.points0, matches.points1, matches.scores, sides)
        if points1 is None:
            raise InvalidInput(
                f"expected a MatchResult, or two arrays of points, but {describe(matches)} came alone; "
                "pass points0 and points1"
            )
        return cls._checked(matches, points1, None, (ImageInfo(), ImageInfo()))

    @classmethod
    def _checked(
        cls, points0: Any, points1: Any, scores: Any, sides: tuple[ImageInfo, ImageInfo]
    ) -> "Correspondences":
        first, second = _points("points0", points0), _points("points1", points1)
        if len(first) != len(second):
            raise InvalidInput(
                f"points0 and points1 must belong together row by row, but have {len(first)} and {len(second)} rows; "
                "index both with the matches first"
            )
        weights = np.ones(len(first)) if scores is None else _weights(scores, len(first))
        return cls(points0=first, points1=second, weights=weights, sides=sides)


def _side(matches: Any, name: str) -> ImageInfo:
    features = getattr(matches, name, None)
    return ImageInfo(getattr(features, "image_size", None), getattr(features, "source", None))


def _points(name: str, value: Any) -> Float[np.ndarray, "k 2"]:
    points = _array(value)
    if points is None or points.ndim != 2 or points.shape[1] != 2:
        raise InvalidInput(f"{name} must be an array of shape (k, 2), but came as {describe(value)}")
    if not np.isfinite(points).all():
        bad = int((~np.isfinite(points)).any(axis=1).sum())
        raise InvalidInput(
            f"{name} hold NaN or infinite values in {bad} of {len(points)} rows; remove those matches"
        )
    return points


def _weights(scores: Any, count: int) -> Float[np.ndarray, "k"]:
    weights = _array(scores)
    if weights is None or weights.shape != (count,) or not np.isfinite(weights).all():
        raise InvalidInput(
            f"scores must be finite and of shape ({count},), one a match, but came as {describe(scores)}"
        )
    return np.maximum(weights, 0.0)


def _array(value: Any) -> np.ndarray | None:
    """A float64 array that nobody else can change; None for what is not numbers."""
    if hasattr(value, "detach"):  # a tensor, maybe on a GPU
        value = value.detach().double().cpu().numpy()
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
