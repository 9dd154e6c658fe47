"""LightGlue with per-layer outputs (deep supervision): the form that is trained.

It iterates over `LightGlue.layers` with dense tokens. Each layer is followed by its own assignment head and token
confidence, so the trained network can stop after any layer.
"""

# torch has no types for Tensor.split, and incomplete ones for checkpoint
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tiepoint.models.lightglue.attention import Attention, DenseAttention
from tiepoint.models.lightglue.network import LightGlue, Rotation, dense_assignment


class LayerOutput(NamedTuple):
    """Outputs of one layer for a batch of pairs.

    Attributes:
        log_assignment: Log assignment matrix, as `LightGlue.forward` returns it if this layer is the last.
        confidence_logits0: Logits of the token confidence of image 0; no gradient flows into the tokens. None after
            the last layer.
        confidence_logits1: Logits of the token confidence of image 1.
    """

    log_assignment: Float[Tensor, "b rows columns"]
    confidence_logits0: Float[Tensor, "b m"] | None
    confidence_logits1: Float[Tensor, "b n"] | None


class LayerwiseLightGlue(nn.Module):
    """A LightGlue whose forward pass returns the outputs of all layers; a module, so that DDP can wrap it.

    Args:
        network: Network to train; it is not copied, and this module has no weights of its own.
        checkpointing: Keep only the tokens between layers, and recompute other activations in the backward pass:
            a third slower, in a fraction of the memory.
        mixed_precision: Compute matrix products inside the layers in bfloat16; the weights keep their dtype.
    """

    def __init__(
        self, network: LightGlue, *, checkpointing: bool = False, mixed_precision: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self.checkpointing = checkpointing
        self.mixed_precision = mixed_precision

    def forward(
        self,
        positions0: Float[Tensor, "b m p"],
        descriptors0: Float[Tensor, "b m i"],
        positions1: Float[Tensor, "b n p"],
        descriptors1: Float[Tensor, "b n i"],
        mask0: Bool[Tensor, "b m"] | None = None,
        mask1: Bool[Tensor, "b n"] | None = None,
    ) -> list[LayerOutput]:
        """Match dense batches; arguments as for `LightGlue.forward`, one output per layer."""
        sizes = (positions0.shape[1], positions1.shape[1])
        attention = DenseAttention(*sizes, mask0, mask1)
        layers = self._layers(positions0, descriptors0, positions1, descriptors1, attention)
        return [
            LayerOutput(self._assignment(index, x, sizes, mask0, mask1), *self._confidence(index, x, sizes))
            for index, x in enumerate(layers)
        ]

    def last(
        self,
        positions0: Float[Tensor, "b m p"],
        descriptors0: Float[Tensor, "b m i"],
        positions1: Float[Tensor, "b n p"],
        descriptors1: Float[Tensor, "b n i"],
        mask0: Bool[Tensor, "b m"] | None = None,
        mask1: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b m+1 n+1"]:
        """Return the log assignment of the last layer only: `LightGlue.forward`, optionally in mixed precision."""
        sizes = (positions0.shape[1], positions1.shape[1])
        attention = DenseAttention(*sizes, mask0, mask1)
        *_, x = self._layers(positions0, descriptors0, positions1, descriptors1, attention)
        return self._assignment(-1, x, sizes, mask0, mask1)

    def _layers(
        self,
        positions0: Tensor,
        descriptors0: Tensor,
        positions1: Tensor,
        descriptors1: Tensor,
        attention: Attention,
    ) -> Iterator[Tensor]:
        """Iterate over `LightGlue.layers`, with checkpointing and in mixed precision."""
        x, rotation = self.network.embed(
            torch.cat((positions0, positions1), dim=1), torch.cat((descriptors0, descriptors1), dim=1)
        )
        for index in range(self.network.shape.layers):
            # tokens, rotations and heads stay float32: similarities are differences of large numbers
            with torch.autocast(x.device.type, torch.bfloat16, enabled=self.mixed_precision):
                x = self._run(self._layer, index, x, rotation, attention)
            yield x

    def _layer(self, index: int, x: Tensor, rotation: Rotation, attention: Attention) -> Tensor:
        return next(self.network.layers(x, rotation, attention, start=index))

    def _assignment(
        self, index: int, x: Tensor, sizes: tuple[int, int], mask0: Tensor | None, mask1: Tensor | None
    ) -> Tensor:
        vectors, logits = self.network.head(index)(x)
        return self._run(dense_assignment, vectors, logits, sizes, mask0, mask1)

    def _confidence(
        self, index: int, x: Tensor, sizes: tuple[int, int]
    ) -> tuple[Tensor, Tensor] | tuple[None, None]:
        if index == len(self.network.token_confidence):
            return None, None
        logits0, logits1 = self.network.confidence(index).logits(x).split(sizes, dim=1)
        return logits0, logits1

    def _run(self, compute: Callable[..., Tensor], *inputs: Any) -> Tensor:
        if not (self.checkpointing and self.training):
            return compute(*inputs)
        return checkpoint(compute, *inputs, use_reentrant=False)
