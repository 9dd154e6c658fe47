"""Lower bounds: operations are counted as by torch, bytes as they are read and written."""

import pytest
import torch
from benchmarks.speed import hardware_limits
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tiepoint.bench import Seconds
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

SHAPES = [
    LightGlueShape(input_dim=16, dim=32, layers=3, heads=2),
    LightGlueShape(input_dim=32, dim=32, layers=1, heads=4),
]


@pytest.mark.parametrize("shape", SHAPES, ids=["projected", "not projected"])
@pytest.mark.parametrize(("m", "n"), [(50, 50), (30, 70)])
def test_products_are_those_of_the_dense_forward_without_repeated_ones(
    shape: LightGlueShape, m: int, n: int
) -> None:
    network = LightGlue(shape).eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, sdpa_kernel(SDPBackend.MATH):  # torch does not count the other backends
        network(
            torch.rand(1, m, 2),
            torch.rand(1, m, shape.input_dim),
            torch.rand(1, n, 2),
            torch.rand(1, n, shape.input_dim),
        )
    second_similarity = shape.layers * 2 * m * n * shape.dim
    neglected = 2 * shape.head_dim // 2 + shape.dim  # positional encoding and matchability
    assert counter.get_total_flops() == (
        hardware_limits.minimum_work(m, n, shape).gemm_flop + second_similarity + 2 * (m + n) * neglected
    )


def test_one_exponential_per_similarity() -> None:
    work = hardware_limits.minimum_work(10, 20, LightGlueShape(layers=9, heads=4))
    assert work.exponentials == 9 * 4 * (10 * 10 + 20 * 20 + 10 * 20) + 10 * 20


def test_limit_adds_products_and_exponentials() -> None:
    rates = hardware_limits.Rates(gemm_gflops=2.0, exponentials_per_second=100.0, copied_gb_per_second=1.0)
    assert hardware_limits.MinimumWork(gemm_flop=6_000_000_000, exponentials=50).seconds(rates) == 3.5


def test_rates_are_those_of_the_fastest_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware_limits, "measure", lambda work, runs: (work(), Seconds((0.5, 0.25)))[1])
    monkeypatch.setattr(hardware_limits, "COPY_BYTES", 1 << 20)
    monkeypatch.setattr(hardware_limits, "EXP_PER_RUN", 1 << 15)
    monkeypatch.setattr(hardware_limits, "EXP_ARRAY_SIZES", (1 << 14, 1 << 15))
    assert hardware_limits.copied_gb_per_second() == pytest.approx(2 * (1 << 20) / 0.25 / 1e9)
    assert hardware_limits.exponentials_per_second() == (1 << 15) / 0.25


@pytest.mark.parametrize("inference", [True, False], ids=["inference", "no gradients"])
def test_bytes_of_inputs_and_outputs_are_counted(inference: bool) -> None:
    a, b, out = torch.rand(10, 20), torch.rand(20, 30), torch.empty(10, 30)
    context = torch.inference_mode() if inference else torch.no_grad()
    with context, hardware_limits.BytesMoved() as moved:
        torch.mm(a, b)
    assert moved.bytes == 4 * (10 * 20 + 20 * 30 + 10 * 30)
    with context, hardware_limits.BytesMoved() as moved:
        torch.mm(a, b, out=out)
    assert moved.bytes == 4 * (10 * 20 + 20 * 30 + 10 * 30)


def test_views_move_nothing() -> None:
    a = torch.rand(10, 20)
    with torch.no_grad(), hardware_limits.BytesMoved() as moved:
        a.T.view(2, 100) if a.T.is_contiguous() else a.view(2, 100)
        a[:, 3].unsqueeze(0).expand(5, 10)
    assert moved.bytes == 0


def test_expanded_values_and_repeated_tensors_count_once() -> None:
    one = torch.rand(1, 8).expand(5, 8)
    with torch.no_grad(), hardware_limits.BytesMoved() as moved:
        torch.add(one, one)
    assert moved.bytes == 4 * (8 + 5 * 8)
