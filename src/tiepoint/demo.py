"""The demo: a real stereo pair, matched and compared with its ground-truth disparity."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tiepoint.api import load
from tiepoint.geometry.estimate import estimate_fundamental, estimate_homography
from tiepoint.html.pair_page import SUFFIXES as PAGE_SUFFIXES, is_page
from tiepoint.image.sample_pair import motorcycle
from tiepoint.io.stages import Stages
from tiepoint.presets import DEFAULT_PRESET
from tiepoint.result import MatchResult
from tiepoint.visualization import check_image_path, save_image


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoReport:
    """Accuracy of the demo's matches.

    Attributes:
        matches: Number of matches.
        checked: Number of matches with known ground-truth disparity.
        right: Number of checked matches with an error of at most `max_error_px`.
        max_error_px: Error threshold in px.
        picture: File with the drawn matches.
        seconds: Duration of each stage, and their total.
    """

    matches: int
    checked: int
    right: int
    max_error_px: float
    picture: str
    seconds: dict[str, float]

    @property
    def share(self) -> float:
        """Fraction of the checked matches that are correct, in [0, 1]."""
        return self.right / self.checked if self.checked else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return all fields and the fraction of correct matches, for JSON."""
        return {**asdict(self), "share": self.share}


def match_motorcycle(
    picture: Path,
    *,
    preset: str = DEFAULT_PRESET,
    max_error_px: float = 3.0,
    progress: bool = False,
    stages: Stages | None = None,
) -> DemoReport:
    """Match the Middlebury motorcycle pair of scikit-image, draw the matches, and count the correct ones.

    Args:
        picture: Output file of the drawn matches, or of an interactive page (.html).
        preset: Preset of extractor and matcher.
        max_error_px: Maximum error of a correct match in px.
        progress: Show the progress of weight downloads on stderr.
        stages: Timer of the stages, which may show them; None times them silently.

    Raises:
        MissingDependency: If scikit-image is not installed.
        InvalidInput: If the picture cannot be written.
    """
    check_image_path(picture, others=PAGE_SUFFIXES)
    stages = stages or Stages()
    with stages("load_images"):
        left, right, disparity = motorcycle()
    with stages("load_weights"):
        matcher = load(preset, progress=progress)
    result = matcher.match(left, right, stages=stages)
    with stages("draw"):
        _save(result, left, right, picture)
    errors = disparity_errors(result, disparity)
    return DemoReport(
        matches=len(result),
        checked=len(errors),
        right=int((errors <= max_error_px).sum()),
        max_error_px=max_error_px,
        picture=str(picture),
        seconds=stages.with_total(),
    )


def _save(result: MatchResult, left: np.ndarray, right: np.ndarray, picture: Path) -> None:
    if not is_page(picture):
        save_image(result.draw(left, right), picture)
        return
    estimate, homography = estimate_fundamental(result), estimate_homography(result)
    result.save(picture, estimate, result.verify(), homography=homography, image0=left, image1=right)


def disparity_errors(result: MatchResult, disparity: np.ndarray) -> np.ndarray:
    """Return the errors in px of the matches of a rectified stereo pair.

    Args:
        result: Matches; image 0 is the left image.
        disparity: Disparity x_left - x_right in px per pixel of the left image, shape (h, w); not finite if unknown.

    Returns:
        Error of each match whose point in image 0 has a known disparity, shape (n,).
    """
    columns, rows = np.rint(result.points0).astype(int).T
    height, width = disparity.shape
    known_disparity = disparity[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    known = np.isfinite(known_disparity)
    expected = result.points0[known] - np.stack((known_disparity[known], np.zeros(known.sum())), axis=1)
    return np.linalg.norm(result.points1[known] - expected, axis=1)
