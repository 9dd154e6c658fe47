"""The demonstration: a real stereo pair with measured ground truth, matched and checked."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.api import load
from tiepoint.errors import MissingDependency
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.result import MatchResult
from tiepoint.visualization import check_image_path, save_image


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """How well the matches of the demonstration fit the ground truth.

    Attributes:
        matches: number of all matches.
        checked: of these, how many start where the disparity was measured.
        right: of these, how many end within `max_error_px` of where they should.
        max_error_px: in px of the images.
        picture: file with the picture of the matches.
    """

    matches: int
    checked: int
    right: int
    max_error_px: float
    picture: str

    @property
    def share(self) -> float:
        """Share of the checked matches that are right, 0 to 1."""
        return self.right / self.checked if self.checked else 0.0

    def to_dict(self) -> dict[str, Any]:
        """All fields, and the share, for JSON."""
        return {**asdict(self), "share": self.share}


def match_motorcycle(
    picture: Path, *, preset: str = DEFAULT_PRESET, max_error_px: float = 3.0, progress: bool = False
) -> DemoReport:
    """Match the Middlebury motorcycle pair that scikit-image carries; write a picture, count what is right.

    Raises:
        MissingDependency: scikit-image isn't installed.
        InvalidInput: the picture can't be written.
    """
    check_image_path(picture)
    left, right, disparity = motorcycle()
    result = load(preset, progress=progress).match(left, right)
    save_image(result.draw(left, right), picture)
    errors = disparity_errors(result, disparity)
    return DemoReport(
        matches=len(result),
        checked=len(errors),
        right=int((errors <= max_error_px).sum()),
        max_error_px=max_error_px,
        picture=str(picture),
    )


def disparity_errors(result: MatchResult, disparity: np.ndarray) -> np.ndarray:
    """Distance in px of each match of a rectified pair from where the disparity says it should end.

    Args:
        result: image 0 is the left one.
        disparity: (height, width), x_left - x_right in px at each pixel of the left image; not finite = unknown.

    Returns:
        One number a match whose start has a known disparity.
    """
    columns, rows = np.rint(result.points0).astype(int).T
    height, width = disparity.shape
    known_disparity = disparity[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    known = np.isfinite(known_disparity)
    expected = result.points0[known] - np.stack((known_disparity[known], np.zeros(known.sum())), axis=1)
    return np.linalg.norm(result.points1[known] - expected, axis=1)


def motorcycle() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pair: left and right image (h, w, 3), and the left one's disparity in px.

    Raises:
        MissingDependency: scikit-image isn't installed.
    """
    try:
        from skimage.data import stereo_motorcycle
    except ImportError as error:
        raise MissingDependency(
            "the demonstration's photographs come with scikit-image, which isn't installed; "
            "run: python -m pip install scikit-image"
        ) from error
    return stereo_motorcycle()
