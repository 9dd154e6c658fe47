"""ALIKED with the interface of cvg/LightGlue."""

from torch import Tensor

from tiepoint.compat.lightglue.extractor import Extractor
from tiepoint.errors import InvalidInput
from tiepoint.extraction.networks import build_network
from tiepoint.huggingface.options import reject_unknown
from tiepoint.io.messages import unknown_name
from tiepoint.models.aliked.network import ALIKED_VARIANTS, RADIUS
from tiepoint.weights import load_state_dict

MAX_KEYPOINTS = 20_000
"""Maximum number of keypoints per image without `max_num_keypoints`."""

NAMES = [f"aliked-{variant}" for variant in ALIKED_VARIANTS]


class ALIKED(Extractor):
    """ALIKED: keypoints with sub-pixel positions and descriptors of 128 dimensions (t16: 64).

    Keypoints are in raster order; if there are more than `max_num_keypoints`, in descending order of score. If no score
    exceeds `detection_threshold`, those above the mean score of the image are keypoints.

    Args:
        model_name: "aliked-n16", "aliked-n16rot", "aliked-n32" or "aliked-t16".
        max_num_keypoints: Maximum number of keypoints per image, highest scores first; -1 or None: 20,000.
        detection_threshold: Minimum score (exclusive) of a keypoint; 0 or less selects by `max_num_keypoints` only.
        nms_radius: Radius of non-maximum suppression in px; only 2.
        **unknown: Unknown options; they are errors.

    Raises:
        InvalidInput: If an option is unknown or invalid.
        WeightsError: If the weights cannot be found, downloaded or loaded.
    """

    def __init__(
        self,
        *,
        model_name: str = "aliked-n16",
        max_num_keypoints: int | None = -1,
        detection_threshold: float = 0.2,
        nms_radius: int = RADIUS,
        **unknown: object,
    ) -> None:
        conf = {
            "model_name": model_name,
            "max_num_keypoints": max_num_keypoints,
            "detection_threshold": detection_threshold,
            "nms_radius": nms_radius,
        }
        reject_unknown("ALIKED", unknown, conf)
        if model_name not in NAMES:
            raise InvalidInput(unknown_name("model_name", model_name, NAMES))
        if nms_radius != RADIUS:
            raise InvalidInput(f"nms_radius: ALIKED was trained with {RADIUS} px, got {nms_radius}; omit it")
        super().__init__(build_network(model_name, load_state_dict(model_name)), conf)

    @property
    def _max_keypoints(self) -> int:
        return super()._max_keypoints or MAX_KEYPOINTS

    def _threshold(self, scores: Tensor, ranks: Tensor) -> float:
        """Return the mean score where no keypoint exceeds the threshold, as cvg/LightGlue does."""
        threshold = self.conf.detection_threshold
        if threshold > 0 and bool((ranks > threshold).any()):
            return threshold
        is_top_k = threshold <= 0 and super()._max_keypoints is not None
        return 0.0 if is_top_k else float(scores.mean())
