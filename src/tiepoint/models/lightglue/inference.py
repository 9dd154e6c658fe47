"""LightGlue at inference: `LightGlue.forward` plus early stopping and pruning, for any number of pairs at once.

`match_batch` iterates over the same `LightGlue.layers` as `forward`, and adds:

- adaptive depth: a pair stops after the layer in which enough of its tokens are confident;
- adaptive width: confident tokens that are probably unmatchable are pruned;
- packed tokens: the images of all pairs are concatenated as (t, d), image 0 of pair 0, image 1 of pair 0, image 0 of
  pair 1, …, without padding. Only attention depends on image boundaries, so batched results are identical to matching
  each pair on its own, pruning is an `index_select`, and a pair that has stopped leaves the batch;
- assignment in memory that grows with m + n instead of m x n;
- fewer layers than the network has, fixed (`max_layers`) or decided by a clock between layers (`LayerClock`): every
  layer has an assignment head of its own.

Source: LightGlue (arXiv 2306.13643), section 3.3, "Adaptive depth and width".
"""

# torch has no types for Tensor.split, unbind and tolist
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, compress
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from tiepoint.models.device import synchronize, to_device
from tiepoint.models.lightglue.assignment import AssignmentTensors, no_matches, streamed_matches
from tiepoint.models.lightglue.attention import PackedAttention
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape, Rotation
from tiepoint.models.precision import without_autocast
from tiepoint.types.features import StoppedBy

# Images with at most this many keypoints are not pruned: gathering the remaining tokens would cost more than it saves.
# The values are those of cvg/LightGlue.
PRUNING_MIN_KEYPOINTS = {"cpu": 0, "mps": 0, "cuda": 1536}


@dataclass(frozen=True, slots=True)
class AdaptiveInference:
    """Thresholds of early stopping and pruning; the defaults are the published ones.

    Attributes:
        depth_confidence: Stop when more than this fraction of the keypoints of a pair is confident; <= 0 disables
            early stopping.
        width_confidence: Prune confident keypoints that are unmatchable with at least this probability; <= 0 disables
            pruning.
        pruning_min_keypoints: Prune only images with more keypoints than this; None uses `PRUNING_MIN_KEYPOINTS`.
    """

    depth_confidence: float = 0.95
    width_confidence: float = 0.99
    pruning_min_keypoints: int | None = None

    @classmethod
    def from_flag(
        cls,
        adaptive: bool | Literal["depth", "width"],
        pruning_min_keypoints: int | None = None,
        *,
        depth_confidence: float = 0.95,
        width_confidence: float = 0.99,
    ) -> "AdaptiveInference":
        """Enable both early stopping and pruning (True), none (False), or only "depth" or "width"."""
        return cls(
            depth_confidence=depth_confidence if adaptive in (True, "depth") else -1.0,
            width_confidence=width_confidence if adaptive in (True, "width") else -1.0,
            pruning_min_keypoints=pruning_min_keypoints,
        )

    def without_effect(self) -> "AdaptiveInference":
        """Return thresholds that compute the same, but stop no pair and prune no keypoint: the worst case in time."""
        return replace(
            self,
            depth_confidence=1.0 if self.depth_confidence > 0 else self.depth_confidence,
            width_confidence=1.0 if self.width_confidence > 0 else self.width_confidence,
        )

    def supported_by(self, shape: LightGlueShape) -> "AdaptiveInference":
        """Disable early stopping and pruning for a network that does not predict the confidence of its tokens."""
        return self if shape.token_confidence else replace(self, depth_confidence=-1.0, width_confidence=-1.0)

    def for_device(self, device: torch.device) -> "AdaptiveInference":
        """Replace a pruning threshold of None by the one of the device."""
        if self.pruning_min_keypoints is not None:
            return self
        return replace(self, pruning_min_keypoints=PRUNING_MIN_KEYPOINTS.get(device.type, 0))


@runtime_checkable
class LayerClock(Protocol):
    """Decides between two layers whether there is time for another one."""

    def has_time(self, num_tokens: int) -> bool:
        """Return whether there is time for another layer, and the assignment after it, with this many tokens."""
        ...


class PairAssignment(NamedTuple):
    """Result for one pair with m and n keypoints.

    Attributes:
        assignment: Matches and scores.
        prune0: 1 + number of prunings that each keypoint of image 0 survived; the number of layers with pruning off.
        prune1: Same for the keypoints of image 1.
        layers_run: Number of layers that ran; 0 if an image has no keypoints.
        stopped_by: Reason why no further layer ran.
    """

    assignment: AssignmentTensors
    prune0: Int[Tensor, "m"]
    prune1: Int[Tensor, "n"]
    layers_run: int
    stopped_by: StoppedBy = "last_layer"


def confidence_threshold(layer: int, layers: int) -> float:
    """Return the confidence from which on a token counts as confident. Source: LightGlue, section 3.3 and appendix."""
    return min(max(0.8 + 0.1 * math.exp(-4.0 * layer / layers), 0.0), 1.0)


@torch.no_grad()
@without_autocast()
def match_batch(
    network: LightGlue,
    positions: Float[Tensor, "t p"],
    descriptors: Float[Tensor, "t i"],
    counts: Sequence[tuple[int, int]],
    *,
    adaptivity: AdaptiveInference,
    filter_threshold: float,
    max_layers: int | None = None,
    clock: LayerClock | None = None,
) -> list[PairAssignment]:
    """Match a batch of pairs; without a clock, results are identical to matching each pair on its own.

    Args:
        network: Network in evaluation mode; its fused form (`fused_layers.fuse`) is faster.
        positions: Normalized keypoints (`LightGlueShape.normalize`) of all images, followed by scale and orientation or an
            affine frame if the weights need them, packed.
        descriptors: Descriptors of all images, packed.
        counts: Number of keypoints of image 0 and of image 1 of each pair; their sum is t.
        adaptivity: Thresholds of early stopping and pruning.
        filter_threshold: Minimum match score (exclusive).
        max_layers: Maximum number of layers to run, at least 1; None runs all.
        clock: Clock that may end the batch after any layer; None never does.

    Returns:
        One result per pair, in the order of `counts`.
    """
    batch = _Batch(network, positions, descriptors, counts, adaptivity, filter_threshold)
    *early_layers, last = range(min(max_layers or network.shape.layers, network.shape.layers))
    batch.finalize_empty_pairs(layers_run=0)
    for layer in early_layers:
        if batch.is_empty:
            break
        tokens = batch.tokens
        tokens.x = next(network.layers(tokens.x, tokens.rotation, tokens.attention, start=layer))
        confidence = batch.token_confidence(layer)
        keep = batch.pruning_mask(layer, confidence)
        stopped, sizes = batch.check_early_stopping(layer, confidence, keep)
        batch.assign_finished(stopped, layer, "confidence")
        if clock is not None and not batch.has_time(clock, sizes, stopped):
            batch.assign_finished([not pair_stopped for pair_stopped in stopped], layer, "latency_budget")
            stopped = [True] * len(stopped)
        batch.prune(keep, sizes, drop_pairs=stopped)
        batch.finalize_empty_pairs(layers_run=layer + 1)
    if not batch.is_empty:
        tokens = batch.tokens
        tokens.x = next(network.layers(tokens.x, tokens.rotation, tokens.attention, start=last))
        reason = "last_layer" if last + 1 == network.shape.layers else "max_layers"
        batch.assign_finished([True] * len(tokens.pairs), last, reason)
    return batch.results()


class _Batch:
    """The verbs of `match_batch`, with its shrinking tokens and growing results.

    The CPU waits for a GPU once per layer, in `check_early_stopping`.
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
        x, rotation = network.embed(positions, descriptors)
        adaptivity = adaptivity.supported_by(network.shape)
        index = torch.arange(len(x), dtype=torch.int64, device=x.device)
        sizes = [size for pair in counts for size in pair]
        self.tokens = _PackedTokens(x, rotation, index, pairs=list(range(len(counts))), sizes=sizes)
        self.network = network
        self.counts = list(counts)
        self.starts = [0, *accumulate(sizes)]
        self.filter_threshold = filter_threshold
        self.depth_confidence, self.width_confidence = (
            adaptivity.depth_confidence,
            adaptivity.width_confidence,
        )
        self.pruning_min_keypoints = adaptivity.for_device(x.device).pruning_min_keypoints or 0
        self.prune_counts = torch.full_like(index, 1 if self.width_confidence > 0 else network.shape.layers)
        self.finished: dict[int, tuple[AssignmentTensors, int, StoppedBy]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether all pairs are finished."""
        return not self.tokens.pairs

    def token_confidence(self, layer: int) -> Float[Tensor, "t"] | None:
        """Predict the confidence of each token (equation 8); None without early stopping."""
        return self.network.confidence(layer)(self.tokens.x).float() if self.depth_confidence > 0 else None

    def pruning_mask(self, layer: int, confidence: Float[Tensor, "t"] | None) -> Bool[Tensor, "t"] | None:
        """Keep tokens that are matchable or not yet confident, and all tokens of small images; None keeps all."""
        prunable = self._prunable_images()
        if not any(prunable):
            return None
        matchability = self.network.head(layer).logits(self.tokens.x).sigmoid()
        keep = matchability > 1 - self.width_confidence
        if confidence is not None:
            keep |= confidence <= self._threshold(layer)
        return keep if all(prunable) else keep | ~self.tokens.repeat_per_image(prunable)

    def check_early_stopping(
        self, layer: int, confidence: Float[Tensor, "t"] | None, keep: Bool[Tensor, "t"] | None
    ) -> tuple[list[bool], list[int]]:
        """Return whether each pair stops, and the number of tokens that pruning leaves in each image."""
        tokens = self.tokens
        stops = None if confidence is None else self._confident_pairs(layer, confidence)
        kept = None if keep is None else _count_per_image(keep, tokens.sizes)
        parts = [part.long() for part in (stops, kept) if part is not None]
        values = torch.cat(parts).tolist() if parts else []  # the only point where the CPU waits for a GPU
        number = 0 if stops is None else len(tokens.pairs)
        stopped = [bool(value) for value in values[:number]] or [False] * len(tokens.pairs)
        return stopped, values[number:] or tokens.sizes

    def has_time(self, clock: LayerClock, sizes: list[int], stopped: list[bool]) -> bool:
        """Return whether there is time for another layer with the tokens that pruning leaves in the other pairs."""
        num_tokens = sum(compress(sizes, [not pair_stopped for pair_stopped in stopped for _ in (0, 1)]))
        if num_tokens == 0:
            return True
        synchronize(self.tokens.x.device)  # without adaptivity nothing else waits for a GPU
        return clock.has_time(num_tokens)

    def assign_finished(self, stopped: list[bool], layer: int, reason: StoppedBy) -> None:
        """Match the pairs that stop, with the assignment head of this layer."""
        head, tokens = self.network.head(layer), self.tokens
        starts = [0, *accumulate(tokens.sizes)]
        for k, pair in enumerate(tokens.pairs):
            if stopped[k]:
                a, b, c = starts[2 * k : 2 * k + 3]
                (vectors0, logits0), (vectors1, logits1) = head(tokens.x[a:b]), head(tokens.x[b:c])
                found = streamed_matches(vectors0, vectors1, logits0, logits1, self.filter_threshold)
                indices0 = tokens.index[a:b] - self.starts[2 * pair]
                indices1 = tokens.index[b:c] - self.starts[2 * pair + 1]
                original = _to_original_indices(found, indices0, indices1, self.counts[pair])
                self.finished[pair] = original, layer + 1, reason

    def prune(self, keep: Bool[Tensor, "t"] | None, sizes: list[int], *, drop_pairs: list[bool]) -> None:
        """Drop the tokens outside the mask, and all tokens of the pairs to drop."""
        tokens = self.tokens
        stays = [not dropped for dropped in drop_pairs for _ in (0, 1)]
        if keep is not None:
            pruned = [
                prunable and stay for prunable, stay in zip(self._prunable_images(), stays, strict=True)
            ]
            survived = keep if all(pruned) else keep & tokens.repeat_per_image(pruned)
            self.prune_counts.index_add_(0, tokens.index, survived.long())
        if all(stays) and sizes == tokens.sizes:
            return
        if keep is not None and all(stays):
            remaining = keep
        else:
            remaining = tokens.repeat_per_image(stays)
            remaining = remaining if keep is None else keep & remaining
        pairs = [pair for pair, dropped in zip(tokens.pairs, drop_pairs, strict=True) if not dropped]
        self.tokens = tokens.select(remaining, pairs, list(compress(sizes, stays)))

    def finalize_empty_pairs(self, *, layers_run: int) -> None:
        """Finish pairs in which an image has no tokens: they have no matches."""
        sizes = self.tokens.sizes
        empty = [0 in sizes[2 * k : 2 * k + 2] for k in range(len(self.tokens.pairs))]
        for pair in compress(self.tokens.pairs, empty):
            m, n = self.counts[pair]
            self.finished[pair] = no_matches((m,), (n,), self.tokens.x), layers_run, "no_keypoints"
        self.prune(None, sizes, drop_pairs=empty)

    def results(self) -> list[PairAssignment]:
        """Return the results in the original order of the pairs."""
        prune = self.prune_counts.split([size for pair in self.counts for size in pair])
        return [
            PairAssignment(found, prune[2 * k], prune[2 * k + 1], layers_run, stopped_by)
            for k in range(len(self.counts))
            for found, layers_run, stopped_by in [self.finished[k]]
        ]

    def _prunable_images(self) -> list[bool]:
        return [self.width_confidence > 0 and n > self.pruning_min_keypoints for n in self.tokens.sizes]

    def _confident_pairs(self, layer: int, confidence: Float[Tensor, "t"]) -> Bool[Tensor, "pairs"]:
        """Compare the fraction of confident keypoints with the threshold; pruned ones count as confident."""
        not_confident = _count_per_image(confidence < self._threshold(layer), self.tokens.sizes)
        totals = _to_tensor([sum(self.counts[pair]) for pair in self.tokens.pairs], confidence.device)
        fraction = 1.0 - not_confident.view(-1, 2).sum(1).float() / totals
        return fraction > self.depth_confidence

    def _threshold(self, layer: int) -> float:
        return confidence_threshold(layer, self.network.shape.layers)


@dataclass(slots=True)
class _PackedTokens:
    """Tokens of the unfinished pairs; pair `pairs[k]` has images of `sizes[2 * k]` and `sizes[2 * k + 1]` tokens."""

    x: Float[Tensor, "t d"]
    rotation: Rotation
    index: Int[Tensor, "t"]  # position of each token in the original batch
    pairs: list[int]
    sizes: list[int]

    @property
    def attention(self) -> PackedAttention:
        """Attention for the current sizes."""
        return PackedAttention(self.sizes)

    def repeat_per_image(self, flags: list[bool]) -> Bool[Tensor, "t"]:
        """Expand one flag per image to one per token."""
        lengths = _to_tensor(self.sizes, self.index.device)
        values = _to_tensor(flags, self.index.device)
        return values.repeat_interleave(lengths, output_size=len(self.index))

    def select(self, keep: Bool[Tensor, "t"], pairs: list[int], sizes: list[int]) -> "_PackedTokens":
        """Gather the tokens of a mask; `pairs` and `sizes` describe the result."""
        # nonzero() would make the CPU wait for a GPU to learn a number that `sizes` already gives
        indices = keep.logical_not().to(torch.uint8).sort(stable=True).indices[: sum(sizes)]
        cosines, sines = self.rotation
        return _PackedTokens(
            x=self.x.index_select(0, indices),
            rotation=(cosines.index_select(0, indices), sines.index_select(0, indices)),
            index=self.index.index_select(0, indices),
            pairs=pairs,
            sizes=sizes,
        )


def _count_per_image(flags: Bool[Tensor, "t"], sizes: list[int]) -> Int[Tensor, "images"]:
    """Count the flagged tokens of each image in a single pass."""
    counts = F.pad(flags.cumsum(0), (1, 0))
    edges = _to_tensor([0, *accumulate(sizes)], flags.device)
    return counts.index_select(0, edges).diff()


def _to_tensor(values: Sequence[int] | Sequence[bool], device: torch.device) -> Tensor:
    """Copy integers or flags to a device without waiting for it."""
    dtype = torch.bool if values and isinstance(values[0], bool) else torch.int64
    return to_device(torch.tensor(values, dtype=dtype, device="cpu"), device)


def _to_original_indices(
    found: AssignmentTensors, indices0: Tensor, indices1: Tensor, counts: tuple[int, int]
) -> AssignmentTensors:
    """Map the matches between remaining tokens to all m and n keypoints."""
    m, n = counts
    original = no_matches((m,), (n,), found.matching_scores0)
    original.matches0[indices0] = torch.where(found.matches0 < 0, -1, indices1[found.matches0])
    original.matches1[indices1] = torch.where(found.matches1 < 0, -1, indices0[found.matches1])
    original.matching_scores0[indices0] = found.matching_scores0
    original.matching_scores1[indices1] = found.matching_scores1
    return original
