"""Images of disparities, as Middlebury publishes them."""

import numpy as np
import PIL.Image
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.ground_truth import DisparityGroundTruth


def read_disparity(truth: DisparityGroundTruth) -> Float[np.ndarray, "h w"]:
    """Disparities in px, float64; NaN where the truth is unknown (0 in the file).

    Raises:
        InvalidInput: the file can't be read as a gray image.
    """
    try:
        with PIL.Image.open(truth.path) as image:
            values = np.array(image, dtype=np.float64)
    except OSError as error:
        raise InvalidInput(f"disparities can't be read from {truth.path}: {error}") from error
    if values.ndim != 2:
        raise InvalidInput(f"{truth.path} must be a gray image of disparities, but has {values.ndim} axes")
    return np.where(values > 0, values / truth.scale, np.nan)
