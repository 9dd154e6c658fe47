"""Predictors: what loop 1 asks for features and matches. A preset is one; other programs take part in the same way."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch

from tiepoint.api import load
from tiepoint.evaluation.protocols import Prediction
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.image import Image
from tiepoint.io.config import fingerprint
from tiepoint.presets import find_preset
from tiepoint.result import MatchResult
from tiepoint.types import Features
from tiepoint.types.options import LoadOptions

Pair: TypeAlias = tuple[Features, Features]


@runtime_checkable
class Predictor(Protocol):
    """A program under evaluation.

    Attributes:
        name: what figures are listed under.
        fingerprint: changes whenever anything that decides its features or matches changes.
    """

    name: str
    fingerprint: str

    def extract(self, image: Image) -> Features:
        """Keypoints and descriptors of one image, in px of that image."""
        ...

    def match_features(self, pairs: Sequence[Pair]) -> Sequence[MatchResult]:
        """One result a pair, in the same order, with the seconds of its "match"."""
        ...


class PresetPredictor:
    """One of our presets under a protocol's settings.

    Args:
        preset: see `tiepoint presets`.
        prediction: settings of the protocol.
        device: see `tiepoint.load`.
        accept_license: see `tiepoint.load`.
        progress: whether to show downloads of weights on stderr.

    Raises:
        InvalidInput: there is no such preset or device.
        WeightsError: weights can't be found, fetched or loaded.
    """

    def __init__(
        self,
        preset: str,
        prediction: Prediction,
        *,
        device: str | torch.device = "auto",
        accept_license: bool = False,
        progress: bool = False,
    ) -> None:
        self.name = preset
        self.prediction = prediction
        options: LoadOptions = {
            "device": device,
            "max_keypoints": prediction.max_keypoints,
            "resize": None,  # chosen per image
            "filter_threshold": prediction.filter_threshold,
            "accept_license": accept_license,
            "progress": progress,
        }
        if "adaptive" not in find_preset(preset).unsupported_options:
            options["adaptive"] = prediction.adaptive
        self._matcher = load(preset, **options)
        self.fingerprint = f"{self._matcher.fingerprint}-{fingerprint(prediction)}"

    def extract(self, image: Image) -> Features:
        """Resize as the protocol says, and extract."""
        extractor = self._matcher.extractor
        longer = self.prediction.longer_side(image.image_size)
        return NeuralExtractor(extractor.network, replace(extractor.settings, resize=longer)).extract(image)

    def match_features(self, pairs: Sequence[Pair]) -> list[MatchResult]:
        """Match pairs in packs."""
        return self._matcher.match_features(pairs)


def describe(predictor: Predictor, prediction: Prediction) -> dict[str, Any]:
    """What a store of its predictions depends on, in words that a person can compare."""
    return {
        "predictor": predictor.name,
        **asdict(prediction),
        "fingerprint": predictor.fingerprint,
        "tiepoint": version("tiepoint"),
    }
