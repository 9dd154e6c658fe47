"""Two photographs of one plane, or from one place, become one picture."""

import os
from collections.abc import Callable
from typing import Any

from tiepoint.api import match_to_files
from tiepoint.geometry.verification import make_verifier
from tiepoint.image import ImageSource
from tiepoint.result import MatchResult
from tiepoint.types import TwoViewEstimate
from tiepoint.visualization import OverlayMode, check_image_path, save_image


def stitch_to_files(
    image0: ImageSource,
    image1: ImageSource,
    panorama: str | os.PathLike[str],
    *,
    overlay: str | os.PathLike[str] | None = None,
    mode: OverlayMode = "blend",
    max_error_px: float = 3.0,
    only_same_scene: bool = False,
    on_match: Callable[[MatchResult, TwoViewEstimate], None] | None = None,
    **options: Any,
) -> tuple[MatchResult, TwoViewEstimate]:
    """Match, estimate a homography, and write pictures; paths that can't be written are found out before the work.

    Args:
        image0: the image that is warped; as for `tiepoint.match`.
        image1: the image that stays as it is.
        panorama: where to write both images on one canvas; its ending decides the format.
        overlay: where to write image 0 warped onto image 1; written even where no panorama can be.
        mode: of the overlay: "blend" or "checkerboard".
        max_error_px: an inlier's largest error, in px of the original images.
        only_same_scene: write no picture where the verdict is that the images show different places.
        on_match: called with what was found before any picture is made: where none can be, there is nothing else to see.
        **options: as for `tiepoint.api.match_to_files`.

    Raises:
        InvalidInput: as for `match_to_files`; or there is no homography, or no flat picture holds both images.
        WeightsError: as for `tiepoint.match`.
    """
    for path in (panorama, overlay):
        if path is not None:
            check_image_path(path)
    verify = make_verifier("homography", max_error_px=max_error_px)
    result, estimate = match_to_files(image0, image1, verify=verify, **options)
    assert estimate is not None, "a verifier was given"
    if on_match is not None:
        on_match(result, estimate)
    if only_same_scene and not result.verify().same_scene:
        return result, estimate
    if overlay is not None:
        save_image(result.overlay(estimate, mode=mode), overlay)
    save_image(result.panorama(estimate), panorama)
    return result, estimate
