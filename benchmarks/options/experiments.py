"""Table of the experiments: presets, the option that varies, and the pairs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import PIL.Image

from benchmarks.paths import DATA
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair
from tiepoint.evaluation.protocols import OURS, Prediction, Protocol, find_protocol

RESIZE = 1024
"""Longer side in px to which images are resized, as in the protocol "tiepoint"."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One option with several values.

    Attributes:
        option: Option of `tiepoint.load`, and field of `Prediction`.
        presets: Presets to measure.
        values: Name of a variant -> value of the option; the first one is the reference of the differences.
        small_only: Whether only pairs of images that are smaller than `RESIZE` are matched.
    """

    option: str
    presets: tuple[str, ...]
    values: Mapping[str, Any]
    small_only: bool = False

    def prediction(self, value: Any) -> Prediction:
        """Return the protocol's settings with one value of the option."""
        return replace(OURS, **{self.option: value})

    def protocol(self, value: Any) -> Protocol:
        """Return the protocol "tiepoint" with one value of the option."""
        known, prediction = find_protocol("tiepoint"), self.prediction(value)
        setups = {name: replace(known.setup(name), prediction=prediction) for name in ("planar", "posed")}
        return replace(known, **setups, indoor=setups["posed"])

    def datasets(self, data: Path = DATA) -> Iterator[Dataset]:
        """Yield the data sets with the pairs of this experiment."""
        dataset = read_dataset("pairs-jsonl", str(data))
        pairs = tuple(pair for pair in dataset.pairs if not self.small_only or is_small(pair))
        for name in dict.fromkeys(pair.name.partition("/")[0] for pair in pairs):
            chosen = tuple(pair for pair in pairs if pair.name.partition("/")[0] == name)
            yield replace(dataset, name=name, pairs=chosen)


EXPERIMENTS = {
    "upscaling": Experiment(
        option="upscale",
        presets=("xfeat+lighterglue", "xfeat+nearest", "aliked+lightglue"),
        values={"enlarged to 1024 px": True, "not enlarged": False},
        small_only=True,
    ),
    "adaptive": Experiment(
        option="adaptive",
        presets=("xfeat+lighterglue",),
        values={"all layers": False, "pruning": "width", "pruning and early stopping": True},
    ),
}
"""Name -> experiment."""


def is_small(pair: EvaluationPair) -> bool:
    """Return whether both images are smaller than `RESIZE`."""
    return max(*image_size(pair.image0), *image_size(pair.image1)) < RESIZE


def image_size(path: Path) -> tuple[int, int]:
    """Return the size (width, height) of an image file in px."""
    with PIL.Image.open(path) as image:
        return image.size
