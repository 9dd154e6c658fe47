"""Blocks of graphs compute what the blocks of the network compute; tokens of both images run together."""

import torch
from tests.helpers.tiny_bundles import tiny_network
from torch import nn
from torch.nn import functional as F

from tiepoint.exporting.block_graphs import CrossGraph, Linear, SelfGraph, plain_attention
from tiepoint.models.lightglue.attention import PackedAttention
from tiepoint.models.lightglue.fused_layers import fuse


def test_attention_is_scaled_per_head() -> None:
    q, k, v = torch.randn(3, 8), torch.randn(5, 8), torch.randn(5, 8)
    heads = [x.view(-1, 2, 4).transpose(0, 1) for x in (q, k, v)]
    expected = F.scaled_dot_product_attention(*heads).transpose(0, 1).flatten(1)
    torch.testing.assert_close(plain_attention(q, k, v, 2), expected, atol=1e-6, rtol=1e-5)
    assert plain_attention(q[:0], k, v, 2).shape == (0, 8)


@torch.no_grad()
def test_linear_layers_keep_their_function() -> None:
    layer, x = nn.Linear(4, 3), torch.randn(2, 4)
    torch.testing.assert_close(Linear.of(layer)(x), layer(x))
    assert Linear.of(layer).weight.is_contiguous()


@torch.no_grad()
def test_blocks_equal_those_of_the_network() -> None:
    network = fuse(tiny_network())
    block = network.transformers[0]
    tokens, rotation = torch.randn(12, 16), network.posenc(torch.randn(12, 2))
    attention = PackedAttention([5, 7])
    expected = block.self_attn(tokens, rotation, attention)
    found = SelfGraph(block.self_attn, plain_attention)(tokens, torch.cat(rotation, 1), 5)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    expected = block.cross_attn(tokens, attention)
    found = CrossGraph(block.cross_attn, plain_attention)(tokens, 5)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
