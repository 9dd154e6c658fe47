"""Align: match two rasters, and estimate how the moving one maps to the fixed one."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.geometry.multiview import transfer_errors, warp_points
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.geometry.verification import make_verifier
from tiepoint.image.rasters import Raster
from tiepoint.io.messages import unknown_name
from tiepoint.io.stages import Stages
from tiepoint.matcher import Matcher
from tiepoint.registration.deformation import Deformation, fit_deformation
from tiepoint.registration.preview import Preview, make_preview
from tiepoint.result import MatchResult
from tiepoint.types import Correspondences, Features, ImageInfo, TwoViewEstimate

AlignmentModel = Literal["auto", "similarity", "affine", "homography"]
"""Model that maps the moving image to the fixed one; "auto" chooses the simplest that explains the matches."""

ACCURACY_PX = 1.5  # inlier threshold in px of the resized fixed image


@dataclass(frozen=True, slots=True, kw_only=True)
class AlignSettings:
    """Options of an alignment.

    Attributes:
        model: Model; see `AlignmentModel`.
        max_error_px: Inlier threshold in px of the fixed image; None for 3 px, or 1.5 px of the image at the size at
            which features are extracted if that is more.
        bands: One or three numbers of bands of the moving image that are matched; None for the first ones.
        fixed_bands: Bands of the fixed image that are matched; None for `bands`.
        piecewise: Whether to add a smooth deformation (a thin-plate spline) where it predicts held-out matches better than
            the model alone.
    """

    model: AlignmentModel = "auto"
    max_error_px: float | None = None
    bands: Sequence[int] | None = None
    fixed_bands: Sequence[int] | None = None
    piecewise: bool = False

    def __post_init__(self) -> None:
        if self.model not in get_args(AlignmentModel):
            raise InvalidInput(unknown_name("model", self.model, get_args(AlignmentModel)))
        make_verifier(
            _verifier_name(self.model), max_error_px=1.0 if self.max_error_px is None else self.max_error_px
        )

    def threshold(self, fixed: Raster, resize: int | None) -> float:
        """Return the inlier threshold in px of the fixed image."""
        if self.max_error_px is not None:
            return self.max_error_px
        factor = 1.0 if resize is None else max(fixed.image_size) / resize
        return max(TWO_VIEW_MAX_ERROR_PX, ACCURACY_PX * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A raster, and its preview for matching.

    Attributes:
        raster: Image at full size.
        preview: Image for matching.
        validity: Pixels of the raster with data, shape (h, w); None for all.
        cache: Features of the preview, once they are extracted.
    """

    raster: Raster
    preview: Preview
    validity: np.ndarray | None = None
    cache: dict[str, Features] = field(default_factory=dict[str, Features])

    @classmethod
    def of(cls, raster: Raster, bands: Sequence[int] | None) -> "View":
        """Make the preview of a raster."""
        validity = raster.validity()
        return cls(raster=raster, preview=make_preview(raster, bands, validity), validity=validity)

    def features(self, matcher: Matcher) -> Features:
        """Extract features once."""
        if "features" not in self.cache:
            self.cache["features"] = matcher.extract(self.preview.pixels, mask=self.preview.mask)
        return self.cache["features"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Alignment:
    """A moving image and a fixed one, matched; or the reason why they could not be aligned.

    Attributes:
        moving: Moving image.
        fixed: Fixed image.
        result: Matches in px of the previews; image 0 is the moving image.
        matches: Matches in px of both images.
        estimate: Model that maps px of the moving image to px of the fixed one, or the reason of its failure.
        deformation: Smooth offsets from the model; None without `piecewise`, or where the model alone is used.
        reason_not_deformed: Why `piecewise` uses the model alone; "" otherwise.
    """

    moving: View
    fixed: View
    result: MatchResult
    matches: Correspondences
    estimate: TwoViewEstimate
    deformation: Deformation | None = None
    reason_not_deformed: str = ""

    @property
    def residuals_px(self) -> np.ndarray:
        """Distances of the inliers, warped by the model, from their matches, in px of the fixed image."""
        if self.estimate.matrix is None:
            return np.zeros(0)
        errors = transfer_errors(self.matches.points0, self.matches.points1, self.estimate.matrix)
        return errors[self.estimate.inliers]

    @property
    def rms_px(self) -> float | None:
        """Root mean square of the residuals; None without inliers."""
        residuals = self.residuals_px
        return float(np.sqrt(np.mean(residuals**2))) if len(residuals) else None

    @property
    def points_in_fixed(self) -> np.ndarray:
        """Matched points of the moving image in px of the fixed one, mapped as its pixels are, shape (k, 2)."""
        assert self.estimate.matrix is not None, "failures map nothing"
        points = self.matches.points0.astype(np.float64)
        if self.deformation is not None:
            points = points - self.deformation.displacement.at_points(
                *self.matches.points1.T.astype(np.float64)
            )
        return warp_points(points, self.estimate.matrix)

    @property
    def is_control_point(self) -> np.ndarray:
        """Whether each match is an inlier, or with a deformation one of its control points, shape (k,)."""
        return self.estimate.inliers if self.deformation is None else self.deformation.is_control_point

    def preview_estimate(self) -> TwoViewEstimate:
        """Return the estimate in px of the previews, for drawings."""
        if self.estimate.matrix is None:
            return self.estimate
        to_moving, to_fixed = (_to_raster(view.preview) for view in (self.moving, self.fixed))
        matrix = np.linalg.inv(to_fixed) @ self.estimate.matrix @ to_moving
        max_error_px = self.estimate.max_error_px / self.fixed.preview.factor
        return replace(self.estimate, matrix=matrix / matrix[2, 2], max_error_px=max_error_px)

    def to_dict(self) -> dict[str, Any]:
        """Return model, matrix and residuals as lists, numbers and strings."""
        estimate = self.estimate
        return {
            "moving": self.moving.raster.source,
            "fixed": self.fixed.raster.source,
            "model": estimate.kind,
            "matrix": None if estimate.matrix is None else estimate.matrix.tolist(),
            "num_matches": len(self.matches),
            "num_inliers": estimate.num_inliers,
            "max_error_px": estimate.max_error_px,
            "rms_px": self.rms_px,
            "reason": estimate.reason,
            "deformation": None if self.deformation is None else self.deformation.to_dict(),
            "reason_not_deformed": self.reason_not_deformed,
        }


def align(matcher: Matcher, moving: View, fixed: View, settings: AlignSettings, stages: Stages) -> Alignment:
    """Match two images, and estimate the model.

    Args:
        matcher: Matcher; features of the fixed image are extracted once if it searches no views.
        moving: Moving image.
        fixed: Fixed image.
        settings: Model and threshold.
        stages: Timer of the stages.
    """
    result = _match(matcher, moving, fixed, stages)
    with stages("estimate"):
        matches = _full_size(result, moving, fixed)
        threshold = settings.threshold(fixed.raster, matcher.extractor.settings.resize)
        estimate = make_verifier(_verifier_name(settings.model), max_error_px=threshold)(matches)
        deformation, reason = None, ""
        if settings.piecewise and estimate.matrix is not None:
            deformation, reason = fit_deformation(matches, estimate)
    return Alignment(
        moving=moving,
        fixed=fixed,
        result=result,
        matches=matches,
        estimate=estimate,
        deformation=deformation,
        reason_not_deformed=reason,
    )


def _match(matcher: Matcher, moving: View, fixed: View, stages: Stages) -> MatchResult:
    if matcher.views is not None:
        return matcher.match(
            moving.preview.pixels,
            fixed.preview.pixels,
            mask0=moving.preview.mask,
            mask1=fixed.preview.mask,
            stages=stages,
        )
    with stages("extract"):
        pair = moving.features(matcher), fixed.features(matcher)
    with stages("match"):
        return matcher.match_features([pair])[0]


def _full_size(result: MatchResult, moving: View, fixed: View) -> Correspondences:
    return Correspondences.from_points(
        moving.preview.to_raster(result.points0),
        fixed.preview.to_raster(result.points1),
        result.scores,
        image0=ImageInfo(image_size=moving.raster.image_size, source=moving.raster.source),
        image1=ImageInfo(image_size=fixed.raster.image_size, source=fixed.raster.source),
    )


def _to_raster(preview: Preview) -> np.ndarray:
    offset = (preview.factor - 1) / 2
    return np.array([[preview.factor, 0, offset], [0, preview.factor, offset], [0, 0, 1.0]])


def _verifier_name(model: str) -> str:
    return "alignment" if model == "auto" else model
