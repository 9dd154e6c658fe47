"""Predictors: the methods under evaluation, a preset or another program."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch

from tiepoint.api import load
from tiepoint.evaluation.protocols import Prediction
from tiepoint.image import Image
from tiepoint.io.config import fingerprint
from tiepoint.presets import find_preset, full_name
from tiepoint.result import MatchResult
from tiepoint.types import Features
from tiepoint.types.options import LoadOptions, Stretch

Pair: TypeAlias = tuple[Features, Features]


@runtime_checkable
class Predictor(Protocol):
    """A method under evaluation.

    Attributes:
        name: Name of the method in reports.
        fingerprint: Digest of everything that its features and matches depend on.
    """

    name: str
    fingerprint: str

    def extract(self, image: Image) -> Features:
        """Return keypoints and descriptors of one image, in px of that image."""
        ...

    def match_features(self, pairs: Sequence[Pair]) -> Sequence[MatchResult]:
        """Return one result per pair, in the same order, with `seconds["match"]`."""
        ...


class PresetPredictor:
    """A preset of tiepoint with the settings of a protocol.

    Args:
        preset: Name of a preset, see `tiepoint presets`.
        prediction: Settings of the protocol.
        stretch: Percentile stretch of images, as for `tiepoint.load`.
        device: Device, as for `tiepoint.load`.
        accept_license: Accept weights whose license forbids commercial use.
        progress: Show the progress of weight downloads on stderr.

    Raises:
        InvalidInput: If preset or device is unknown.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """

    def __init__(
        self,
        preset: str,
        prediction: Prediction,
        *,
        stretch: Stretch = None,
        device: str | torch.device = "auto",
        accept_license: bool = False,
        progress: bool = False,
    ) -> None:
        self.name = str(full_name(preset))
        self.prediction = prediction
        options: LoadOptions = {
            "device": device,
            "max_keypoints": prediction.max_keypoints,
            "resize": None,  # chosen per image
            "upscale": prediction.upscale,
            "stretch": stretch,
            "filter_threshold": prediction.filter_threshold,
            "accept_license": accept_license,
            "progress": progress,
        }
        if "adaptive" not in find_preset(preset).unsupported_options:
            options["adaptive"] = prediction.adaptive
        self._matcher = load(preset, **options)
        self.stretch: Stretch = self._matcher.extractor.settings.stretch
        self.fingerprint = f"{self._matcher.fingerprint}-{fingerprint(prediction)}"

    def extract(self, image: Image) -> Features:
        """Resize as specified by the protocol, and extract."""
        extractor = self._matcher.extractor
        longer = self.prediction.longer_side(image.image_size)
        return extractor.with_settings(replace(extractor.settings, resize=longer)).extract(image)

    def match_features(self, pairs: Sequence[Pair]) -> list[MatchResult]:
        """Match pairs in batches."""
        return self._matcher.match_features(pairs)


def describe(predictor: Predictor, prediction: Prediction) -> dict[str, Any]:
    """Return the settings of the store of a predictor's results, as readable values."""
    return {
        "predictor": predictor.name,
        **asdict(prediction),
        "fingerprint": predictor.fingerprint,
        "tiepoint": version("tiepoint"),
    }
