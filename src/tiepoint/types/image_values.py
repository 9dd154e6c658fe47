"""Values that describe images: their size, and how their values are stretched. Needs neither torch nor jaxtyping."""

# The library validates values of users without a type checker.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import Any, Literal, TypeAlias

from tiepoint.errors import InvalidInput
from tiepoint.io.validation import is_integer

Stretch: TypeAlias = float | Literal["auto"] | None
"""Percentage of pixel values that are clipped at each end when the rest is mapped to [0, 1]; "auto": stretch only images
with more than 8 bits that use less than 5 % of their range or exceed it, with 0.5 %; None: never."""


def to_image_size(image_size: Any) -> tuple[int, int]:
    """Return an image size (width, height) as Python integers.

    Args:
        image_size: Tuple, list, or one-dimensional array or tensor of two positive integers.

    Raises:
        InvalidInput: If it is not two positive integers.
    """
    sides = image_size.tolist() if hasattr(image_size, "tolist") else image_size
    if (
        not isinstance(sides, tuple | list)
        or len(sides) != 2
        or not all(is_integer(side, 1) for side in sides)
    ):
        raise InvalidInput(
            f"image_size: expected (width, height) as two positive integers, got {image_size!r}"
        )
    return int(sides[0]), int(sides[1])
