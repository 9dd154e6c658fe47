"""Matrix products by oneDNN equal torch's, and are used only where they are available and faster."""

import os
import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from tiepoint.models import onednn as module
from tiepoint.models.onednn import linear


def random(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).to(dtype)


@pytest.mark.parametrize("rows", [0, 1, 2, 33, 511, 512, 701])
@pytest.mark.parametrize("columns", [(8, 24), (256, 768), (64, 1)])
def test_linear_equals_the_original_product(rows: int, columns: tuple[int, int]):
    i, o = columns
    x, weight, bias = random(rows, i), random(o, i), random(o)
    for offset in (bias, None):
        found, expected = (
            linear(x, weight, offset),
            F.linear(x.double(), weight.double(), offset if offset is None else offset.double()),
        )
        assert found.shape == (rows, o)
        torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("m", "n"), [(0, 700), (3, 5), (511, 512), (512, 512), (700, 1029)])
def test_products_equal_the_original_ones(m: int, n: int):
    x, y = random(m, 24), random(n, 24)
    found = module.products(x, y)
    assert found.shape == (m, n)
    torch.testing.assert_close(found.double(), x.double() @ y.double().T, rtol=1e-5, atol=1e-4)


def test_linear_accepts_views():
    for rows in (8, 600):
        x, weight = random(rows + 4, 40)[2:-2, 5:37], random(32, 16).T
        torch.testing.assert_close(linear(x, weight), x @ weight.T, rtol=1e-5, atol=1e-4)


def test_onednn_compiles_few_sizes(monkeypatch: pytest.MonkeyPatch):
    sizes: set[int] = set()

    class Recorder:
        def _linear_pointwise(self, x: torch.Tensor, weight: torch.Tensor, *_: object) -> torch.Tensor:
            sizes.add(len(x))
            return x @ weight.T

    monkeypatch.setattr(module, "_IS_AVAILABLE", True)
    monkeypatch.setattr(torch.ops, "mkldnn", Recorder())
    weight = torch.ones(1, 1)
    for rows in range(0, 3000, 7):
        x = torch.arange(float(rows))[:, None]
        assert torch.equal(linear(x, weight), x)
    assert min(sizes) >= module.MIN_ROWS
    assert len(sizes) < 50
    assert {512, 1024, 2048} <= {module.padded_rows(rows) for rows in (512, 1024, 2048)}


def test_padding_is_small():
    for rows in (0, 1, 31, 63, *range(module.MIN_ROWS, 70_000, 13)):
        assert rows <= module.padded_rows(rows) <= rows * (1 + 1 / 16)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_dtypes_use_torch(dtype: torch.dtype):
    x, weight = random(600, 8, dtype=dtype), random(3, 8, dtype=dtype)
    assert torch.equal(linear(x, weight), F.linear(x, weight))


def test_a_disabled_onednn_is_not_used(monkeypatch: pytest.MonkeyPatch):
    called: list[bool] = []
    monkeypatch.setattr(module.F, "linear", lambda x, *_: called.append(True) or x)
    monkeypatch.setattr(module, "_IS_AVAILABLE", True)
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    linear(random(600, 4), random(4, 4))
    assert called == [True]


@pytest.mark.parametrize(("vendor", "expected"), [("AuthenticAMD", True), ("GenuineIntel", False)])
def test_the_vendor_of_the_cpu(monkeypatch: pytest.MonkeyPatch, vendor: str, expected: bool) -> None:
    module.is_amd.cache_clear()
    monkeypatch.setattr(module.Path, "read_text", lambda *_, **__: f"processor\t: 0\nvendor_id\t: {vendor}\n")
    assert module.is_amd() is expected
    module.is_amd.cache_clear()


def test_the_vendor_on_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise FileNotFoundError

    module.is_amd.cache_clear()
    monkeypatch.setattr(module.Path, "read_text", fail)
    monkeypatch.setattr(
        module.platform, "processor", lambda: "AMD64 Family 25 Model 33 Stepping 0, AuthenticAMD"
    )
    assert module.is_amd()
    module.is_amd.cache_clear()


KERNELS = """
import torch
from tiepoint.models.lightglue import blockwise_attention
from tiepoint.models.lightglue.inference import AdaptiveInference, match_batch
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

blockwise_attention.is_amd = lambda: True
network = LightGlue(LightGlueShape(input_dim=64, dim=128, layers=1, heads=2)).eval()
positions, descriptors = torch.rand(1024, 2), torch.randn(1024, 64)
with torch.inference_mode():
    match_batch(
        network, positions, descriptors, [(512, 512)],
        adaptivity=AdaptiveInference.from_flag(False), filter_threshold=0.1,
    )
"""


@pytest.mark.slow
def test_no_product_falls_back_to_the_reference_kernel() -> None:
    """Numbers of keypoints that need no padding: the keys of cross-attention are views with gaps between their rows."""
    environment = {**os.environ, "ONEDNN_VERBOSE": "1"}
    command = [sys.executable, "-c", KERNELS]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    kernels = [line.split(",") for line in output.splitlines() if ",inner_product," in line]
    assert any("brg" in ",".join(fields) or "gemm" in ",".join(fields) for fields in kernels)
    assert not [fields for fields in kernels if any(field.startswith("ref") for field in fields)]
