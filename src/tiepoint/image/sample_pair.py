"""A sample stereo pair with ground truth: the Middlebury motorcycle (2014), from scikit-image."""

import numpy as np

from tiepoint.io.optional import import_optional


def motorcycle() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return left image, right image, both (h, w, 3) uint8, and the disparity of the left image in px, (h, w).

    Raises:
        MissingDependency: If scikit-image is not installed.
    """
    data = import_optional("skimage.data", purpose="the sample stereo pair", install="scikit-image")
    return data.stereo_motorcycle()
