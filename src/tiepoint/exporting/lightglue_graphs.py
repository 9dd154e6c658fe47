"""LightGlue as graphs for other runtimes: flat tensors in and out, one pair, no state.

The adaptive form is cut where a host decides: `EncodeGraph` once per image, then one `LayerGraph` after the other, and
`AssignGraph` of the layer at which the host stops. Between layers the host compares confidences, and gathers the rows of
the keypoints that it keeps. `SingleGraph` runs all layers at once.

The layers take the fused weights of `models.lightglue.fused_layers`, so they do the arithmetic of the package. Tokens of
both images run through the linear layers together; only attention separates them.
"""

from collections.abc import Iterable
from typing import NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from tiepoint.exporting.block_graphs import Attend, CrossGraph, Linear, SelfGraph
from tiepoint.models.lightglue.assignment import AssignmentTensors, mutual_nearest
from tiepoint.models.lightglue.fused_layers import FusedCrossBlock, FusedSelfBlock
from tiepoint.models.lightglue.network import (
    LightGlue,
    MatchAssignment,
    PositionalEncoding,
    TokenConfidence,
)


class EncodeGraph(nn.Module):
    """Normalize the keypoints of one image, project its descriptors, and encode its positions.

    Args:
        network: Network with the weights.
    """

    def __init__(self, network: LightGlue) -> None:
        super().__init__()
        self.shape = network.shape
        self.input_proj = network.input_proj
        self.posenc = cast(PositionalEncoding, network.posenc)

    def forward(
        self,
        keypoints: Float[Tensor, "n 2"],
        image_size: Float[Tensor, "2"],
        descriptors: Float[Tensor, "n i"],
        scales: Float[Tensor, "n"] | None = None,
        orientations: Float[Tensor, "n"] | None = None,
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n e"]]:
        """Compute the tokens, and the cosines and sines of their rotation.

        Args:
            keypoints: Keypoints (x, y) in px.
            image_size: Size (width, height) of their image in px.
            descriptors: Descriptors.
            scales: Keypoint sizes in px, if the weights need them.
            orientations: Keypoint orientations in rad, if the weights need them.
        """
        positions = self.shape.normalize(keypoints, image_size)
        if scales is not None and orientations is not None:
            positions = torch.cat((positions, torch.stack((scales, orientations), dim=1)), dim=1)
        return self.encode_positions(positions, descriptors)

    def encode_positions(
        self, positions: Float[Tensor, "n p"], descriptors: Float[Tensor, "n i"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n e"]]:
        """Do the same for normalized positions."""
        return self.input_proj(descriptors), torch.cat(self.posenc(positions), dim=1)


class LayerOutputs(NamedTuple):
    """Outputs of `LayerGraph`, named as in the bundle; confidences and matchabilities are probabilities."""

    next_tokens0: Float[Tensor, "m d"]
    next_tokens1: Float[Tensor, "n d"]
    confidence0: Float[Tensor, "m"]
    confidence1: Float[Tensor, "n"]
    matchability0: Float[Tensor, "m"]
    matchability1: Float[Tensor, "n"]


class LayerGraph(nn.Module):
    """One transformer layer, the confidence of its tokens, and their matchability.

    All weights are parameters or buffers under the same names, and used as they are: the graphs of all layers of a
    network differ in these tensors only.

    Args:
        network: Fused network (`fuse`).
        layer: Index of the layer; the last one has no confidence, its outputs are tokens only.
        attend: Attention.
    """

    def __init__(self, network: LightGlue, layer: int, attend: Attend) -> None:
        super().__init__()
        block = network.transformers[layer]
        self.self_block = SelfGraph(cast(FusedSelfBlock, block.self_attn), attend)
        self.cross_block = CrossGraph(cast(FusedCrossBlock, block.cross_attn), attend)
        self.is_last = layer + 1 == network.shape.layers
        if not self.is_last and network.shape.token_confidence:
            token = cast(TokenConfidence, network.confidence(layer)).token
            self.confidence = Linear.of(cast(nn.Linear, token[0]))
            self.matchability = Linear.of(network.head(layer).matchability)

    def forward(
        self,
        tokens0: Float[Tensor, "m d"],
        tokens1: Float[Tensor, "n d"],
        rotation0: Float[Tensor, "m e"],
        rotation1: Float[Tensor, "n e"],
    ) -> LayerOutputs | tuple[Float[Tensor, "m d"], Float[Tensor, "n d"]]:
        """Run the layer.

        Args:
            tokens0: Tokens of image 0.
            tokens1: Tokens of image 1.
            rotation0: Cosines, then sines of the tokens of image 0.
            rotation1: Cosines, then sines of the tokens of image 1.
        """
        count = tokens0.shape[0]
        x = self.layer(torch.cat((tokens0, tokens1)), torch.cat((rotation0, rotation1)), count)
        if self.is_last:
            return x[:count], x[count:]
        confidence, matchability = (
            torch.sigmoid(head(x).squeeze(1)) for head in (self.confidence, self.matchability)
        )
        return LayerOutputs(
            *(part for values in (x, confidence, matchability) for part in (values[:count], values[count:]))
        )

    def layer(
        self, x: Float[Tensor, "t d"], rotation: Float[Tensor, "t e"], count: int
    ) -> Float[Tensor, "t d"]:
        """Run the layer on the tokens of both images, the first `count` of which belong to image 0."""
        return self.cross_block(self.self_block(x, rotation, count), count)


class AssignGraph(nn.Module):
    """Match the tokens of two images with the assignment head of one layer.

    Args:
        head: Assignment head.
        filter_threshold: Minimum match score (exclusive).
    """

    def __init__(self, head: MatchAssignment, filter_threshold: float) -> None:
        super().__init__()
        root = head.final_proj.out_features**0.25
        self.projection = Linear(head.final_proj.weight / root, head.final_proj.bias / root)
        self.matchability = Linear.of(head.matchability) if head.score_matchability else None
        self.filter_threshold = filter_threshold

    def forward(self, tokens0: Float[Tensor, "m d"], tokens1: Float[Tensor, "n d"]) -> AssignmentTensors:
        """Return the matches and scores of all tokens."""
        vectors0, vectors1 = self.projection(tokens0), self.projection(tokens1)
        similarity = vectors0 @ vectors1.T
        terms0, terms1 = -similarity.logsumexp(1, keepdim=True), -similarity.logsumexp(0, keepdim=True)
        if self.matchability is not None:
            terms0 = F.logsigmoid(self.matchability(tokens0)) + terms0
            terms1 = F.logsigmoid(self.matchability(tokens1)).T + terms1
        log_scores = 2 * similarity + terms0 + terms1
        scores = log_scores.amax(1).exp()
        best0, best1 = log_scores.argmax(1), log_scores.argmax(0)
        return mutual_nearest(scores, best0, best1, scores > self.filter_threshold)


class SingleOutputs(NamedTuple):
    """Outputs of `SingleGraph`, named as in the bundle."""

    matches: Int[Tensor, "k 2"]
    scores: Float[Tensor, "k"]
    matches0: Int[Tensor, "m"]
    matches1: Int[Tensor, "n"]
    matching_scores0: Float[Tensor, "m"]
    matching_scores1: Float[Tensor, "n"]


class SingleGraph(nn.Module):
    """All layers in one graph, without early stopping and pruning.

    Args:
        network: Fused network (`fuse`).
        attend: Attention.
        filter_threshold: Minimum match score (exclusive).
    """

    def __init__(self, network: LightGlue, attend: Attend, filter_threshold: float) -> None:
        super().__init__()
        self.encode = EncodeGraph(network)
        self.layers = nn.ModuleList(LayerGraph(network, i, attend) for i in range(network.shape.layers))
        self.assign = AssignGraph(network.head(-1), filter_threshold)

    def forward(
        self,
        keypoints0: Float[Tensor, "m 2"],
        image_size0: Float[Tensor, "2"],
        descriptors0: Float[Tensor, "m i"],
        keypoints1: Float[Tensor, "n 2"],
        image_size1: Float[Tensor, "2"],
        descriptors1: Float[Tensor, "n i"],
    ) -> SingleOutputs:
        """Match two images."""
        images = ((keypoints0, image_size0, descriptors0), (keypoints1, image_size1, descriptors1))
        return self.match_encoded(*(self.encode(*image) for image in images))

    def match_encoded(self, image0: tuple[Tensor, Tensor], image1: tuple[Tensor, Tensor]) -> SingleOutputs:
        """Match two images, each given by its tokens and their rotation."""
        count = image0[0].shape[0]
        x, rotation = (torch.cat(parts) for parts in zip(image0, image1, strict=True))
        for layer in cast(Iterable[LayerGraph], self.layers):
            x = layer.layer(x, rotation, count)
        return with_list(self.assign(x[:count], x[count:]))


def with_list(found: AssignmentTensors) -> SingleOutputs:
    """Add the list of matches."""
    indices = (found.matches0 >= 0).nonzero().squeeze(1)
    matches = torch.stack((indices, found.matches0[indices]), dim=1)
    return SingleOutputs(matches, found.matching_scores0[indices], *found)
