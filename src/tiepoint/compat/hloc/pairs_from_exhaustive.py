"""All pairs of a list of images, or of two lists."""

from collections.abc import Iterable
from itertools import combinations, product
from pathlib import Path

from tiepoint.compat.hloc.files import group_names, read_names, write_pairs
from tiepoint.errors import InvalidInput

ImageList = Path | str | Iterable[str | Path]


def main(
    output: Path,
    image_list: ImageList | None = None,
    features: Path | None = None,
    ref_list: ImageList | None = None,
    ref_features: Path | None = None,
) -> None:
    """Write all pairs.

    Args:
        output: Output file, two names per line.
        image_list: Names of images, or a text file of names.
        features: Feature file whose images are paired, instead of `image_list`.
        ref_list: Names of the second images of the pairs, or a text file; None pairs the images with each other.
        ref_features: Feature file with the second images, instead of `ref_list`.

    Raises:
        InvalidInput: If no images are given, or a file cannot be read or written.
    """
    names = _names(image_list, features)
    if names is None:
        raise InvalidInput("no images: pass image_list or features")
    references = _names(ref_list, ref_features)
    write_pairs(Path(output), combinations(names, 2) if references is None else product(names, references))


def _names(images: ImageList | None, features: Path | None) -> list[str] | None:
    if images is not None:
        return read_names(images)
    return None if features is None else group_names(Path(features))
