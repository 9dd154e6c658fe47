"""Search over views (`views`): which versions of both images match where the images as they are do not?

Its levels are of one kind: candidates are matched cheaply, and the best of them in full; their matches replace the known
ones only if they beat them.

rotation    in-plane rotations of both images (`views/rotation_level.py`)
scale       one image shows a part of the other: relative scales of 2 and 4 (`views/warp_levels.py`)
viewpoint   simulated tilts of either image

"auto" tries them in this order while pair verification fails. Pairs that verify at once cost one pair verification,
which the result keeps.
"""

from functools import cached_property
from typing import Any, get_args

from jaxtyping import Bool
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.extraction.bundle_extractor import BundleExtractor
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.image import Image
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.views.cheap_match import CheapMatcher, CheapSettings
from tiepoint.matching.views.opened_image import OpenedImage
from tiepoint.matching.views.rotation_level import RotationLevel
from tiepoint.matching.views.view_match import ViewMatch
from tiepoint.matching.views.warp_levels import ScaleLevel, ViewpointLevel
from tiepoint.types.options import Views

Level = RotationLevel | ScaleLevel | ViewpointLevel

LEVELS: dict[Views, tuple[str, ...]] = {
    "rotation": ("rotation",),
    "scale": ("scale",),
    "viewpoint": ("viewpoint",),
    "auto": ("rotation", "scale", "viewpoint"),
}
"""Option `views` -> levels of the search, in their order."""


def check_views(views: Any) -> Views | None:
    """Check the option `views`.

    Raises:
        InvalidInput: If it is neither None nor one of `Views`.
    """
    if views is not None and views not in get_args(Views):
        known = ", ".join(map(repr, get_args(Views)))
        raise InvalidInput(f"views: expected {known} or None, got {views!r}")
    return views


class ViewSearch:
    """Search over views with the extractor and the matcher of a preset.

    Args:
        extractor: Extractor of the images as they are.
        matcher: Matcher of the images as they are.
        settings: Effort of the cheap matches; None for the default.
        views: Views to search.

    Raises:
        InvalidInput: If views need images to be warped, and the extractor is that of a bundle, which has no masks.
    """

    def __init__(
        self,
        extractor: NeuralExtractor,
        matcher: PairMatcher,
        settings: CheapSettings | None = None,
        views: Views = "rotation",
    ) -> None:
        self.extractor = extractor
        self.matcher = matcher
        self.settings = settings or CheapSettings()
        self.views: Views = views
        if self._only_exact and views != "rotation":
            raise InvalidInput(
                f"views={views!r} is not supported by bundles, which have no masks; use views='rotation' or the preset"
            )

    @cached_property
    def cheap(self) -> CheapMatcher:
        """Matcher of the cheap matches."""
        return CheapMatcher(self.extractor, self.matcher, self.settings)

    @cached_property
    def levels(self) -> list[Level]:
        """Levels of the search."""
        levels: dict[str, Level] = {
            "rotation": RotationLevel(self.cheap, self.matcher, only_exact=self._only_exact),
            "scale": ScaleLevel(self.cheap, self.matcher),
            "viewpoint": ViewpointLevel(self.cheap, self.matcher),
        }
        return [levels[name] for name in LEVELS[self.views]]

    def open(self, image: Image, mask: Bool[Tensor, "h w"] | None) -> OpenedImage:
        """Return an image for `search`.

        Args:
            image: Image.
            mask: Mask of allowed keypoints, shape (h, w); None allows all.
        """
        return OpenedImage(image, mask, self.extractor, self.cheap.extractor)

    def is_needed(self, plain: ViewMatch) -> bool:
        """Return whether `search` would look further than the matches of the images as they are."""
        return LEVEL_TYPES[LEVELS[self.views][0]].is_needed(plain)

    def search(self, plain: ViewMatch, image0: OpenedImage, image1: OpenedImage) -> ViewMatch:
        """Search the views of a pair.

        Args:
            plain: Matches of the images as they are.
            image0: Image 0.
            image1: Image 1.

        Returns:
            The best matches: the given ones, unless those of other views beat them.
        """
        if not self.is_needed(plain):
            return plain
        image0.keep_original(plain.features0)
        image1.keep_original(plain.features1)
        best = plain
        for level in self.levels:
            if best is plain or not best.verification.same_scene:
                best = level.search(best, image0, image1)
        return best

    @property
    def _only_exact(self) -> bool:
        """Whether views cannot be rendered: bundles do not support masks."""
        return isinstance(self.extractor, BundleExtractor)


LEVEL_TYPES: dict[str, type[Level]] = {
    "rotation": RotationLevel,
    "scale": ScaleLevel,
    "viewpoint": ViewpointLevel,
}
