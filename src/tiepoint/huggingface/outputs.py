"""What `LightGlueForKeypointMatching.forward` returns."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor


@dataclass
class LightGlueKeypointMatchingOutput:
    """B pairs, padded to N, the most keypoints of any image in the batch.

    Works as an object, as a mapping (`output["matches"]`) and as a tuple (`output[0]`, without the fields that are
    None), like the outputs of transformers.

    Attributes:
        loss: always None; training has its own entry point.
        matches: index in the other image, -1 = none.
        matching_scores: score of each mutual match, kept below the filter threshold too; 0 elsewhere.
        keypoints: (x / W, y / H) of the processed image before padding, float32; zero where padded.
        prune: 1 + prunings survived; the number of layers with pruning off; 0 where padded.
        mask: 1 = a real keypoint.
        image_sizes: (height, width) in px of the processed images before padding.
        hidden_states: on request, seven a layer, each (2B, N, d or 2d): input, after self-attention, input and
            output of its MLP, output of the layer, input and output of the cross-attention's MLP.
        attentions: on request, two a layer, self then cross, each (2B, heads, N, N).
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
        """The fields that are not None, in their order."""
        return tuple(value for _, value in self.items())

    def items(self) -> list[tuple[str, Any]]:
        """Names and values of the fields that are not None."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return [(name, value) for name, value in pairs if value is not None]

    def keys(self) -> list[str]:
        """Names of the fields that are not None."""
        return [name for name, _ in self.items()]

    def __getitem__(self, key: str | int | slice) -> Any:
        return dict(self.items())[key] if isinstance(key, str) else self.to_tuple()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.items())
