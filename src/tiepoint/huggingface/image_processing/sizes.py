"""The `size` setting of image processors: its forms, and the size of an image after resizing."""

from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.image import MAX_RESIZE, ImageTransform
from tiepoint.io.validation import is_integer

SIZE_FORMS = (
    {"height", "width"},
    {"longest_edge"},
    {"shortest_edge"},
    {"shortest_edge", "longest_edge"},
    {"max_height", "max_width"},
)
"""Accepted keys of `size`; all but the first form keep the aspect ratio."""

SIDES = frozenset().union(*SIZE_FORMS)


class SizeDict(dict[str, int]):
    """Size setting in px; its sides are also attributes, None if absent: `size.height`, `size.longest_edge`."""

    def __getattr__(self, name: str) -> int | None:
        if name not in SIDES:
            raise AttributeError(f"size has no side {name!r}; available: {', '.join(sorted(SIDES))}")
        return self.get(name)


def as_size(value: Any, default_to_square: bool = False) -> SizeDict:
    """Convert a size to its dict form, one of `SIZE_FORMS`.

    Args:
        value: Dict; pair (height, width); or integer, the length of the shortest edge.
        default_to_square: Whether an integer is the height and the width instead.

    Raises:
        InvalidInput: If the form is not accepted or a side is not an integer from 1 to 32,768.
    """
    if isinstance(value, int):
        size = {"height": value, "width": value} if default_to_square else {"shortest_edge": value}
    elif isinstance(value, list | tuple) and len(value) == 2:
        size = {"height": value[0], "width": value[1]}
    else:
        size = _as_dict(value)
    if set(size) not in SIZE_FORMS or not all(_is_side(side) for side in size.values()):
        forms = ", ".join("{" + ", ".join(sorted(form)) + "}" for form in SIZE_FORMS)
        raise InvalidInput(f"size must be one of {forms}, in px from 1 to {MAX_RESIZE:,}, got {value!r}")
    return SizeDict(size)


def resized_size(size: dict[str, int], image_size: tuple[int, int]) -> tuple[int, int]:
    """Return the size of an image after resizing; sides are truncated as in transformers, but in integer arithmetic.

    Args:
        size: Size setting, one of `SIZE_FORMS`.
        image_size: Image size (width, height) in px.

    Returns:
        Size (width, height) in px; each side is at least 1 px.

    Raises:
        InvalidInput: If a side would be longer than 32,768 px.
    """
    if "height" in size:
        return size["width"], size["height"]
    if "max_height" in size:
        resized = _fit_into(size["max_width"], size["max_height"], image_size)
    elif "shortest_edge" in size:
        resized = _fit_edges(size["shortest_edge"], size.get("longest_edge", MAX_RESIZE + 1), image_size)
    else:
        return ImageTransform.fit(image_size, size["longest_edge"]).resized_size
    if max(resized) > MAX_RESIZE:
        raise InvalidInput(
            f"size {size} would resize an image of {image_size} px (width, height) to {resized} px, above the maximum of "
            f"{MAX_RESIZE:,}; add 'longest_edge', or crop the image"
        )
    return max(resized[0], 1), max(resized[1], 1)


def _as_dict(value: Any) -> dict[str, Any]:
    try:
        return {name: side for name, side in dict(value).items() if side is not None}
    except (TypeError, ValueError):
        return {}


def _is_side(value: Any) -> bool:
    return is_integer(value, 1) and value <= MAX_RESIZE


def _fit_into(max_width: int, max_height: int, image_size: tuple[int, int]) -> tuple[int, int]:
    width, height = image_size
    if max_width * height <= max_height * width:
        return max_width, max_width * height // width
    return max_height * width // height, max_height


def _fit_edges(shortest: int, longest: int, image_size: tuple[int, int]) -> tuple[int, int]:
    width, height = image_size
    short, long = sorted(image_size)
    new_short, new_long = shortest, shortest * long // short
    if new_long > longest:
        new_short, new_long = round(longest * short / long), longest
    return (new_short, new_long) if width <= height else (new_long, new_short)
