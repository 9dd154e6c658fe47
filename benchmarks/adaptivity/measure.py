"""Record what early stopping and pruning do after each layer of LightGlue, on three pairs of scikit-image.

    python -m benchmarks adaptivity          # writes benchmarks/records/adaptivity.json: a minute
    python -m benchmarks adaptivity render   # update docs/explanation/adaptive-inference.md from the record

Confidence and pruning are those of the inference loop itself: hooks on the network note them while it runs, with a
threshold of early stopping that no pair reaches, so that all layers are seen.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

import tiepoint
from benchmarks.adaptivity.pairs import pairs
from benchmarks.records import Record, about, add_records_argument, write_record
from tiepoint.matching.inputs import network_positions
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.fused_layers import fuse
from tiepoint.models.lightglue.inference import (
    AdaptiveInference,
    PairAssignment,
    confidence_threshold,
    match_batch,
)
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.types import Features

PRESET = "aliked+lightglue"
NAME = "adaptivity.json"
NEVER_STOP = 1.0
FILTER_THRESHOLD = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_records_argument(parser, NAME)


def main(arguments: argparse.Namespace) -> None:
    """Measure all pairs and write the record."""
    matcher = tiepoint.load(PRESET)
    network = network_of(matcher)
    measured = {}
    for name, images in pairs().items():
        features = [matcher.extract(image) for image in images]
        measured[name] = measure_pair(network, (features[0], features[1]))
    write_record(
        arguments.records,
        NAME,
        {"about": about(runs=1), "preset": PRESET, "pairs": measured},
    )


def network_of(matcher: tiepoint.Matcher) -> LightGlue:
    """Return the network of a matcher in its fused form, as the matcher runs it."""
    assert isinstance(matcher.matcher, LightGlueMatcher)
    return fuse(matcher.matcher.network)


def measure_pair(network: LightGlue, features: tuple[Features, Features]) -> Record:
    """Return the layer at which the pair stops, and the state after each layer."""
    thresholds = AdaptiveInference()
    stopped = run(network, features, thresholds)
    with noted_confidence(network) as confidences:
        pruned = run(network, features, replace(thresholds, depth_confidence=NEVER_STOP))
    total = sum(map(len, features))
    layers = [
        {
            "layer": layer,
            "keypoints": count_after(pruned, layer),
            "matches": matches_after(network, features, layer),
        }
        for layer in range(1, network.shape.layers + 1)
    ]
    for row, confidence in zip(layers, confidences, strict=False):
        threshold = confidence_threshold(row["layer"] - 1, network.shape.layers)
        row["confident"] = 1 - (confidence < threshold).sum().item() / total
    return {
        "keypoints": total,
        "layers_run": stopped.layers_run,
        "stopped_by": stopped.stopped_by,
        "matches": num_matches(stopped),
        "layers": layers,
    }


def run(
    network: LightGlue, features: tuple[Features, Features], adaptivity: AdaptiveInference, **options: Any
) -> PairAssignment:
    """Match a pair with the inference loop."""
    (found,) = match_batch(
        network,
        torch.cat([network_positions(each, network.shape) for each in features]),
        torch.cat([each.descriptors for each in features]),
        [(len(features[0]), len(features[1]))],
        adaptivity=adaptivity,
        filter_threshold=FILTER_THRESHOLD,
        **options,
    )
    return found


@contextmanager
def noted_confidence(network: LightGlue) -> Iterator[list[torch.Tensor]]:
    """Note the confidence of the tokens after each layer, while the network runs."""
    noted: list[torch.Tensor] = []
    hooks = [
        head.register_forward_hook(lambda _, inputs, output: noted.append(output.float()))
        for head in network.token_confidence
    ]
    yield noted
    for hook in hooks:
        hook.remove()


def count_after(found: PairAssignment, layer: int) -> int:
    """Return the number of keypoints that take part in the layer after this one."""
    return sum(int((prune > layer).sum()) for prune in (found.prune0, found.prune1))


def matches_after(network: LightGlue, features: tuple[Features, Features], layer: int) -> int:
    """Return the number of matches that the assignment head of a layer finds."""
    never_stop = replace(AdaptiveInference(), depth_confidence=NEVER_STOP)
    return num_matches(run(network, features, never_stop, max_layers=layer))


def num_matches(found: PairAssignment) -> int:
    """Return the number of matches."""
    return int((found.assignment.matches0 >= 0).sum())
