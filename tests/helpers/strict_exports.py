"""`torch.export`, strict and with open sizes, next to the network itself: prints the largest fractions of
differing values as JSON.

Run as a program, without the shape checks of `tests/conftest.py`, whose wrappers strict export cannot trace.
"""

import json
from collections.abc import Iterator
from typing import Any

import torch
from tests.helpers.published_xfeat import random_xfeat
from tests.helpers.random_networks import random_model, tiny_config
from tests.helpers.tiny_bundles import tiny_network
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, export

from tiepoint.huggingface import SuperPointForKeypointDetection
from tiepoint.models.aliked.network import ALIKED, ALIKEDConfig
from tiepoint.models.detector import Detector
from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.superpoint.network import SuperPoint, SuperPointShape
from tiepoint.models.xfeat import build as build_xfeat

SHAPES = ((96, 160), (64, 96), (128, 64))
"""Shapes (height, width) in px; the first one is that of the example."""
COUNTS = ((9, 7), (3, 12), (40, 40))
"""Numbers of keypoints; the first ones are those of the example."""
TOLERANCE = 1e-4

DETECTORS: dict[str, Any] = {
    "aliked": lambda: ALIKED(ALIKEDConfig(widths=(4, 4, 8, 8), dim=8, positions=2)),
    "disk": lambda: DISK(DISKConfig(down=(4, 4), up=(), dim=8)),
    "superpoint": lambda: SuperPoint(SuperPointShape(widths=(8, 8, 8, 8), head_width=8, dim=8)),
    "xfeat": lambda: build_xfeat(random_xfeat().state_dict()),
}


def check_detector(name: str) -> Iterator[float]:
    """Yield the fractions of differing values of all outputs of a detector."""
    torch.manual_seed(0)
    network: Detector = DETECTORS[name]()
    multiple = network.size_multiple
    sizes = [multiple * Dim(side, min=1, max=512) if multiple > 1 else Dim.DYNAMIC for side in ("h", "w")]
    program = strict_export(network, (images(SHAPES[0], 1),), {"images": {2: sizes[0], 3: sizes[1]}})
    for shape in SHAPES:
        (found,), (expected,) = program.module()(images(shape, 1)), network(images(shape, 1))
        assert len(expected.keypoints) > 10, (name, shape, len(expected.keypoints))
        yield from map(difference, found, expected)


def check_lightglue() -> Iterator[float]:
    """Yield the fractions of differing values of the log assignment matrix."""
    network = tiny_network()

    def inputs(m: int, n: int) -> tuple[Tensor, ...]:
        generator = torch.Generator().manual_seed(m)
        return tuple(torch.rand(2, count, width, generator=generator) for count in (m, n) for width in (2, 8))

    counts = {"0": Dim("m", min=1, max=4096), "1": Dim("n", min=1, max=4096)}
    names = ("positions0", "descriptors0", "positions1", "descriptors1")
    sizes: dict[str, Any] = {name: {1: counts[name[-1]]} for name in names}
    program = strict_export(network, inputs(*COUNTS[0]), sizes)
    for m, n in COUNTS:
        yield difference(program.module()(*inputs(m, n)), network(*inputs(m, n)))


def check_huggingface(name: str) -> Iterator[float]:
    """Yield the fractions of differing values of all outputs of a class with transformers' names, and of blank images."""
    config = tiny_config(max_keypoints=40, depth_confidence=-1.0, width_confidence=-1.0)
    network, batch = random_model(config), (2, 2)
    weights = network.keypoint_detector.state_dict()
    if name == "superpoint":
        network, batch = SuperPointForKeypointDetection(config.keypoint_detector_config), (2,)
        network.detector.load_state_dict(weights)
    axis = 1 + len(batch)
    sizes = {"pixel_values": {axis: Dim.DYNAMIC, axis + 1: Dim.DYNAMIC}}
    program = strict_export(network, (images(SHAPES[0], *batch),), sizes)
    for shape in SHAPES:
        found, expected = program.module()(images(shape, *batch)), network(images(shape, *batch))
        assert type(found) is type(expected)
        yield from (difference(found[key], values) for key, values in expected.items())
    blank = program.module()(torch.zeros(*batch, 3, *SHAPES[1]))
    assert blank.mask.shape[-1] == 0


def strict_export(network: nn.Module, inputs: tuple[Tensor, ...], sizes: dict[str, Any]) -> ExportedProgram:
    """Export a network with `torch.export`."""
    return export(network.eval(), inputs, dynamic_shapes=sizes, strict=True)


def images(shape: tuple[int, int], *batch: int) -> Tensor:
    """Images of noise."""
    return torch.rand(*batch, 3, *shape, generator=torch.Generator().manual_seed(0))


def difference(found: Tensor, expected: Tensor) -> float:
    """Return the fraction of values that differ: keypoints whose scores differ by rounding only may change places."""
    if found.shape != expected.shape:
        return 1.0
    return (
        float(((found.double() - expected.double()).abs() > TOLERANCE).double().mean())
        if found.numel()
        else 0.0
    )


@torch.no_grad()
def main() -> None:
    """Export everything."""
    found = {name: max(check_detector(name)) for name in DETECTORS}
    found["lightglue"] = max(check_lightglue())
    found |= {f"huggingface {name}": max(check_huggingface(name)) for name in ("superpoint", "lightglue")}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
