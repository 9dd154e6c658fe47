"""Tracing with open sizes."""

import torch
from tests.helpers.shape_checks import without_shape_checks
from torch import Tensor, nn

from tiepoint.exporting.graphs import Graph, trace


class Halve(nn.Module):
    """Mean of neighboring rows, and the number of rows of a second input."""

    def forward(self, rows: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        return rows.unflatten(0, (-1, 2)).mean(1), others.sum(0, keepdim=True) / others.shape[0]


def test_sizes_stay_open() -> None:
    graph = Graph(
        name="halve",
        module=Halve(),
        inputs={"rows": torch.rand(6, 3), "others": torch.rand(4, 3)},
        outputs=("halves", "mean"),
        open_sizes={"rows": {0: "n"}, "others": {0: "m"}},
        multiples={"n": 2},
    )
    with without_shape_checks():
        traced = trace(graph).module()
    rows, others = torch.rand(10, 3), torch.rand(1, 3)
    for found, expected in zip(traced(rows, others), Halve()(rows, others), strict=True):
        torch.testing.assert_close(found, expected)
