"""Output of `LightGlueForKeypointMatching.forward`."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor


@dataclass
class LightGlueKeypointMatchingOutput:
    """Matches of B pairs, padded to N, the maximum number of keypoints per image in the batch.

    Supports attribute access, keys (`output["matches"]`) and indices (`output[0]`, fields that are None are skipped),
    like the outputs of transformers.

    Attributes:
        loss: Always None; training has its own entry point.
        matches: Index of the matched keypoint in the other image; -1 if unmatched.
        matching_scores: Scores of mutual matches, including those below the filter threshold; 0 elsewhere.
        keypoints: Keypoint coordinates (x / W, y / H) relative to the processed image before padding, float32;
            0 where padded.
        prune: Layer at which a keypoint was pruned (1 + survived prunings); the number of layers without pruning;
            0 where padded.
        mask: 1 for keypoints, 0 for padding.
        image_sizes: Sizes (height, width) in px of the processed images before padding.
        hidden_states: Hidden states on request, 7 per layer, each (2B, N, d or 2d): input, output of self-attention,
            input and output of its MLP, output of the layer, input and output of the MLP of cross-attention.
        attentions: Attention weights on request, 2 per layer (self, cross), each (2B, heads, N, N).
    """

    loss: Tensor | None = None
    matches: Int[Tensor, "b 2 n"] | None = None
    matching_scores: Float[Tensor, "b 2 n"] | None = None
    keypoints: Float[Tensor, "b 2 n 2"] | None = None
    prune: Int[Tensor, "b 2 n"] | None = None
    mask: Int[Tensor, "b 2 n"] | None = None
    image_sizes: Int[Tensor, "b 2 2"] | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the fields that are not None, in order."""
        return tuple(value for _, value in self.items())

    def items(self) -> list[tuple[str, Any]]:
        """Return the names and values of the fields that are not None."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [(name, value) for name, value in pairs if value is not None]

    def keys(self) -> list[str]:
        """Return the names of the fields that are not None."""
        return [name for name, _ in self.items()]

    def __getitem__(self, key: str | int | slice) -> Any:
        return dict(self.items())[key] if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.items())
