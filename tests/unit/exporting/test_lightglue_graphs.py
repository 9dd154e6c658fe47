"""The graphs' modules compute what the network computes."""

import pytest
import torch
from tests.helpers.lightglue_files import GIM, LOMA, TINY
from tests.helpers.lightglue_pairs import random_features, random_network, run
from tests.helpers.tiny_bundles import tiny_network
from torch.nn import functional as F

from tiepoint.exporting.block_graphs import plain_attention
from tiepoint.exporting.lightglue_graphs import (
    AssignGraph,
    EncodeGraph,
    LayerGraph,
    SingleGraph,
)
from tiepoint.models.lightglue.assignment import streamed_matches
from tiepoint.models.lightglue.attention import PackedAttention
from tiepoint.models.lightglue.fused_layers import fuse
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape


def test_layer_equals_the_network() -> None:
    network, fused = tiny_network(), fuse(tiny_network())
    tokens, positions = torch.randn(12, 16), torch.randn(12, 2)
    rotation, packed = torch.cat(fused.posenc(positions), 1), fused.posenc(positions)
    for layer, expected in enumerate(network.layers(tokens, packed, PackedAttention([5, 7]))):
        graph = LayerGraph(fused, layer, plain_attention)
        found = graph(tokens[:5], tokens[5:], rotation[:5], rotation[5:])
        torch.testing.assert_close(torch.cat(found[:2]), expected, atol=1e-5, rtol=1e-5)
        if layer < 2:
            confidence = network.confidence(layer)(expected)
            torch.testing.assert_close(torch.cat(found[2:4]), confidence, atol=1e-5, rtol=1e-5)
            matchability = network.head(layer).logits(expected).sigmoid()
            torch.testing.assert_close(torch.cat(found[4:]), matchability, atol=1e-5, rtol=1e-5)
        tokens = expected


def test_separate_queries_and_keys() -> None:
    torch.manual_seed(0)
    network = LightGlue(LightGlueShape(input_dim=8, dim=16, layers=1, heads=2, shared_qk=False)).eval()
    tokens, positions = torch.randn(12, 16), torch.randn(12, 2)
    rotation = network.posenc(positions)
    (expected,) = network.layers(tokens, rotation, PackedAttention([5, 7]))
    packed = torch.cat(rotation, 1)
    found = LayerGraph(fuse(network), 0, plain_attention)(tokens[:5], tokens[5:], packed[:5], packed[5:])
    torch.testing.assert_close(torch.cat(found), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_assignment_equals_the_streamed_one() -> None:
    head = tiny_network().head(1)
    tokens0 = F.normalize(torch.randn(9, 16, generator=torch.Generator().manual_seed(0)), dim=1)
    tokens1 = tokens0[[4, 2, 0, 8, 1, 3]]
    (vectors0, logits0), (vectors1, logits1) = head(tokens0), head(tokens1)
    expected = streamed_matches(vectors0, vectors1, logits0, logits1, 0.05)
    found = AssignGraph(head, 0.05)(tokens0, tokens1)
    assert expected.matches0.max() >= 0
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_scale_and_orientation_are_encoded() -> None:
    torch.manual_seed(0)
    network = LightGlue(LightGlueShape(input_dim=8, dim=16, layers=1, heads=2, position_dim=4)).eval()
    keypoints, descriptors = 50 * torch.rand(3, 2), torch.randn(3, 8)
    scales, orientations = torch.rand(3), torch.rand(3)
    size = torch.tensor([100.0, 50.0])
    tokens, rotation = EncodeGraph(network)(keypoints, size, descriptors, scales, orientations)
    positions = torch.cat([(keypoints - size / 2) / 50, torch.stack([scales, orientations], 1)], 1)
    torch.testing.assert_close(rotation, torch.cat(network.posenc(positions), 1))
    torch.testing.assert_close(tokens, network.input_proj(descriptors))


def test_list_and_rows_of_the_single_form_agree() -> None:
    graph = SingleGraph(fuse(tiny_network()), plain_attention, 0.0)
    image = (50 * torch.rand(9, 2), torch.tensor([100.0, 50.0]), torch.randn(9, 8))
    found = graph(*image, *image)
    assert len(found.matches) > 0
    assert torch.equal(found.matches0[found.matches[:, 0]], found.matches[:, 1])
    assert torch.equal(found.matching_scores0[found.matches[:, 0]], found.scores)


@torch.no_grad()
@pytest.mark.parametrize("shape", [TINY, LOMA, GIM], ids=["official", "loma", "gim"])
def test_the_single_form_computes_every_family(shape: LightGlueShape) -> None:
    network = random_network(shape, 2)
    pair = random_features(60, shape.input_dim, 2)
    inputs = [
        value
        for image in pair
        for value in (image["keypoints"][0], image["image_size"][0], image["descriptors"][0])
    ]
    found = SingleGraph(fuse(network), plain_attention, 0.1)(*inputs)
    expected = run(network, pair, AdaptiveInference(-1.0, -1.0)).assignment
    assert int((expected.matches0 >= 0).sum()) > 10
    assert torch.equal(found.matches0, expected.matches0)
    torch.testing.assert_close(found.matching_scores0, expected.matching_scores0, atol=1e-5, rtol=0)
