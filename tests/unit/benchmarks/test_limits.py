"""The limit of the machine: operations are counted as torch counts them, bytes as they move."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import limits
from tiepoint.bench import Seconds
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape

SHAPES = [
    LightGlueShape(input_dim=16, dim=32, layers=3, heads=2),
    LightGlueShape(input_dim=32, dim=32, layers=1, heads=4),
]


@pytest.mark.parametrize("shape", SHAPES, ids=["projected", "not projected"])
@pytest.mark.parametrize(("m", "n"), [(50, 50), (30, 70)])
def test_products_are_those_of_the_dense_form_but_for_what_it_does_twice(
    shape: LightGlueShape, m: int, n: int
) -> None:
    network = LightGlue(shape).eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, sdpa_kernel(SDPBackend.MATH):  # the others aren't counted
        network(
            torch.rand(1, m, 2),
            torch.rand(1, m, shape.input_dim),
            torch.rand(1, n, 2),
            torch.rand(1, n, shape.input_dim),
        )
    similarity_of_the_other_direction = shape.layers * 2 * m * n * shape.dim
    columns_left_out = 2 * shape.head_dim // 2 + shape.dim  # angles and matchability: nothing beside the rest
    assert counter.get_total_flops() == (
        limits.least_work(m, n, shape).gemm_flop
        + similarity_of_the_other_direction
        + 2 * (m + n) * columns_left_out
    )


def test_every_similarity_has_one_exponential() -> None:
    work = limits.least_work(10, 20, LightGlueShape(layers=9, heads=4))
    assert work.exponentials == 9 * 4 * (10 * 10 + 20 * 20 + 10 * 20) + 10 * 20


def test_the_limit_adds_products_and_exponentials() -> None:
    rates = limits.Rates(gemm_gflops=2.0, exponentials_per_second=100.0, copied_gb_per_second=1.0)
    assert limits.LeastWork(gemm_flop=6_000_000_000, exponentials=50).seconds(rates) == 3.5


def test_rates_are_work_by_the_quickest_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "measure", lambda work, runs: (work(), Seconds((0.5, 0.25)))[1])
    monkeypatch.setattr(limits, "COPY_BYTES", 1 << 20)
    monkeypatch.setattr(limits, "EXP_ROUNDS", 1 << 15)
    monkeypatch.setattr(limits, "EXP_SIZES", (1 << 14, 1 << 15))
    assert limits.copied_gb_per_second() == pytest.approx(2 * (1 << 20) / 0.25 / 1e9)
    assert limits.exponentials_per_second() == (1 << 15) / 0.25


@pytest.mark.parametrize("inference", [True, False], ids=["inference", "no gradients"])
def test_bytes_that_go_in_and_out_are_counted(inference: bool) -> None:
    a, b, out = torch.rand(10, 20), torch.rand(20, 30), torch.empty(10, 30)
    switch = torch.inference_mode() if inference else torch.no_grad()
    with switch, limits.BytesMoved() as moved:
        torch.mm(a, b)
    assert moved.bytes == 4 * (10 * 20 + 20 * 30 + 10 * 30)
    with switch, limits.BytesMoved() as moved:
        torch.mm(a, b, out=out)
    assert moved.bytes == 4 * (10 * 20 + 20 * 30 + 10 * 30)


def test_looking_at_a_tensor_in_another_way_moves_nothing() -> None:
    a = torch.rand(10, 20)
    with torch.no_grad(), limits.BytesMoved() as moved:
        a.T.view(2, 100) if a.T.is_contiguous() else a.view(2, 100)
        a[:, 3].unsqueeze(0).expand(5, 10)
    assert moved.bytes == 0


def test_a_repeated_number_and_a_tensor_given_twice_move_once() -> None:
    one = torch.rand(1, 8).expand(5, 8)
    with torch.no_grad(), limits.BytesMoved() as moved:
        torch.add(one, one)
    assert moved.bytes == 4 * (8 + 5 * 8)
