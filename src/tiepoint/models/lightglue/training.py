"""LightGlue with what every layer says, not the last alone: the form that is trained.

The layers are those of `tiepoint.models.lightglue.network`, over the same dense arrangement; each of them is followed by its
own assignment head and its own token confidence, so that what is trained may stop after any layer.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tiepoint.models.lightglue.network import DenseAttention, LightGlue, TokenConfidence, dense_assignment


class LayerOutput(NamedTuple):
    """What one layer says of a batch of pairs.

    `log_assignment` (b, m + 1, n + 1) is `LightGlue.forward`'s, had this layer been the last. The logits of token
    confidence (b, m) and (b, n) reach back to the confidence's own weights only; None after the last layer.
    """

    log_assignment: Float[Tensor, "b rows columns"]
    confidence_logits0: Float[Tensor, "b m"] | None
    confidence_logits1: Float[Tensor, "b n"] | None


class LayerwiseLightGlue(nn.Module):
    """A LightGlue whose forward pass gives the output of every layer. A module, so that DDP can wrap it.

    Args:
        network: what is trained; it stays as it is, and this holds no weights of its own.
        checkpointing: keep only the tokens between layers, and compute the rest again in the backward pass: a third
            slower, in a fraction of the memory.
        mixed_precision: compute matrix products inside the layers in bfloat16; the weights stay as they are.
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
        """Match dense batches; arguments as for `LightGlue.forward`, one output a layer."""
        sizes = (positions0.shape[1], positions1.shape[1])
        tokens = self._tokens(positions0, descriptors0, positions1, descriptors1, mask0, mask1)
        return [
            LayerOutput(
                self._assignment(index, x, sizes, mask0, mask1),
                *self._confidence(index, x, sizes),
            )
            for index, x in enumerate(tokens)
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
        """The log assignment of the last layer alone; `LightGlue.forward`, in mixed precision where that is chosen."""
        sizes = (positions0.shape[1], positions1.shape[1])
        *_, x = self._tokens(positions0, descriptors0, positions1, descriptors1, mask0, mask1)
        return self._assignment(-1, x, sizes, mask0, mask1)

    def _tokens(
        self,
        positions0: Tensor,
        descriptors0: Tensor,
        positions1: Tensor,
        descriptors1: Tensor,
        mask0: Tensor | None,
        mask1: Tensor | None,
    ) -> Iterator[Tensor]:
        """The tokens of both images after each layer."""
        x, rotation = self.network.embed(
            torch.cat((positions0, positions1), dim=1), torch.cat((descriptors0, descriptors1), dim=1)
        )
        attention = DenseAttention(positions0.shape[1], positions1.shape[1], mask0, mask1)
        for layer in self.network.transformers:
            # tokens, angles and heads stay float32: similarities are differences of large numbers
            with torch.autocast(x.device.type, torch.bfloat16, enabled=self.mixed_precision):
                x = self._run(layer, x, rotation, attention)
            yield x

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
        head = cast(TokenConfidence, self.network.token_confidence[index])
        logits0, logits1 = head.logits(x).split(sizes, dim=1)
        return logits0, logits1

    def _run(self, compute: Callable[..., Tensor], *inputs: Any) -> Tensor:
        if not (self.checkpointing and self.training):
            return compute(*inputs)
        return cast(Tensor, checkpoint(compute, *inputs, use_reentrant=False))
