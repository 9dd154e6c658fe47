"""Mutual nearest neighbors as a graph."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tiepoint.exporting.lightglue_graphs import SingleOutputs, with_list
from tiepoint.models.lightglue.assignment import mutual_nearest


class NearestGraph(nn.Module):
    """`matching.mutual_nearest.NearestMatcher` for one pair, with the whole matrix of similarities.

    Args:
        filter_threshold: Minimum cosine similarity of a match (exclusive).
        max_ratio: Maximum ratio of the distances to the nearest and the second nearest descriptor; None for no test.
    """

    def __init__(self, filter_threshold: float, max_ratio: float | None) -> None:
        super().__init__()
        self.filter_threshold = filter_threshold
        self.max_ratio = max_ratio

    def forward(
        self, descriptors0: Float[Tensor, "m d"], descriptors1: Float[Tensor, "n d"]
    ) -> SingleOutputs:
        """Match two images."""
        similarity = F.normalize(descriptors0, dim=1) @ F.normalize(descriptors1, dim=1).T
        (scores, best0), best1 = similarity.max(1), similarity.argmax(0)
        accepted = scores > self.filter_threshold
        if self.max_ratio is not None:
            accepted &= self._pass_ratio_test(similarity)
            accepted &= self._pass_ratio_test(similarity.T)[best0]
        return with_list(mutual_nearest(scores, best0, best1, accepted))

    def _pass_ratio_test(self, similarity: Float[Tensor, "m n"]) -> Tensor:
        """Compare the squared distances of unit vectors; a single neighbor passes, as the second one is far away."""
        assert self.max_ratio is not None
        far = similarity.new_full((similarity.shape[0], 1), -1e9)
        values = torch.cat((similarity, far), dim=1).topk(2, dim=1).values
        nearest, second = (2 - 2 * values).clamp(min=0).unbind(dim=1)
        return nearest < self.max_ratio**2 * second
