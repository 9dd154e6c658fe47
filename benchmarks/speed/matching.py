"""Cases: LightGlue in every library on the same ALIKED features, with the limit of the machine at the same time."""

from collections.abc import Iterator
from dataclasses import asdict

import torch

from benchmarks.baselines import IMPLEMENTATIONS, Match, lightglue_network
from benchmarks.images import Files, Pair, extract_pairs, top_k
from benchmarks.speed.hardware_limits import BytesMoved, measure_rates, minimum_work
from benchmarks.timing import Case

ALL_LAYERS_KEYPOINTS = (512, 1024, 2048, 4096)
ADAPTIVE_KEYPOINTS = (512, 2048)
QUICK_KEYPOINTS = (256,)

TORCH_IMPLEMENTATIONS = [library for library in IMPLEMENTATIONS if library != "ONNX Runtime"]
"""Implementations with torch operations, whose memory traffic can be counted."""


def cases(files: dict[str, Files], *, quick: bool) -> Iterator[Case]:
    """Yield the easy pair with all layers, and both pairs with adaptive inference."""
    counts = QUICK_KEYPOINTS if quick else ALL_LAYERS_KEYPOINTS
    pairs = extract_pairs(files, max(counts))
    for count in counts:
        yield case("easy", top_k(pairs["easy"], count), adaptive=False)
    for count in QUICK_KEYPOINTS if quick else ADAPTIVE_KEYPOINTS:
        for name, pair in pairs.items():
            yield case(name, top_k(pair, count), adaptive=True)


def case(name: str, pair: Pair, *, adaptive: bool) -> Case:
    """Return one row of the table."""
    count = len(pair[0])
    matchers = {
        library: implementation.make(adaptive)
        for library, implementation in IMPLEMENTATIONS.items()
        if implementation.is_adaptive or not adaptive
    }
    works = {library: lambda match=match: match(pair) for library, match in matchers.items()}
    facts = {"keypoints": count, "pair": name, "adaptive": adaptive}
    if adaptive:
        return Case("matching", f"{count} keypoints, adaptive, {name} pair", works, facts)
    work = minimum_work(len(pair[0]), len(pair[1]), lightglue_network().shape)
    return Case(
        "matching",
        f"{count} keypoints, all layers",
        works,
        facts | {"least": asdict(work)},
        measure_facts=lambda: {
            "bytes_moved": {name: bytes_moved(matchers[name], pair) for name in TORCH_IMPLEMENTATIONS}
        },
        measure_rates=lambda: asdict(measure_rates()),
    )


def bytes_moved(match: Match, pair: Pair) -> int:
    """Return the bytes that torch operations read and write in one match."""
    with torch.no_grad(), BytesMoved() as moved:
        match(pair)
    return moved.bytes
