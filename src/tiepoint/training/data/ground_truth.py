"""Which keypoints of two images match, which certainly don't, and of which nobody knows.

Source of the labels and thresholds: LightGlue (arXiv 2306.13643), section 4 and appendix B.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from tiepoint.geometry.multiview import warp_points

UNMATCHED = -1
"""A label: the keypoint certainly has no match in the other image."""

IGNORED = -2
"""A label: nobody knows; training takes no notice of the keypoint."""

POSITIVE_PX = 3.0
"""Keypoints that match are closer than this, in both images."""

NEGATIVE_PX = 5.0
"""Where depth is measured and not given: a keypoint without another this close to its place has no match."""

EPIPOLAR_PX = 5.0
"""Keypoints this far from each other's epipolar lines aren't matches, whatever their depth."""


class Truth(NamedTuple):
    """For each keypoint the index of its match in the other image, or `UNMATCHED`, or `IGNORED`."""

    matches0: Int[Tensor, "m"]
    matches1: Int[Tensor, "n"]


def nothing_matches(m: int, n: int) -> Truth:
    """The truth of two images that show different things."""
    return Truth(torch.full((m,), UNMATCHED), torch.full((n,), UNMATCHED))


def matches_from_homography(
    keypoints0: Float[Tensor, "m 2"],
    keypoints1: Float[Tensor, "n 2"],
    homography: Float[np.ndarray, "3 3"],
    *,
    max_error_px: float = POSITIVE_PX,
) -> Truth:
    """The truth of two views of one plane.

    Matches are mutual nearest neighbors whose distance, the larger one of those in the two images, is below
    `max_error_px`. A keypoint has no match where the other image has no keypoint that close to its place. The rest are
    ignored: close to one that is closer to another.

    Args:
        keypoints0: (x, y) in px.
        keypoints1: likewise of image 1.
        homography: p1 ~ H p0.
        max_error_px: see above.
    """
    projected0 = _warp(keypoints0, homography)
    projected1 = _warp(keypoints1, np.linalg.inv(homography))
    return matches_from_projections(
        keypoints0, keypoints1, projected0, projected1, positive_px=max_error_px, negative_px=max_error_px
    )


def matches_from_projections(
    keypoints0: Float[Tensor, "m 2"],
    keypoints1: Float[Tensor, "n 2"],
    projected0: Float[Tensor, "m 2"],
    projected1: Float[Tensor, "n 2"],
    *,
    positive_px: float = POSITIVE_PX,
    negative_px: float = NEGATIVE_PX,
    possible: Bool[Tensor, "m n"] | None = None,
) -> Truth:
    """The truth where the place of some keypoints in the other image is known.

    Args:
        keypoints0: (x, y) in px.
        keypoints1: likewise of image 1.
        projected0: where image 1 shows what is at keypoints0, in px of image 1, perhaps outside; NaN: not known.
        projected1: likewise in image 0, of keypoints1.
        positive_px: matches are mutual nearest neighbors closer than this in both images; both places are known.
        negative_px: a keypoint of known place that has no other within this distance of it has no match.
        possible: False where two keypoints can't match, by epipolar geometry. A keypoint of unknown place has no match
            where every partner is impossible or has been decided on. None: such keypoints are ignored.
    """
    distances1 = distances(projected0, keypoints1)  # in image 1
    distances0 = distances(keypoints0, projected1)
    matches0, matches1 = mutual_nearest(torch.maximum(distances0, distances1), positive_px)
    known0, known1 = (~projected.isnan().any(1) for projected in (projected0, projected1))
    matches0[known0 & (distances1 >= negative_px).all(1)] = UNMATCHED
    matches1[known1 & (distances0 >= negative_px).all(0)] = UNMATCHED
    if possible is not None:
        undecided = possible & (matches0 == IGNORED)[:, None] & (matches1 == IGNORED)[None]
        matches0[(matches0 == IGNORED) & ~known0 & ~undecided.any(1)] = UNMATCHED
        matches1[(matches1 == IGNORED) & ~known1 & ~undecided.any(0)] = UNMATCHED
    return Truth(matches0, matches1)


def mutual_nearest(distances: Float[Tensor, "m n"], max_px: float) -> tuple[Tensor, Tensor]:
    """Matches of both images; what has none is ignored. Ties go to the lower index."""
    m, n = distances.shape
    matches0, matches1 = torch.full((m,), IGNORED), torch.full((n,), IGNORED)
    if m and n:
        (nearest, best0), best1 = distances.min(1), distances.argmin(0)
        mutual = (best1[best0] == torch.arange(m)) & (nearest < max_px)
        matches0[mutual] = best0[mutual]
        matches1[best0[mutual]] = torch.arange(m)[mutual]
    return matches0, matches1


def distances(points0: Float[Tensor, "m 2"], points1: Float[Tensor, "n 2"]) -> Float[Tensor, "m n"]:
    """Of all pairs; inf where a place isn't known."""
    # without matrix products, in which the difference of large squares would lose the small distances
    between = torch.cdist(points0.double(), points1.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return between.nan_to_num(nan=torch.inf, posinf=torch.inf)


def _warp(keypoints: Tensor, homography: np.ndarray) -> Tensor:
    """Places at infinity stay infinite, and so far from all keypoints: NaN would mean that they aren't known."""
    warped = torch.from_numpy(warp_points(keypoints.double().numpy(), homography))
    return warped.nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf)
