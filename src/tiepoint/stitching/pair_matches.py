"""PairMatch: two matched images, and whether a panorama can use the pair."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from tiepoint.geometry.estimate import estimate_fundamental, estimate_homography
from tiepoint.geometry.multiview import to_homogeneous, transfer_errors
from tiepoint.image.resampling import is_in_front
from tiepoint.result import MatchResult
from tiepoint.types import Correspondences, HasCorrespondences, TwoViewEstimate, as_correspondences

# Ratio of the supports of homography and fundamental matrix below which a homography leaves depth out, as in COLMAP
MIN_SUPPORT_RATIO = 0.8

NO_OVERLAP = "no overlap found"  # first words of the reason of a pair that does not overlap

MIN_PARALLAX_FACTOR = 3.0  # inlier thresholds from which on an error is a double image
MIN_PARALLAX_SHARE = 0.2  # of the epipolar inliers, from which on a scene has depth
MIN_EPIPOLAR_SHARE = (
    0.5  # of the double images, that epipolar geometry explains: of wrong matches it explains few
)

MAX_SCALE = 8.0  # ratio of the resolutions of two images that a panorama shows
MAX_DUPLICATE_SHIFT = 0.004  # shift of the corners of a duplicate, relative to the longer side


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairMatch:
    """Matches of two images, and their homography.

    Attributes:
        index0: Index of image 0.
        index1: Index of image 1.
        result: Matches, in px of the original images.
        estimate: Homography from image 0 to image 1, or the reason of its failure.
        has_parallax: Whether the matches show depth that the homography leaves out.
        is_duplicate: Whether the images show the same.
        reason: Reason why the pair is not used; "" if it is.
    """

    index0: int
    index1: int
    result: MatchResult
    estimate: TwoViewEstimate
    has_parallax: bool
    is_duplicate: bool
    reason: str

    @property
    def indices(self) -> tuple[int, int]:
        """Indices of both images."""
        return self.index0, self.index1

    @property
    def inliers(self) -> tuple[Float[np.ndarray, "k 2"], Float[np.ndarray, "k 2"]]:
        """Points of image 0 and image 1 that are inliers of the homography, in px."""
        matches = self.result.correspondences
        return matches.points0[self.estimate.inliers], matches.points1[self.estimate.inliers]


def check_pair(result: MatchResult, index0: int, index1: int, max_error_px: float) -> PairMatch:
    """Estimate the homography of a pair, and decide whether a panorama can use it.

    Args:
        result: Matches of both images.
        index0: Index of image 0.
        index1: Index of image 1.
        max_error_px: Inlier threshold in px of the original images.
    """
    estimate = estimate_homography(result, max_error_px=max_error_px)
    verification = result.verify()
    sizes = result.features0.image_size, result.features1.image_size
    if not verification.same_scene:
        reason = f"{NO_OVERLAP}: {verification.reason}"
    elif estimate.matrix is None:
        reason = f"{NO_OVERLAP}: homography estimation failed: {estimate.reason}"
    else:
        reason = reason_not_stitchable(estimate.matrix, *sizes)
    return PairMatch(
        index0=index0,
        index1=index1,
        result=result,
        estimate=estimate,
        has_parallax=not reason and has_depth(result, estimate),
        is_duplicate=not reason and _is_duplicate(estimate, *sizes),
        reason=reason,
    )


def has_depth(matches: HasCorrespondences | Correspondences, homography: TwoViewEstimate) -> bool:
    """Return whether no homography aligns the images: a scene with depth, and a camera that moved.

    Lens distortion and a camera held in the hand add epipolar inliers close to the homography; double images need matches
    that are far from it. Wrong matches are far from it, too, but most of them are no epipolar inliers.

    Args:
        matches: Matches of both images.
        homography: Homography of these matches.
    """
    if homography.matrix is None:
        return False
    epipolar = estimate_fundamental(matches, max_error_px=homography.max_error_px)
    if homography.num_inliers >= MIN_SUPPORT_RATIO * epipolar.num_inliers:
        return False
    found = as_correspondences(matches)
    errors = transfer_errors(found.points0, found.points1, homography.matrix)
    is_double = ~(errors <= MIN_PARALLAX_FACTOR * homography.max_error_px)
    is_epipolar = epipolar.inliers
    return bool(
        is_double[is_epipolar].mean() >= MIN_PARALLAX_SHARE
        and is_epipolar[is_double].mean() >= MIN_EPIPOLAR_SHARE
    )


def reason_not_stitchable(
    image1_from_image0: Float[np.ndarray, "3 3"], size0: tuple[int, int], size1: tuple[int, int]
) -> str:
    """Return why a homography is not that of two overlapping images; "" if it can be.

    Args:
        image1_from_image0: Homography from px of image 0 to px of image 1.
        size0: Size (width, height) of image 0 in px.
        size1: Size (width, height) of image 1 in px.
    """
    center = np.array([[(size0[0] - 1) / 2, (size0[1] - 1) / 2]])
    determinant, scale = _local_scale(image1_from_image0, _overlap_center(image1_from_image0, size0, size1))
    if determinant < 0:
        return "one image is the mirror image of the other; flip it"
    if not 1 / MAX_SCALE <= scale <= MAX_SCALE:
        return f"their resolutions differ by a factor of {max(scale, 1 / scale):.1f}, more than {MAX_SCALE:g}; resize one image"
    w = float((to_homogeneous(center) @ image1_from_image0[2])[0])
    if not is_in_front(image1_from_image0, size0) and w <= 0:
        return "the homography folds the image over the horizon"
    return ""


def _overlap_center(
    homography: np.ndarray, size0: tuple[int, int], size1: tuple[int, int]
) -> Float[np.ndarray, "2"]:
    """Center of the points of image 0 that image 1 shows; that of image 0 if there are none."""
    x, y = np.meshgrid(np.linspace(0, size0[0] - 1, 17), np.linspace(0, size0[1] - 1, 17))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    projected = to_homogeneous(points) @ homography.T
    with np.errstate(divide="ignore", invalid="ignore"):
        mapped = projected[:, :2] / projected[:, 2:]
    inside = ((mapped >= 0) & (mapped <= np.array(size1) - 1)).all(axis=1)
    return points[inside].mean(axis=0) if inside.any() else points.mean(axis=0)


def _local_scale(homography: np.ndarray, point: np.ndarray) -> tuple[float, float]:
    """Determinant of the Jacobian at a point, and the length of 1 px of image 0 in image 1."""
    w = float(homography[2] @ (*point, 1.0))
    determinant = float(np.linalg.det(homography)) / w**3 if w else 0.0
    return determinant, max(abs(determinant), 1e-12) ** 0.5


def _is_duplicate(estimate: TwoViewEstimate, size0: tuple[int, int], size1: tuple[int, int]) -> bool:
    assert estimate.matrix is not None, "the pair was checked"
    unit = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    corners0, corners1 = unit * size0 - 0.5, unit * size1 - 0.5
    projected = to_homogeneous(corners0) @ estimate.matrix.T
    shift = np.abs(projected[:, :2] / projected[:, 2:] - corners1).max()
    return bool(shift <= MAX_DUPLICATE_SHIFT * max(size1))
