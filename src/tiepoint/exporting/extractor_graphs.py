"""Extractors as graphs: an image in, its keypoints out."""

import copy
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from tiepoint.exporting.graphs import Graph, example
from tiepoint.models.aliked.deformable_conv import DeformableConv2d, limit_offsets
from tiepoint.models.detector import Detector
from tiepoint.models.keypoints import Detection

EXAMPLE_SHAPE = (96, 160)
"""Shape (height, width) in px of the image that graphs are traced with."""


class ExtractorGraph(nn.Module):
    """The steps of `Detector.forward` for one image, with an open number of keypoints.

    Args:
        network: Detector; images that it would resize have to be resized before.
        detection_threshold: Minimum score (exclusive).
        max_keypoints: Fixed maximum number of keypoints; None makes it an input.
    """

    def __init__(
        self, network: Detector, detection_threshold: float, max_keypoints: int | None = None
    ) -> None:
        super().__init__()
        self.network = network
        self.detection_threshold = detection_threshold
        self.max_keypoints = max_keypoints

    def forward(
        self, image: Float[Tensor, "1 3 h w"], max_keypoints: Int[Tensor, ""] | None = None
    ) -> Detection:
        """Detect and describe keypoints.

        Args:
            image: RGB image in [0, 1].
            max_keypoints: Maximum number of keypoints.

        Returns:
            Keypoints in px of the image, in descending order of score.
        """
        scores, features = self.network.dense_maps(image)
        count = self.max_keypoints if max_keypoints is None else _count(max_keypoints)
        return self.network.detect(
            scores[0], features[0], max_keypoints=count, detection_threshold=self.detection_threshold
        )


def extractor_graph(
    network: Detector,
    *,
    detection_threshold: float = 0.0,
    image_size: tuple[int, int] | None = None,
    max_keypoints: int | None = None,
    deform_operator: bool = True,
) -> Graph:
    """Describe the graph of an extractor.

    Args:
        network: Detector.
        detection_threshold: Minimum score (exclusive) of a keypoint.
        image_size: The only size (width, height) in px of the image; None leaves it open.
        max_keypoints: Maximum number of keypoints; None makes it an input.
        deform_operator: Use ONNX's operator `DeformConv`; otherwise deformable convolutions gather their inputs.
    """
    network = copy.deepcopy(network)
    if deform_operator:
        _use_deform_operator(network)
    height, width = image_size[::-1] if image_size else EXAMPLE_SHAPE
    inputs = {"image": example(1, 3, height, width)}
    if max_keypoints is None:
        inputs["max_keypoints"] = torch.tensor(64, dtype=torch.int64, device="cpu")
    return Graph(
        name="extractor",
        module=ExtractorGraph(network, detection_threshold, max_keypoints),
        inputs=inputs,
        outputs=Detection._fields,
        open_sizes={} if image_size else {"image": {2: "height", 3: "width"}},
        output_sizes={name: {0: "num_keypoints"} for name in Detection._fields},
        multiples={"height": network.size_multiple, "width": network.size_multiple},
    )


def _count(max_keypoints: Int[Tensor, ""]) -> int:
    count = cast(int, max_keypoints.item())
    torch._check(count >= 0)
    return count


class _DeformOperator(nn.Module):
    """`DeformableConv2d` as ONNX's operator; exists in graphs only."""

    def __init__(self, conv: DeformableConv2d) -> None:
        super().__init__()
        self.offset_conv, self.weight = conv.offset_conv, conv.regular_conv.weight

    def forward(self, maps: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        offsets = limit_offsets(self.offset_conv(maps))
        batch, _, height, width = maps.shape
        return torch.onnx.ops.symbolic(
            "DeformConv",
            (maps, self.weight, offsets),
            attrs={"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
            dtype=maps.dtype,
            shape=(batch, self.weight.shape[0], height, width),
            version=19,
        )


def _use_deform_operator(network: nn.Module) -> None:
    """Replace all deformable convolutions in place."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, DeformableConv2d):
                setattr(module, name, _DeformOperator(child))
