"""LightGlue beside LightGlue on the same ALIKED features, with the limit of the machine in the same minute."""

from collections.abc import Iterator
from dataclasses import asdict

import torch

from contestants import LIGHTGLUES, Match, weights
from limits import BytesMoved, least_work, measure_rates
from photographs import Files, Pair, features_of, strongest
from timing import Case

ALL_LAYERS = (512, 1024, 2048, 4096)
ADAPTIVE = (512, 2048)
TORCH_MADE = [library for library in LIGHTGLUES if library != "ONNX Runtime"]
"""Contestants whose operations are torch's, so that the bytes that they move can be counted."""


def cases(files: dict[str, Files], *, quick: bool) -> Iterator[Case]:
    """All layers on the easy pair; adaptive on both."""
    counts, adaptive_counts = ((256,), (256,)) if quick else (ALL_LAYERS, ADAPTIVE)
    pairs = features_of(files, max(counts))
    for count in counts:
        yield case("easy", strongest(pairs["easy"], count), adaptive=False)
    for count in adaptive_counts:
        for name, pair in pairs.items():
            yield case(name, strongest(pair, count), adaptive=True)


def case(name: str, pair: Pair, *, adaptive: bool) -> Case:
    """One row of the table."""
    count = len(pair[0])
    matchers = {
        library: contestant.make(adaptive)
        for library, contestant in LIGHTGLUES.items()
        if contestant.adapts or not adaptive
    }
    works = {library: lambda match=match: match(pair) for library, match in matchers.items()}
    facts = {"keypoints": count, "pair": name, "adaptive": adaptive}
    if adaptive:
        return Case("matching", f"{count} keypoints, adaptive, {name} pair", works, facts)
    return Case(
        "matching",
        f"{count} keypoints, all layers",
        works,
        facts | {"least": asdict(least_work(len(pair[0]), len(pair[1]), weights().shape))},
        measured=lambda: {"bytes_moved": {name: bytes_moved(matchers[name], pair) for name in TORCH_MADE}},
        rates=lambda: asdict(measure_rates()),
    )


def bytes_moved(match: Match, pair: Pair) -> int:
    """Of one match."""
    with torch.no_grad(), BytesMoved() as moved:
        match(pair)
    return moved.bytes
