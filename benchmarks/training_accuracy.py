"""Accuracy of a trained matcher beside the published one on every set of ../shared/data, on the same features."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from render_accuracy import MAIN
from results import DATA, set_names
from tiepoint.evaluate.compare import Comparison, compare
from tiepoint.evaluate.datasets import read_dataset
from tiepoint.evaluate.evaluation import evaluate
from tiepoint.evaluate.pairs import Dataset
from tiepoint.evaluate.predictors import PresetPredictor
from tiepoint.evaluate.protocols import PROTOCOLS, Prediction, Protocol, Setup
from tiepoint.image import Image
from tiepoint.types import Features

BESIDE = "num_matches"
"""The figure that stands beside each set's own."""


class Shared(PresetPredictor):
    """A preset that extracts only what no other one with the same extractor has extracted."""

    def __init__(self, preset: str, prediction: Prediction, known: dict[int, Features]) -> None:
        super().__init__(preset, prediction, device="cpu")
        self._known = known

    def extract(self, image: Image) -> Features:
        """See `PresetPredictor`; an image is known by its pixels."""
        key = hash(image.pixels.numpy().tobytes())
        if key not in self._known:
            self._known[key] = super().extract(image)
        return self._known[key]


def measure_accuracy(folder: Path, published: str, store: Path) -> dict[str, Any]:
    """Figures of every set, with all layers and adaptive.

    Args:
        folder: of the trained matcher.
        published: preset with the same extractor.
        store: folder where matches stay, so that what was interrupted goes on.
    """
    variants = {"all layers": all_layers(PROTOCOLS["tiepoint"]), "adaptive": PROTOCOLS["tiepoint"]}
    found: dict[str, dict[str, Any]] = {name: {} for name in variants}
    for dataset in datasets():
        known: dict[int, Features] = {}
        for name, protocol in variants.items():
            reports = [
                evaluate(dataset, partial(Shared, str(preset), known=known), protocol, store=store / place)
                for preset, place in (
                    (published, f"{name}/published/{short_name(dataset)}"),
                    (folder, f"{name}/trained/{short_name(dataset)}"),
                )
            ]
            found[name][short_name(dataset)] = row_of(compare(*reports))
            print(name, short_name(dataset), found[name][short_name(dataset)], flush=True)
    return {"accuracy": found}


def datasets() -> Iterator[Dataset]:
    """All sets with ground truth."""
    return (read_dataset("pairs-jsonl", f"{DATA}#{name}") for name in set_names(DATA))


def short_name(dataset: Dataset) -> str:
    """Name of the set without its reader's."""
    return dataset.name.rpartition("#")[2]


def row_of(comparison: Comparison) -> dict[str, Any]:
    """What the page needs of a set."""
    by_key = {difference.figure.key: difference for difference in comparison.differences}
    (main,) = (by_key[key] for key in MAIN.values() if key in by_key)
    return {
        "figure": main.figure.key,
        **{name: value for name, value in main.to_dict().items() if name != "real"},
        BESIDE: [by_key[BESIDE].value0, by_key[BESIDE].value1],
    }


def all_layers(protocol: Protocol) -> Protocol:
    """The protocol with adaptivity off."""
    setups = {
        family: without_adaptivity(getattr(protocol, family)) for family in ("planar", "posed", "indoor")
    }
    return replace(protocol, name=f"{protocol.name}, all layers", **setups)


def without_adaptivity(setup: Setup) -> Setup:
    """The setup with all layers and all keypoints."""
    return replace(setup, prediction=replace(setup.prediction, adaptive=False))
