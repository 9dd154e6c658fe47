"""Possible defects of a panorama: depth, gray among color images, lost resolution. They are logged, and returned."""

import logging
from collections.abc import Sequence

from tiepoint.stitching.cameras import Cameras
from tiepoint.stitching.match_graph import LeftOutImage, MatchGraph
from tiepoint.stitching.result import pairs_with_depth

logger = logging.getLogger(__name__)

MIN_SCALE = 0.5  # px of the panorama per px of an image, below which a warning names the image
MAX_NAMES = 3  # images that a warning names


def find_defects(
    graph: MatchGraph, cameras: Cameras, left_out: Sequence[LeftOutImage], scales: Sequence[float]
) -> tuple[str, ...]:
    """Return and log what may be wrong with a panorama; images that are left out are logged, too.

    Args:
        graph: Match graph of all images.
        cameras: Images of the panorama and their views.
        left_out: Images that are not part of it.
        scales: Px of the panorama per px of each image.
    """
    for each in left_out:
        logger.warning("%s is not part of the panorama: %s", each.name, each.reason)
    found = [
        each for each in (_depth(graph, cameras), _gray(cameras), _lost_resolution(cameras, scales)) if each
    ]
    for warning in found:
        logger.warning("%s", warning)
    return tuple(found)


def _depth(graph: MatchGraph, cameras: Cameras) -> str:
    pairs = [*cameras.edges, *cameras.dropped_edges]
    with_depth = pairs_with_depth(pairs)
    if not with_depth:
        return ""
    worst = max(with_depth, key=lambda pair: pair.estimate.num_inliers)
    return (
        f"the panorama may have double images (ghosting): the scene has depth and the camera moved, in {len(with_depth)} "
        f"of {len(pairs)} overlapping pairs, such as {' and '.join(graph.inputs[index].name for index in worst.indices)}; "
        "rotate the camera about its center, or stitch a planar scene"
    )


def _gray(cameras: Cameras) -> str:
    gray = [each.name for each in cameras.inputs if each.is_gray]
    count = len(cameras.inputs)
    if len(gray) in (0, count):
        return ""
    return f"{len(gray)} of {count} images are gray, the others in color: {', '.join(gray[:MAX_NAMES])}"


def _lost_resolution(cameras: Cameras, scales: Sequence[float]) -> str:
    lost = sorted(
        (scale, each.name) for scale, each in zip(scales, cameras.inputs, strict=True) if scale < MIN_SCALE
    )
    if not lost:
        return ""
    names = ", ".join(f"{name} (to {100 * scale:.0f} %)" for scale, name in lost[:MAX_NAMES])
    return (
        f"{len(lost)} of {len(scales)} images lose more than half of their resolution, because the others are coarser or the "
        f"panorama is limited by max_output_megapixels: {names}"
    )
