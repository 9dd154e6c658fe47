"""`torch.export` of the networks with open sizes."""

import torch
from tests.helpers.shape_checks import without_shape_checks
from tests.helpers.tiny_bundles import tiny_detector
from torch.export import Dim

from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.models.tracing import is_tracing


def test_nothing_is_traced_here() -> None:
    assert not is_tracing()


@torch.no_grad()
def test_lightglue() -> None:
    torch.manual_seed(0)
    network = LightGlue(LightGlueShape(input_dim=8, dim=16, layers=2, heads=2)).eval()
    batch, m, n = Dim("batch"), Dim("m"), Dim("n")
    example = (torch.rand(2, 9, 2), torch.rand(2, 9, 8), torch.rand(2, 7, 2), torch.rand(2, 7, 8))
    shapes = ({0: batch, 1: m}, {0: batch, 1: m}, {0: batch, 1: n}, {0: batch, 1: n})
    with without_shape_checks():
        exported = torch.export.export(network, example, dynamic_shapes=shapes, strict=False).module()
    inputs = (torch.rand(3, 5, 2), torch.rand(3, 5, 8), torch.rand(3, 11, 2), torch.rand(3, 11, 8))
    torch.testing.assert_close(exported(*inputs), network(*inputs))


@torch.no_grad()
def test_detector() -> None:
    network = tiny_detector()
    size = Dim.DYNAMIC(min=16, max=10_000)
    with without_shape_checks():
        exported = torch.export.export(
            network,
            (torch.rand(1, 3, 96, 160),),
            {"max_keypoints": 30},
            dynamic_shapes={"images": {2: size, 3: size}, "max_keypoints": None},
            strict=False,
            prefer_deferred_runtime_asserts_over_guards=True,
        ).module()
    for height, width in ((64, 96), (80, 48)):
        image = torch.rand(1, 3, height, width)
        (found,), (expected,) = (run(image, max_keypoints=30) for run in (exported, network))
        assert torch.equal(found.keypoints, expected.keypoints)
        torch.testing.assert_close(found.descriptors, expected.descriptors)
