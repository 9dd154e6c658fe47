"""Both forms of SELU against torch's."""

import torch
import torch.nn.functional as F

from tiepoint.models.aliked.activation import POST_SCALE, PRE_SCALE, scaled_selu_, selu


def test_selu_is_torchs():
    values = torch.linspace(-30, 30, 10001)
    torch.testing.assert_close(selu(values), F.selu(values), atol=1e-6, rtol=1e-6)
    inputs = torch.randn(50, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(selu, inputs)


def test_scaled_selu_is_torchs_after_scaling():
    values = torch.linspace(-30, 30, 10001)
    expected = F.selu(values)
    torch.testing.assert_close(scaled_selu_(values * PRE_SCALE) * POST_SCALE, expected, atol=1e-6, rtol=1e-6)
    out = torch.empty_like(values)
    assert scaled_selu_(values * PRE_SCALE, out=out) is out
    torch.testing.assert_close(out * POST_SCALE, expected, atol=1e-6, rtol=1e-6)
    assert float(scaled_selu_(torch.zeros(1))) == 0


def test_scaled_selu_of_extreme_values():
    values = torch.tensor([-1e30, 1e30, torch.nan])
    expected = F.selu(values / PRE_SCALE) / POST_SCALE
    torch.testing.assert_close(scaled_selu_(values.clone()), expected, equal_nan=True)
