"""Panorama and overlay of two images of a plane, or from the same viewpoint."""

import logging
import os
from collections.abc import Callable
from typing import Unpack

from tiepoint.api import MatchOptions, match_to_files
from tiepoint.geometry.estimate import estimate_fundamental
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.geometry.verification import make_verifier
from tiepoint.image import ImageSource
from tiepoint.io.atomic import check_overwrites
from tiepoint.result import MatchResult
from tiepoint.types import Correspondences, HasCorrespondences, TwoViewEstimate
from tiepoint.visualization import OverlayMode, check_image_path, save_image

logger = logging.getLogger(__name__)

# Ratio of the supports of homography and fundamental matrix below which a homography leaves depth out, as in COLMAP
MIN_SUPPORT_RATIO = 0.8


def stitch_to_files(
    image0: ImageSource,
    image1: ImageSource,
    panorama: str | os.PathLike[str],
    *,
    overlay: str | os.PathLike[str] | None = None,
    mode: OverlayMode = "blend",
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX,
    only_same_scene: bool = False,
    on_match: Callable[[MatchResult, TwoViewEstimate], None] | None = None,
    json: str | os.PathLike[str] | None = None,
    **options: Unpack[MatchOptions],
) -> tuple[MatchResult, TwoViewEstimate]:
    """Match two images, estimate a homography, and write a panorama; output paths are validated before starting.

    A warning says if the scene has depth, so that the panorama has double images.

    Args:
        image0: Image to warp, as for `tiepoint.match`.
        image1: Image that is not warped, as for `tiepoint.match`.
        panorama: Output path of the panorama; the suffix decides the format.
        overlay: Output path of image 0 warped onto image 1; written even if the panorama fails.
        mode: Overlay mode: "blend" or "checkerboard".
        max_error_px: Inlier threshold in px of the original images.
        only_same_scene: Whether to write no image if pair verification finds that the images show different scenes.
        on_match: Callback with matches and homography, called before anything is drawn.
        json: Output path of the matches as JSON, ending in .json.
        **options: Options of `tiepoint.match`.

    Returns:
        The matches, and the homography.

    Raises:
        InvalidInput: If an image or mask cannot be read, an option is invalid, or a file cannot be written; if no
            homography can be estimated, or no panorama can be drawn with it.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    check_overwrites((panorama, overlay, json), (image0, image1))
    for path in (panorama, overlay):
        if path is not None:
            check_image_path(path)
    verify = make_verifier("homography", max_error_px=max_error_px)
    result, estimate = match_to_files(image0, image1, verify=verify, json=json, **options)
    assert estimate is not None, "a verifier was given"
    if on_match is not None:
        on_match(result, estimate)
    if only_same_scene and not result.verify().same_scene:
        return result, estimate
    if warning := depth_warning(result, estimate):
        logger.warning("%s", warning)
    if overlay is not None:
        save_image(result.overlay(estimate, mode=mode), overlay)
    save_image(result.panorama(estimate), panorama)
    return result, estimate


def depth_warning(matches: HasCorrespondences | Correspondences, homography: TwoViewEstimate) -> str:
    """Return a warning if the matches show that no homography aligns the images: a scene with depth, and motion.

    Args:
        matches: Matches of both images.
        homography: Homography of these matches.

    Returns:
        The warning; "" if the homography explains the matches, or could not be estimated.
    """
    if not homography.success:
        return ""
    epipolar = estimate_fundamental(matches, max_error_px=homography.max_error_px)
    if homography.num_inliers >= MIN_SUPPORT_RATIO * epipolar.num_inliers:
        return ""
    return (
        f"the panorama will have double images (ghosting): {epipolar.num_inliers} matches support a fundamental matrix, "
        f"but only {homography.num_inliers} a homography, so the scene is not planar or the camera moved; rotate the "
        "camera about its center, or stitch a planar scene"
    )
