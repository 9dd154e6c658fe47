"""The `size` of an image processor: its forms, and the size that an image gets by it."""

from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.image import MAX_RESIZE, ImageTransform

SIZE_FORMS = (
    {"height", "width"},
    {"longest_edge"},
    {"shortest_edge"},
    {"shortest_edge", "longest_edge"},
    {"max_height", "max_width"},
)
"""Only the first one changes the aspect ratio."""


def as_size(value: Any) -> dict[str, int]:
    """A size as its dict: one of `SIZE_FORMS`; a whole number is the shortest edge, a pair is (height, width).

    Raises:
        InvalidInput: another form, or not whole numbers from 1 to 32,768.
    """
    if isinstance(value, int):
        size = {"shortest_edge": value}
    elif isinstance(value, list | tuple) and len(value) == 2:
        size = {"height": value[0], "width": value[1]}
    else:
        size = _as_dict(value)
    if set(size) not in SIZE_FORMS or not all(_is_side(side) for side in size.values()):
        forms = ", ".join("{" + ", ".join(sorted(form)) + "}" for form in SIZE_FORMS)
        raise InvalidInput(f"size must be one of {forms}, in px from 1 to {MAX_RESIZE:,}, but is {value!r}")
    return size


def processed_size(size: dict[str, int], image_size: tuple[int, int]) -> tuple[int, int]:
    """The size of an image after resizing; sides are cut, not rounded, as transformers does, but in whole numbers.

    Args:
        size: one of `SIZE_FORMS`.
        image_size: (width, height) in px.

    Returns:
        (width, height) in px; no side is shorter than 1 px.

    Raises:
        InvalidInput: a side would be longer than 32,768 px.
    """
    if "height" in size:
        return size["width"], size["height"]
    if "max_height" in size:
        fitted = _fit_into(size["max_width"], size["max_height"], image_size)
    elif "shortest_edge" in size:
        fitted = _fit_edges(size["shortest_edge"], size.get("longest_edge", MAX_RESIZE + 1), image_size)
    else:
        return ImageTransform.fit(image_size, size["longest_edge"]).resized_size
    if max(fitted) > MAX_RESIZE:
        raise InvalidInput(
            f"an image of {image_size} px (width, height) would get {fitted} px by size {size}, more than "
            f"{MAX_RESIZE:,}; add 'longest_edge', or crop it"
        )
    return max(fitted[0], 1), max(fitted[1], 1)


def _as_dict(value: Any) -> dict[str, Any]:
    try:
        return {name: side for name, side in dict(value).items() if side is not None}
    except (TypeError, ValueError):
        return {}


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_RESIZE


def _fit_into(most_width: int, most_height: int, image_size: tuple[int, int]) -> tuple[int, int]:
    width, height = image_size
    if most_width * height <= most_height * width:
        return most_width, most_width * height // width
    return most_height * width // height, most_height


def _fit_edges(shortest: int, longest: int, image_size: tuple[int, int]) -> tuple[int, int]:
    width, height = image_size
    short, long = sorted(image_size)
    new_short, new_long = shortest, shortest * long // short
    if new_long > longest:
        new_short, new_long = round(longest * short / long), longest
    return (new_short, new_long) if width <= height else (new_long, new_short)
