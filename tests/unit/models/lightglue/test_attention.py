"""All implementations of attention against the textbook formula, in the shared layout (*b, heads, t, head_dim)."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tiepoint.models.lightglue.attention import (
    Attention,
    DenseAttention,
    PackedAttention,
    RecordingAttention,
    attend,
    merge_heads,
)

M, N = 5, 4


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def softmax_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The formula of one image or pair, (heads, t, e) -> (t, heads * e)."""
    weights = torch.exp(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5)
    context = weights / weights.sum(dim=2, keepdim=True) @ v
    return torch.cat(list(context), dim=-1)


def dense(sizes: list[int]) -> Attention:
    return DenseAttention(*sizes)


def recording(sizes: list[int]) -> Attention:
    return RecordingAttention(torch.ones(1, 2, sizes[0], dtype=torch.bool))


@pytest.mark.parametrize(
    ("implementation", "sizes", "batch"),
    [
        (dense, [M, N], (1,)),
        (dense, [M, M], (1,)),
        (PackedAttention, [M, N], ()),
        (PackedAttention, [3, 5, 2, 4], ()),
        (recording, [M, M], (1,)),
    ],
)
def test_attends_within_images_and_across_pairs(
    implementation: Callable[[list[int]], Attention], sizes: list[int], batch: tuple[int, ...]
):
    q, k, v = (draw(*batch, 2, sum(sizes), 4, seed=seed) for seed in range(3))
    attention = implementation(sizes)
    assert isinstance(attention, Attention)
    within, across = attention.self_attention(q, k, v), attention.cross_attention(q, k, v)
    assert within.shape == across.shape == (*batch, sum(sizes), 8)
    images = [part.split(sizes, dim=-2) for part in (x[0] if batch else x for x in (q, k, v))]
    outputs = [(x[0] if batch else x).split(sizes) for x in (within, across)]
    for i in range(len(sizes)):
        qi, ki, vi = (part[i] for part in images)
        torch.testing.assert_close(outputs[0][i], softmax_attention(qi, ki, vi))
        partner_k, partner_v = images[1][i ^ 1], images[2][i ^ 1]
        torch.testing.assert_close(outputs[1][i], softmax_attention(qi, partner_k, partner_v))


class TestMasks:
    mask0 = torch.tensor([[True] * 5, [True, False, True, True, False]])
    mask1 = torch.tensor([[True] * 5, [True, True, False, False, False]])

    def test_dense_and_recording_attention_agree_on_real_tokens(self):
        q, k, v = (draw(2, 2, 10, 4, seed=seed) for seed in range(3))
        masks = torch.stack((self.mask0, self.mask1), dim=1)
        recorder = RecordingAttention(masks)
        attention = DenseAttention(5, 5, self.mask0, self.mask1)
        real = masks.flatten(1)
        for mine, expected in (
            (recorder.self_attention(q, k, v), attention.self_attention(q, k, v)),
            (recorder.cross_attention(q, k, v), attention.cross_attention(q, k, v)),
        ):
            torch.testing.assert_close(mine[real], expected[real])

    def test_recorded_weights_are_a_softmax_over_real_keys(self):
        q, k, v = (draw(2, 2, 10, 4, seed=seed) for seed in range(3))
        recorder = RecordingAttention(torch.stack((self.mask0, self.mask1), dim=1))
        recorder.self_attention(q, k, v)
        recorder.cross_attention(q, k, v)
        within, across = recorder.weights
        assert within.shape == across.shape == (4, 2, 5, 5)
        torch.testing.assert_close(within.sum(-1), torch.ones(4, 2, 5, dtype=torch.float64))
        assert bool((within[2][:, :, ~self.mask0[1]] == 0).all())
        assert bool((across[2][:, :, ~self.mask1[1]] == 0).all())
        assert bool((across[3][:, :, ~self.mask0[1]] == 0).all())


class TestAttend:
    def test_a_masked_key_has_no_weight(self):
        q, k, v = draw(1, 2, 5, 4), draw(1, 2, 6, 4, seed=1), draw(1, 2, 6, 4, seed=2)
        keys = torch.tensor([True, True, False, True, False, False])
        actual = attend(q, k, v, keys[None, None, None])
        torch.testing.assert_close(actual, attend(q, k[:, :, keys], v[:, :, keys]))
        assert not torch.allclose(actual, attend(q, k, v))

    def test_a_query_without_a_key_gets_zeros(self):
        q, k, v = draw(2, 2, 5, 4), draw(2, 2, 6, 4, seed=1), draw(2, 2, 6, 4, seed=2)
        keys = torch.tensor([[True] * 6, [False] * 6])[:, None, None]
        actual = attend(q, k, v, keys)
        assert bool((actual[1] == 0).all())
        torch.testing.assert_close(actual[:1], attend(q[:1], k[:1], v[:1]))
        assert bool((attend(q, k[:, :, :0], v[:, :, :0]) == 0).all())

    def test_heads_are_concatenated_per_token(self):
        context = torch.arange(2 * 3 * 2).view(2, 3, 2).float()  # (heads, t, e)
        assert merge_heads(context)[1].tolist() == [2.0, 3.0, 8.0, 9.0]
