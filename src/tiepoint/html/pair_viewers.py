"""Several pairs in one page: thumbnails that open the viewer on click, and share their pictures."""

from collections.abc import Hashable
from typing import Any, Unpack

from tiepoint.geometry.estimate import estimate_homography
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.geometry.verification import estimate_two_view
from tiepoint.html.embedding import EmbeddedImage, embed_image
from tiepoint.html.pair_data import PairOptions, pair_data
from tiepoint.html.rendering import read_static, viewer_script
from tiepoint.image import Image
from tiepoint.types import PLANAR_KINDS, TwoViewEstimate

MAX_SIDE = 900  # px
MAX_BYTES = 200_000  # per picture
SCRIPT = "static/pair_viewers.js"


class PairViewers:
    """Pictures and pairs of a page; templates include `pair_viewers.html.jinja` with it as `viewers`.

    Templates show a picture by `<img data-picture="NUMBER">`, and open a pair by `<button class="pair"
    data-pair="NUMBER">`; every picture is in the page once.

    Attributes:
        pictures: Data URLs of the pictures, by number.
        pairs: Data of the pairs, by number; `src` of an image is the number of a picture.
    """

    def __init__(self, *, max_side: int = MAX_SIDE, max_bytes: int = MAX_BYTES) -> None:
        """Begin a page without pictures.

        Args:
            max_side: Maximum side of a picture in px.
            max_bytes: Maximum size of a picture in bytes.
        """
        self.pairs: list[dict[str, Any]] = []
        self._limits = {"max_side": max_side, "max_bytes": max_bytes}
        self._images: list[EmbeddedImage] = []
        self._numbers: dict[Hashable, int] = {}

    @property
    def pictures(self) -> list[str]:
        """Data URLs of the pictures, by number."""
        return [image.url for image in self._images]

    @property
    def scripts(self) -> list[str]:
        """JavaScript of the page: the viewer, and what opens it; none without pictures."""
        return [viewer_script(), read_static(SCRIPT)] if self._images else []

    def find_picture(self, key: Hashable) -> int | None:
        """Return the number of a picture, or None if it was not added.

        Args:
            key: Key of the image, such as its path.
        """
        return self._numbers.get(key)

    def add_picture(self, key: Hashable, image: Image | EmbeddedImage) -> int:
        """Add a picture unless its key is known, and return its number.

        Args:
            key: Key of the image, such as its path.
            image: Image to embed.
        """
        if key not in self._numbers:
            embedded = image if isinstance(image, EmbeddedImage) else embed_image(image, **self._limits)
            self._numbers[key] = len(self._images)
            self._images.append(embedded)
        return self._numbers[key]

    def add_pair(self, result: Any, picture0: int, picture1: int, **options: Unpack[PairOptions]) -> int:
        """Add a pair, and return its number.

        Args:
            result: MatchResult, which this package must not import.
            picture0: Number of the picture of image 0.
            picture1: Number of the picture of image 1.
            **options: Options of `pair_data`.
        """
        data = pair_data(result, (self._images[picture0], self._images[picture1]), **options)
        for entry, number in zip(data["images"], (picture0, picture1), strict=True):
            entry["src"] = number
        self.pairs.append(data)
        return len(self.pairs) - 1


def estimate_for_page(
    matches: Any, estimate: TwoViewEstimate | None = None
) -> tuple[TwoViewEstimate, TwoViewEstimate]:
    """Return two-view geometry and a homography of a pair that is shown in a page.

    Args:
        matches: MatchResult or Correspondences.
        estimate: Two-view geometry if it is known.
    """
    shown = estimate or estimate_two_view(matches, max_error_px=TWO_VIEW_MAX_ERROR_PX)
    if shown.kind in PLANAR_KINDS:
        return shown, shown
    return shown, estimate_homography(matches, max_error_px=shown.max_error_px)
