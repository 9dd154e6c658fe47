"""Disparity maps in the format of Middlebury."""

import numpy as np
import PIL.Image
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import DisparityGroundTruth


def read_disparity(truth: DisparityGroundTruth) -> Float[np.ndarray, "h w"]:
    """Return the disparity map in px, float64, shape (h, w); NaN where it is unknown (0 in the file).

    Raises:
        InvalidInput: If the file cannot be read as a grayscale image.
    """
    try:
        with PIL.Image.open(truth.path) as image:
            values = np.array(image, dtype=np.float64)
    except OSError as error:
        raise InvalidInput(f"cannot read the disparity map {truth.path}: {error}") from error
    if values.ndim != 2:
        raise InvalidInput(f"expected a grayscale disparity map, got {values.ndim} axes in {truth.path}")
    return np.where(values > 0, values / truth.scale, np.nan)
