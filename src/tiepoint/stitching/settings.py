"""Options of stitching."""

from dataclasses import dataclass
from typing import Literal, get_args

from tiepoint.errors import InvalidInput
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.io.messages import unknown_name
from tiepoint.io.validation import check_number

Projection = Literal["auto", "plane", "cylinder", "sphere"]
"""Surface of the panorama; "auto" chooses it by the field of view."""

StitchModel = Literal["auto", "rotation", "homography"]
"""Model of the cameras: rotations about one center, or homographies of a planar scene; "auto" takes rotations,
unless homographies explain clearly more matches."""

ACCURACY_PX = 1.5  # inlier threshold in px of the resized images


@dataclass(frozen=True, slots=True, kw_only=True)
class StitchSettings:
    """Options of a panorama.

    Attributes:
        projection: "plane", "cylinder" or "sphere"; "auto" chooses by the field of view.
        model: "rotation" for images from one viewpoint, "homography" for images of a plane; "auto" takes rotations,
            unless homographies explain clearly more matches.
        crop: Whether to crop the panorama to the largest rectangle without transparent pixels.
        exposure: Whether to compensate differences in exposure and vignetting.
        max_error_px: Inlier threshold in px of the original images; None for 3 px, or 1.5 px of the images at the size at
            which features are extracted if that is more.
        max_output_megapixels: Maximum size of the panorama; a larger one is reduced.

    Raises:
        InvalidInput: If an option has an invalid value.
    """

    projection: Projection = "auto"
    model: StitchModel = "auto"
    crop: bool = False
    exposure: bool = True
    max_error_px: float | None = None
    max_output_megapixels: float = 200.0

    def __post_init__(self) -> None:
        if self.projection not in get_args(Projection):
            raise InvalidInput(unknown_name("projection", self.projection, get_args(Projection)))
        if self.model not in get_args(StitchModel):
            raise InvalidInput(unknown_name("model", self.model, get_args(StitchModel)))
        if self.model == "homography" and self.projection in ("cylinder", "sphere"):
            raise InvalidInput(
                f"projection={self.projection!r} needs cameras that rotate, got model='homography'; use projection='plane'"
            )
        if self.max_error_px is not None:
            check_number("max_error_px", self.max_error_px, 0.01, 1000, alternative="None")
        check_number("max_output_megapixels", self.max_output_megapixels, 0.01, 2000)

    def threshold(self, image_size: tuple[int, int], resize: int | None) -> float:
        """Return the inlier threshold in px of an image of this size."""
        if self.max_error_px is not None:
            return self.max_error_px
        factor = 1.0 if resize is None else max(image_size) / resize
        return max(TWO_VIEW_MAX_ERROR_PX, ACCURACY_PX * factor)
