"""Cost model: seconds of extraction and matching on one machine, as functions of pixels, keypoints and layers.

All coefficients are fitted to measured times (`calibration.py`) and are not negative, so that more work never costs less.
"""

# NumPy's linear algebra has incomplete types
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.image import ImageTransform


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractionCost:
    """Seconds to extract the features of one decoded image.

    Attributes:
        constant: Seconds per image.
        per_resized_pixel: Seconds per px of an original image that is resized.
        per_pixel: Seconds per px of the network's input.
        per_keypoint: Seconds per keypoint.

    Raises:
        InvalidInput: If a coefficient is negative or not finite.
    """

    constant: float
    per_resized_pixel: float
    per_pixel: float
    per_keypoint: float

    def __post_init__(self) -> None:
        _check_coefficients(self)

    def seconds(self, transform: ImageTransform, keypoints: int) -> float:
        """Return the seconds for an image, given its resize and the number of keypoints."""
        coefficients = (self.constant, self.per_resized_pixel, self.per_pixel, self.per_keypoint)
        return sum(c * term for c, term in zip(coefficients, self.terms(transform, keypoints), strict=True))

    @staticmethod
    def terms(transform: ImageTransform, keypoints: int) -> tuple[float, float, float, float]:
        """Return the values that the coefficients multiply."""
        original, resized = transform.original_size, transform.resized_size
        return (
            1.0,
            float(math.prod(original)) if original != resized else 0.0,
            float(math.prod(resized)),
            keypoints,
        )

    @classmethod
    def fit(
        cls, transforms: Sequence[ImageTransform], keypoints: Sequence[int], seconds: Sequence[float]
    ) -> "ExtractionCost":
        """Fit the coefficients to measured times.

        Args:
            transforms: Resize of each measured image.
            keypoints: Number of keypoints of each measured image.
            seconds: Measured seconds.
        """
        rows = [cls.terms(transform, count) for transform, count in zip(transforms, keypoints, strict=True)]
        constant, per_resized_pixel, per_pixel, per_keypoint = fit_nonnegative(rows, seconds)
        return cls(
            constant=constant,
            per_resized_pixel=per_resized_pixel,
            per_pixel=per_pixel,
            per_keypoint=per_keypoint,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCost:
    """Seconds as a quadratic polynomial of the number of tokens, which are the keypoints of both images.

    Attributes:
        constant: Seconds whatever the number of tokens.
        per_token: Seconds per token (linear layers).
        per_token_pair: Seconds per squared token (attention and similarities).

    Raises:
        InvalidInput: If a coefficient is negative or not finite.
    """

    constant: float
    per_token: float
    per_token_pair: float

    def __post_init__(self) -> None:
        _check_coefficients(self)

    def seconds(self, tokens: int) -> float:
        """Return the seconds for a number of tokens."""
        return self.constant + self.per_token * tokens + self.per_token_pair * tokens**2

    @classmethod
    def fit(cls, tokens: Sequence[int], seconds: Sequence[float]) -> "TokenCost":
        """Fit the coefficients to measured times.

        Args:
            tokens: Number of tokens of each measurement.
            seconds: Measured seconds.
        """
        rows = [(1.0, float(count), float(count) ** 2) for count in tokens]
        constant, per_token, per_token_pair = fit_nonnegative(rows, seconds)
        return cls(constant=constant, per_token=per_token, per_token_pair=per_token_pair)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostModel:
    """Seconds of a preset on one machine.

    Attributes:
        extraction: Cost of the features of one image.
        layer: Cost of one layer of the matching network, early stopping and pruning included.
        assignment: Cost of the rest of matching: input projection, assignment, copies.
        layers: Number of layers that the matcher may run; 0 for nearest neighbors.
    """

    extraction: ExtractionCost
    layer: TokenCost
    assignment: TokenCost
    layers: int

    def matching_seconds(self, tokens: int, layers: int) -> float:
        """Return the seconds to match this many tokens with this many layers, without early stopping and pruning."""
        return self.assignment.seconds(tokens) + layers * self.layer.seconds(tokens)

    def max_layers(self, tokens: int, seconds: float) -> int:
        """Return how many layers fit into a time; 0 if not even the first does."""
        left = seconds - self.assignment.seconds(tokens)
        layer = self.layer.seconds(tokens)
        if left < 0:
            return 0
        return self.layers if left >= self.layers * layer else int(left / layer)


def fit_nonnegative(rows: Sequence[Sequence[float]], seconds: Sequence[float]) -> list[float]:
    """Fit seconds as sums of non-negative multiples of the columns, with the least relative error.

    Columns with a negative coefficient are dropped one by one, the most negative contribution first.

    Args:
        rows: One row of values per measurement.
        seconds: Measured seconds, positive.
    """
    design = np.asarray(rows, np.float64) / np.asarray(seconds, np.float64)[:, None]
    scale = np.abs(design).max(0)
    active = [int(column) for column in np.flatnonzero(scale)]
    coefficients = np.zeros(design.shape[1])
    while active:
        scaled = design[:, active] / scale[active]
        solution: np.ndarray = np.linalg.lstsq(scaled, np.ones(len(design)), rcond=None)[0]
        if (solution >= 0).all():
            coefficients[active] = solution / scale[active]
            break
        del active[int(solution.argmin())]
    return coefficients.tolist()


def _check_coefficients(cost: ExtractionCost | TokenCost) -> None:
    for field in fields(cost):
        value: float = getattr(cost, field.name)
        if not (math.isfinite(value) and value >= 0):
            raise InvalidInput(f"{field.name}: expected seconds of at least 0, got {value!r}")
