"""DISK with the interface of cvg/LightGlue."""

from torch import Tensor

from tiepoint.compat.lightglue.extractor import Extractor
from tiepoint.errors import InvalidInput
from tiepoint.extraction.networks import build_network
from tiepoint.huggingface.options import reject_unknown
from tiepoint.models.disk import RADIUS
from tiepoint.weights import WEIGHTS, load_state_dict

WINDOW_SIZE = 2 * RADIUS + 1


class DISK(Extractor):
    """DISK: keypoints at integer pixels and descriptors of 128 dimensions; keypoints are in raster order.

    Args:
        weights: Training of the weights; only "depth".
        max_num_keypoints: Maximum number of keypoints per image, highest scores first; None keeps all.
        desc_dim: Descriptor dimension; only 128.
        nms_window_size: Side of the window of non-maximum suppression in px; only 5.
        detection_threshold: Minimum score (exclusive) of a keypoint: a logit of 0 or more.
        pad_if_not_divisible: Pad images to multiples of 16 px; only True.
        **unknown: Unknown options; they are errors.

    Raises:
        InvalidInput: If an option is unknown or invalid.
        WeightsError: If the weights cannot be found, downloaded or loaded.
    """

    def __init__(
        self,
        *,
        weights: str = "depth",
        max_num_keypoints: int | None = None,
        desc_dim: int = 128,
        nms_window_size: int = WINDOW_SIZE,
        detection_threshold: float = 0.0,
        pad_if_not_divisible: bool = True,
        **unknown: object,
    ) -> None:
        fixed = {
            "weights": (weights, "depth"),
            "desc_dim": (desc_dim, 128),
            "nms_window_size": (nms_window_size, WINDOW_SIZE),
            "pad_if_not_divisible": (pad_if_not_divisible, True),
        }
        conf = {name: value for name, (value, _) in fixed.items()}
        conf |= {"max_num_keypoints": max_num_keypoints, "detection_threshold": detection_threshold}
        reject_unknown("DISK", unknown, conf)
        for name, (value, supported) in fixed.items():
            if value != supported:
                raise InvalidInput(f"{name}: only {supported!r} is supported, got {value!r}; omit it")
        network = build_network("disk", load_state_dict("disk", key=WEIGHTS["disk"].group))
        super().__init__(network, conf)

    def _ordered(self, selected: Tensor) -> Tensor:
        return selected.sort().values
