"""The extractor of a bundle: pixels in, keypoints out."""

import numpy as np

from tiepoint.errors import InvalidInput
from tiepoint.runtimes.bundle import Bundle
from tiepoint.runtimes.sessions import Arrays

ALL_KEYPOINTS = 1 << 40
"""Value of the input `max_keypoints` that keeps all."""


class BundleDetector:
    """The extractor of a bundle.

    Args:
        bundle: Bundle.
        threads: Number of CPU threads; None leaves it to the runtime.

    Attributes:
        preprocessing: From an image to the input.
        max_keypoints: Maximum number of keypoints; None keeps all. It can be changed unless the export fixed it.
    """

    def __init__(self, bundle: Bundle, *, threads: int | None = None) -> None:
        entry = bundle.manifest.extractor
        self.preprocessing = entry.preprocessing
        self.max_keypoints = entry.max_keypoints
        self._is_fixed = entry.fixed_keypoints
        self._session = bundle.session(entry.graph, threads=threads)

    def detect(self, pixels: np.ndarray) -> Arrays:
        """Detect and describe keypoints.

        Args:
            pixels: RGB image in [0, 1], float32, shape (3, h, w), resized as `preprocessing` says.

        Returns:
            `keypoints` (n, 2) in px of the given image, `scores` (n,), and `descriptors` (n, d).

        Raises:
            InvalidInput: If the image has a size that the graph does not accept.
        """
        self._check_size((pixels.shape[2], pixels.shape[1]))
        inputs: Arrays = {"image": pixels[None].astype(np.float32, copy=False)}
        if not self._is_fixed:
            count = ALL_KEYPOINTS if self.max_keypoints is None else self.max_keypoints
            inputs["max_keypoints"] = np.array(count, np.int64)
        return self._session.run(inputs)

    def _check_size(self, size: tuple[int, int]) -> None:
        rule = self.preprocessing
        if rule.fixed_size is not None and size != rule.fixed_size:
            raise InvalidInput(
                f"the extractor of this bundle expected an image of {rule.fixed_size} px (width, height), got {size}; "
                "resize it, or export without --image-size"
            )
        if min(size) < rule.min_side or any(side % rule.size_multiple for side in size):
            raise InvalidInput(
                f"the extractor of this bundle expected sides of at least {rule.min_side} px that are multiples of "
                f"{rule.size_multiple}, got {size} px (width, height); resize the image"
            )
