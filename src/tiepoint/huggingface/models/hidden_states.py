"""Hidden states and attention weights of all layers of LightGlue, in the order and shapes of transformers."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple, cast

from jaxtyping import Bool, Float
from torch import Tensor, nn

from tiepoint.models.lightglue.assignment import log_assignment_matrix
from tiepoint.models.lightglue.attention import RecordingAttention
from tiepoint.models.lightglue.network import LightGlue, TransformerLayer


class Inspection(NamedTuple):
    """Log scores of all pairs, with hidden states and attention weights as in transformers."""

    log_scores: Float[Tensor, "b n+1 n+1"]
    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...]


def inspect(
    network: LightGlue,
    positions: Float[Tensor, "b 2 n p"],
    descriptors: Float[Tensor, "b 2 n i"],
    mask: Bool[Tensor, "b 2 n"],
) -> Inspection:
    """Run all layers without adaptive inference and record hidden states and attention weights.

    Args:
        network: LightGlue network.
        positions: Normalized keypoint coordinates, padded.
        descriptors: Descriptors, padded.
        mask: True for keypoints, False for padding.
    """
    b, _, n, _ = positions.shape
    attention = RecordingAttention(mask)
    x, rotation = network.embed(positions.flatten(1, 2), descriptors.flatten(1, 2))
    states: list[Tensor] = []
    with ExitStack() as hooks:
        modules = cast(Iterable[TransformerLayer], network.transformers)
        activations = [hooks.enter_context(_record_activations(layer)) for layer in modules]
        for recorded, output in zip(activations, network.layers(x, rotation, attention), strict=True):
            states += [x, recorded["after_self"], *recorded["self_mlp"], output, *recorded["cross_mlp"]]
            x = output
    vectors, logits = network.head(-1)(x)
    (vectors0, vectors1), (logits0, logits1) = vectors.split(n, dim=1), logits.split(n, dim=1)
    log_scores = log_assignment_matrix(vectors0, vectors1, logits0, logits1, mask[:, 0], mask[:, 1])
    return Inspection(
        log_scores, tuple(state.reshape(2 * b, n, -1) for state in states), tuple(attention.weights)
    )


@contextmanager
def _record_activations(layer: TransformerLayer) -> Iterator[dict]:
    """Record the output of the self-attention block, and input and output of both MLPs, while the layer runs."""
    recorded: dict = {}

    def record(name: str, *, with_input: bool) -> Callable:
        def hook(_module: nn.Module, inputs: tuple, output: Tensor) -> None:
            recorded[name] = (inputs[0], output) if with_input else output

        return hook

    with ExitStack() as hooks:
        for module, name, with_input in (
            (layer.self_attn, "after_self", False),
            (layer.self_attn.ffn, "self_mlp", True),
            (layer.cross_attn.ffn, "cross_mlp", True),
        ):
            hooks.callback(module.register_forward_hook(record(name, with_input=with_input)).remove)
        yield recorded
