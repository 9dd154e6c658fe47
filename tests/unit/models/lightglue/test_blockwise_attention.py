"""Attention by oneDNN's products equals torch's attention, and is used only where it is available and faster."""

import pytest
import torch
from torch.nn import functional as F

from tiepoint.models import onednn
from tiepoint.models.lightglue import blockwise_attention as module
from tiepoint.models.lightglue.attention import attend_image
from tiepoint.models.lightglue.blockwise_attention import blockwise_attention, is_blockwise_faster

needs_onednn = pytest.mark.skipif(not onednn._IS_AVAILABLE, reason="requires torch with oneDNN on an x86 CPU")


def draw(heads: int, tokens: int, dim: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(heads, tokens, dim, generator=torch.Generator().manual_seed(seed))


def expected(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    context = F.scaled_dot_product_attention(*(x[None].double() for x in (q, k, v)))[0]
    return context.transpose(0, 1).flatten(1)


@needs_onednn
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (7, 3), (384, 512), (513, 384), (700, 1029), (1500, 40)])
def test_equals_softmax_attention(heads: int, m: int, n: int) -> None:
    q, k, v = draw(heads, m, 16), draw(heads, n, 16, 1), draw(heads, n, 16, 2)
    found = blockwise_attention(q, k, v)
    assert found.shape == (m, heads * 16)
    torch.testing.assert_close(found.double(), expected(q, k, v), rtol=1e-5, atol=1e-5)


@needs_onednn
def test_similarities_beyond_the_exponent_range() -> None:
    """Real similarities span more than 88; the padding of the keys must not become the maximum of a row."""
    q, k, v = (20 * draw(2, 400, 8, seed) for seed in range(3))
    torch.testing.assert_close(blockwise_attention(q, k, v).double(), expected(q, k, v), rtol=1e-4, atol=1e-2)
    below = blockwise_attention(-q.abs() - 1, k.abs() + 1, v)
    torch.testing.assert_close(below.double(), expected(-q.abs() - 1, k.abs() + 1, v), rtol=1e-4, atol=1e-2)


@needs_onednn
def test_views_are_accepted_and_left_unchanged() -> None:
    packed = draw(2, 900, 3 * 8)
    q, k, v = (part[:, 50:850] for part in packed.split(8, dim=-1))
    before = packed.clone()
    torch.testing.assert_close(blockwise_attention(q, k, v).double(), expected(q, k, v), rtol=1e-5, atol=1e-5)
    assert torch.equal(packed, before)


@needs_onednn
def test_few_kernel_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN keeps what it compiled for every shape."""
    shapes: set[tuple[int, int]] = set()

    def record(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        shapes.add((len(x), len(weight)))
        return x @ weight.T

    monkeypatch.setattr(module, "linear_padded", record)
    for m in range(384, 2049, 23):
        blockwise_attention(draw(1, m, 4), draw(1, 400, 4), draw(1, 400, 4))
    assert max(rows for rows, _ in shapes) <= module.MAX_BLOCK
    assert len({rows for rows, _ in shapes}) <= 24


@needs_onednn
def test_small_images_and_other_types_use_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = draw(1, module.MIN_TOKENS - 1, 4), draw(1, module.MIN_TOKENS, 4)
    monkeypatch.setattr(module, "is_amd", lambda: True)
    assert is_blockwise_faster(large, large)
    assert not is_blockwise_faster(small, large)
    assert not is_blockwise_faster(large, small)
    assert not is_blockwise_faster(large.half(), large.half())
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    assert not is_blockwise_faster(large, large)


@pytest.mark.parametrize("amd", [True, False])
def test_both_paths_agree(monkeypatch: pytest.MonkeyPatch, amd: bool) -> None:
    monkeypatch.setattr(module, "is_amd", lambda: amd)
    q, k, v = draw(4, 600, 16), draw(4, 500, 16, 1), draw(4, 500, 16, 2)
    torch.testing.assert_close(attend_image(q, k, v).double(), expected(q, k, v), rtol=1e-5, atol=1e-5)


def test_on_intel_torch_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    large = draw(1, 400, 4)
    monkeypatch.setattr(module, "is_amd", lambda: False)
    assert not is_blockwise_faster(large, large)
