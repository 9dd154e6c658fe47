"""LightGlue at inference: adaptive in depth and width, for any number of pairs at once.

The tokens of all images of all pairs are one pack (t, d): image 0 of pair 0, image 1 of pair 0, image 0 of pair 1, …
Nothing is padded, and only attention knows where one image ends, so a pair in a batch gives what it gives alone:
each pair stops after its own layer, each image loses its own tokens.

Source: LightGlue (arXiv 2306.13643), section 3.3, "Adaptive depth and width".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, compress
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from tiepoint.models.device import to_device
from tiepoint.models.lightglue.assignment import AssignmentTensors, no_matches, streamed_matches
from tiepoint.models.lightglue.attention import PackedAttention
from tiepoint.models.lightglue.fused_layers import folded_layers
from tiepoint.models.lightglue.network import LightGlue, Rotation

PRUNING_MIN_KEYPOINTS = {"cpu": 0, "mps": 0, "cuda": 1536}
"""Pruning costs a gather: an image is pruned only above this number of keypoints (the official table)."""


@dataclass(frozen=True, slots=True)
class AdaptiveInference:
    """When to stop, and which keypoints to drop; the defaults are the published ones.

    Attributes:
        depth_confidence: stop when more than this share of a pair's keypoints is confident; <= 0: never.
        width_confidence: drop a confident keypoint that is unmatchable with this probability; <= 0: never.
        pruning_min_keypoints: prune images with more keypoints than this; None: `PRUNING_MIN_KEYPOINTS`.
    """

    depth_confidence: float = 0.95
    width_confidence: float = 0.99
    pruning_min_keypoints: int | None = None

    @classmethod
    def named(
        cls, adaptive: bool | Literal["depth", "width"], pruning_min_keypoints: int | None = None
    ) -> "AdaptiveInference":
        """All of the published adaptivity, or a part: True, False, "depth" or "width"."""
        published = cls()
        return cls(
            depth_confidence=published.depth_confidence if adaptive in (True, "depth") else -1.0,
            width_confidence=published.width_confidence if adaptive in (True, "width") else -1.0,
            pruning_min_keypoints=pruning_min_keypoints,
        )

    def prunes_above(self, device: torch.device) -> int:
        """Images with more keypoints than this are pruned."""
        if self.pruning_min_keypoints is not None:
            return self.pruning_min_keypoints
        return PRUNING_MIN_KEYPOINTS.get(device.type, 0)

    def on(self, device: torch.device) -> "AdaptiveInference":
        """The same with nothing left to the device."""
        return replace(self, pruning_min_keypoints=self.prunes_above(device))


class PairAssignment(NamedTuple):
    """What came out for one pair of m and n keypoints.

    `prune0`, `prune1`: 1 + prunings that each keypoint survived; the number of layers with pruning off.
    `layers_run`: 0 when an image had no keypoints.
    """

    assignment: AssignmentTensors
    prune0: Int[Tensor, "m"]
    prune1: Int[Tensor, "n"]
    layers_run: int


def confidence_threshold(layer: int, layers: int) -> float:
    """How sure a token must be after this layer to count as confident. Source: LightGlue, section 3.3 and appendix."""
    return min(max(0.8 + 0.1 * math.exp(-4.0 * layer / layers), 0.0), 1.0)


@torch.no_grad()
def match_packed(
    network: LightGlue,
    positions: Float[Tensor, "t p"],
    descriptors: Float[Tensor, "t i"],
    counts: Sequence[tuple[int, int]],
    *,
    adaptivity: AdaptiveInference,
    filter_threshold: float,
) -> list[PairAssignment]:
    """Match any number of pairs, each exactly as if it were alone.

    Args:
        network: in evaluation mode, on the device of the tensors.
        positions: `normalize_keypoints` and what else the weights take, image after image.
        descriptors: likewise.
        counts: keypoints of image 0 and of image 1, pair by pair; they sum to t.
        adaptivity: when to stop and what to drop.
        filter_threshold: a match has a score above this.

    Returns:
        One result a pair, in the order of `counts`.
    """
    run = _Run(network, positions, descriptors, counts, adaptivity, filter_threshold)
    run.give_up_empty_pairs(layers_run=0)
    for layer in range(network.shape.layers - 1):
        if not run.pack.pairs:
            break
        run.exchange_messages(layer)
        confidence = run.confidence(layer)
        worth = run.tokens_worth_keeping(layer, confidence)
        stopped, sizes = run.decide(layer, confidence, worth)
        run.assign(stopped, layer)
        run.shrink(worth, sizes, without=stopped)
        run.give_up_empty_pairs(layers_run=layer + 1)
    if run.pack.pairs:
        last = network.shape.layers - 1
        run.exchange_messages(last)
        run.assign([True] * len(run.pack.pairs), last)
    return run.results()


@dataclass(slots=True)
class _Pack:
    """Tokens still in work: pair number `pairs[k]` has images of `sizes[2k]` and `sizes[2k + 1]` tokens."""

    tokens: Float[Tensor, "t d"]
    rotation: Rotation
    index: Int[Tensor, "t"]  # where each token stood in the first, full pack
    pairs: list[int]
    sizes: list[int]

    def spread(self, flags: list[bool]) -> Bool[Tensor, "t"]:
        """One flag an image -> one flag a token."""
        lengths = to_device(torch.tensor(self.sizes, dtype=torch.long), self.index.device)
        flagged = to_device(torch.tensor(flags, dtype=torch.bool), self.index.device)
        return flagged.repeat_interleave(lengths, output_size=len(self.index))

    def select(self, keep: Bool[Tensor, "t"], pairs: list[int], sizes: list[int]) -> "_Pack":
        """Only the tokens of `keep`, which belong to these pairs and are so many in each image."""
        # nonzero() would make a GPU wait to learn the number that `sizes` tells
        chosen = keep.logical_not().to(torch.uint8).sort(stable=True).indices[: sum(sizes)]
        cosines, sines = self.rotation
        return _Pack(
            tokens=self.tokens.index_select(0, chosen),
            rotation=(cosines.index_select(0, chosen), sines.index_select(0, chosen)),
            index=self.index.index_select(0, chosen),
            pairs=pairs,
            sizes=sizes,
        )


class _Run:
    """One call of `match_packed`: the pack that shrinks, and the results that grow.

    A GPU is waited for once a layer, in `decide`.
    """

    def __init__(
        self,
        network: LightGlue,
        positions: Tensor,
        descriptors: Tensor,
        counts: Sequence[tuple[int, int]],
        adaptivity: AdaptiveInference,
        filter_threshold: float,
    ) -> None:
        tokens, rotation = network.embed(positions, descriptors)
        index = torch.arange(len(tokens), device=tokens.device)
        sizes = [size for pair in counts for size in pair]
        self.pack = _Pack(tokens, rotation, index, pairs=list(range(len(counts))), sizes=sizes)
        self.network = network
        self.layers = folded_layers(network)
        self.filter_threshold = filter_threshold
        self.adaptivity = adaptivity
        self.prunes_above = adaptivity.prunes_above(tokens.device)
        self.adapts_depth = adaptivity.depth_confidence > 0
        self.adapts_width = adaptivity.width_confidence > 0
        self.counts = list(counts)
        self.starts = [0, *accumulate(sizes)]
        self.survived = torch.full_like(index, 1 if self.adapts_width else network.shape.layers)
        self.done: dict[int, tuple[AssignmentTensors, int]] = {}

    def exchange_messages(self, layer: int) -> None:
        attention = PackedAttention(self.pack.sizes)
        self.pack.tokens = self.layers[layer](self.pack.tokens, self.pack.rotation, attention)

    def confidence(self, layer: int) -> Float[Tensor, "t"] | None:
        """How sure each token is that its match won't change; None where nobody asks."""
        return self.network.token_confidence[layer](self.pack.tokens).float() if self.adapts_depth else None

    def tokens_worth_keeping(self, layer: int, confidence: Tensor | None) -> Bool[Tensor, "t"] | None:
        """Tokens that may have a match, or are not sure yet; all of an image too small to prune. None: all."""
        if not any(self.prunable()):
            return None
        matchability = self.network.head(layer).logits(self.pack.tokens).sigmoid()
        worth = matchability > 1 - self.adaptivity.width_confidence
        if confidence is not None:
            worth |= confidence <= confidence_threshold(layer, self.network.shape.layers)
        return worth | ~self.pack.spread(self.prunable())

    def prunable(self) -> list[bool]:
        """Images with so many tokens that dropping some pays."""
        return [self.adapts_width and size > self.prunes_above for size in self.pack.sizes]

    def decide(
        self, layer: int, confidence: Tensor | None, worth: Tensor | None
    ) -> tuple[list[bool], list[int]]:
        """Which pairs stop now, and how many tokens of each image are worth keeping."""
        stops = None if confidence is None else self._confident_pairs(layer, confidence)
        kept = None if worth is None else _count_per_image(worth, self.pack.sizes)
        decided = torch.cat(
            [part.long() for part in (stops, kept) if part is not None] or [self.survived[:0]]
        )
        values = decided.tolist()  # the one place where a GPU is waited for
        number = 0 if stops is None else len(stops)
        stopped = [bool(value) for value in values[:number]] or [False] * len(self.pack.pairs)
        return stopped, values[number:] or self.pack.sizes

    def _confident_pairs(self, layer: int, confidence: Tensor) -> Bool[Tensor, "pairs"]:
        """Keypoints pruned before count as confident."""
        threshold = confidence_threshold(layer, self.network.shape.layers)
        unsure = _count_per_image(confidence < threshold, self.pack.sizes).view(-1, 2).sum(1)
        totals = to_device(torch.tensor([sum(self.counts[pair]) for pair in self.pack.pairs]), unsure.device)
        return (1.0 - unsure.float() / totals) > self.adaptivity.depth_confidence

    def assign(self, stopped: list[bool], layer: int) -> None:
        """Match the pairs that stop with the head of this layer."""
        head = self.network.head(layer)
        starts = [0, *accumulate(self.pack.sizes)]
        for k, pair in enumerate(self.pack.pairs):
            if stopped[k]:
                a, b, c = starts[2 * k : 2 * k + 3]
                sides = head(self.pack.tokens[a:b]), head(self.pack.tokens[b:c])
                (vectors0, logits0), (vectors1, logits1) = sides
                found = streamed_matches(vectors0, vectors1, logits0, logits1, self.filter_threshold)
                indices0 = self.pack.index[a:b] - self.starts[2 * pair]
                indices1 = self.pack.index[b:c] - self.starts[2 * pair + 1]
                self.done[pair] = _unpruned(found, indices0, indices1, self.counts[pair]), layer + 1

    def shrink(self, worth: Tensor | None, sizes: list[int], *, without: list[bool]) -> None:
        """Drop the tokens that aren't worth keeping, and all those of the pairs of `without`."""
        stays = [not gone for gone in without for _ in (0, 1)]
        if worth is not None:
            tried = [prunes and stay for prunes, stay in zip(self.prunable(), stays, strict=True)]
            self.survived.index_add_(0, self.pack.index, (worth & self.pack.spread(tried)).long())
        if all(stays) and sizes == self.pack.sizes:
            return
        keep = self.pack.spread(stays) if worth is None else worth & self.pack.spread(stays)
        pairs = [pair for pair, gone in zip(self.pack.pairs, without, strict=True) if not gone]
        self.pack = self.pack.select(keep, pairs, list(compress(sizes, stays)))

    def give_up_empty_pairs(self, *, layers_run: int) -> None:
        """Pairs with an image without tokens have no matches, and nothing more to compute."""
        sizes = self.pack.sizes
        empty = [0 in sizes[2 * k : 2 * k + 2] for k in range(len(self.pack.pairs))]
        for pair in compress(self.pack.pairs, empty):
            m, n = self.counts[pair]
            self.done[pair] = no_matches((m,), (n,), self.pack.tokens), layers_run
        self.shrink(None, sizes, without=empty)

    def results(self) -> list[PairAssignment]:
        survived = self.survived.split([size for pair in self.counts for size in pair])
        return [
            PairAssignment(self.done[pair][0], survived[2 * pair], survived[2 * pair + 1], self.done[pair][1])
            for pair in range(len(self.counts))
        ]


def _count_per_image(flags: Bool[Tensor, "t"], sizes: list[int]) -> Int[Tensor, "images"]:
    """How many of each image's tokens are flagged, with a single pass over the pack."""
    counted = F.pad(flags.cumsum(0), (1, 0))
    edges = to_device(torch.tensor([0, *accumulate(sizes)]), flags.device)
    return counted.index_select(0, edges).diff()


def _unpruned(
    found: AssignmentTensors, indices0: Tensor, indices1: Tensor, counts: tuple[int, int]
) -> AssignmentTensors:
    """Undo pruning: indices of the tokens that were left become indices of all keypoints."""
    m, n = counts
    full = no_matches((m,), (n,), found.matching_scores0)
    full.matches0[indices0] = torch.where(found.matches0 < 0, -1, indices1[found.matches0])
    full.matches1[indices1] = torch.where(found.matches1 < 0, -1, indices0[found.matches1])
    full.matching_scores0[indices0] = found.matching_scores0
    full.matching_scores1[indices1] = found.matching_scores1
    return full
