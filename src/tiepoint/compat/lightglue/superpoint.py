"""SuperPoint with the interface of cvg/LightGlue."""

from pathlib import Path
from typing import cast

from torch import Tensor

from tiepoint.compat.lightglue.extractor import Extractor
from tiepoint.extraction.networks import build_network
from tiepoint.huggingface.options import reject_unknown
from tiepoint.io.validation import check_integer
from tiepoint.models.detector import Detector
from tiepoint.models.superpoint.network import RADIUS, SuperPoint as Network
from tiepoint.weights import load_state_dict


class SuperPoint(Extractor):
    """SuperPoint: keypoints at integer pixels and descriptors of 256 dimensions.

    Keypoints are in raster order; if there are more than `max_num_keypoints`, in descending order of score.

    Args:
        nms_radius: Radius of non-maximum suppression in px.
        max_num_keypoints: Maximum number of keypoints per image, highest scores first; None keeps all.
        detection_threshold: Minimum score (exclusive) of a keypoint.
        remove_borders: Width of the border without keypoints in px.
        accept_license: Accept the license of the published weights, which forbids commercial use. cvg/LightGlue does
            not have this option.
        weights: Weights file, or a name in `tiepoint.weights.WEIGHTS`. cvg/LightGlue does not have this option.
        **unknown: Unknown options; they are errors.

    Raises:
        InvalidInput: If an option is unknown or invalid.
        WeightsError: If the license is not accepted, or the weights cannot be found, downloaded or loaded.
    """

    def __init__(
        self,
        *,
        nms_radius: int = RADIUS,
        max_num_keypoints: int | None = None,
        detection_threshold: float = 0.0005,
        remove_borders: int = RADIUS,
        accept_license: bool = False,
        weights: str | Path = "superpoint",
        **unknown: object,
    ) -> None:
        conf = {
            "nms_radius": nms_radius,
            "max_num_keypoints": max_num_keypoints,
            "detection_threshold": detection_threshold,
            "remove_borders": remove_borders,
        }
        reject_unknown("SuperPoint", unknown, [*conf, "accept_license", "weights"])
        if max_num_keypoints is not None:
            check_integer("max_num_keypoints", max_num_keypoints, 1, alternative="None")
        network = build_network("superpoint", load_state_dict(weights, accept_license=accept_license))
        super().__init__(network, conf)

    def _suppress(self, network: Detector, scores: Tensor) -> Tensor:
        superpoint = cast(Network, network)
        return superpoint.suppress_non_maxima(
            scores, nms_radius=self.conf.nms_radius, border=self.conf.remove_borders
        )

    def _channels(self, images: Tensor) -> Tensor:
        return images  # the network converts them to gray
