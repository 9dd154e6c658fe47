"""Low-rank adaptation (LoRA) of a matcher: its weights are frozen, the product of two thin matrices is added to each.

Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022, section 4.1. The thin matrices are
parametrizations of the linear layers, so that the network computes as before and the trainer sees a few more parameters.
Parameters that are smaller than their thin matrices (biases, norms, heads with one row) are trained themselves.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tiepoint.models.lightglue.network import LightGlue
from tiepoint.models.lightglue.recognition import build

WEIGHT = "weight"
ORIGINAL = f"parametrizations.{WEIGHT}.original"
UPDATE = f"parametrizations.{WEIGHT}.0."


class LowRankUpdate(nn.Module):
    """Adds a matrix of low rank to a weight.

    Args:
        weight: Weight of a linear layer.
        rank: Rank of the update.
        generator: Random numbers of the initial `down`; `up` starts at zero, so that the network is unchanged.

    Attributes:
        up: Shape (out, rank).
        down: Shape (rank, in).
    """

    def __init__(self, weight: Float[Tensor, "o i"], rank: int, generator: torch.Generator) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        down = torch.randn(rank, inputs, generator=generator, device="cpu", dtype=torch.float32)
        self.down = nn.Parameter((down / inputs**0.5).to(weight))
        self.up = nn.Parameter(weight.new_zeros(outputs, rank))

    def forward(self, weight: Float[Tensor, "o i"]) -> Float[Tensor, "o i"]:
        """Return the sum of the weight and the update."""
        return weight + self.up @ self.down


def add_lora(network: LightGlue, rank: int, seed: int) -> LightGlue:
    """Freeze the large weights of a network, and add a trainable update of low rank to each; in place.

    Args:
        network: Network; it computes the same as before.
        rank: Rank of the updates.
        seed: Random seed of the initial updates.

    Returns:
        The network.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    for module in list(network.modules()):
        if isinstance(module, nn.Linear) and rank * sum(module.weight.shape) < module.weight.numel():
            module.weight.requires_grad_(False)
            update = LowRankUpdate(module.weight.detach(), rank, generator)
            parametrize.register_parametrization(module, WEIGHT, update)
    return network


def has_lora(network: nn.Module) -> bool:
    """Return whether updates of low rank were added to a network."""
    return any(parametrize.is_parametrized(module) for module in network.modules())


@torch.no_grad()
def merge_lora(network: LightGlue) -> LightGlue:
    """Return a network of its own with the updates added to the weights, in evaluation mode; without updates, `network`.

    Args:
        network: Network, unchanged.
    """
    if not has_lora(network):
        return network
    tensors = {
        name: tensor.clone()
        for name, tensor in network.state_dict().items()
        if "parametrizations." not in name
    }
    for path, module in network.named_modules():
        if parametrize.is_parametrized(module):
            tensors[f"{path}.{WEIGHT}"] = module.get_parameter(ORIGINAL) + _update(module)
    device = next(network.parameters()).device
    return build(tensors).to(device)


def lora_tensors(network: LightGlue, base: LightGlue) -> dict[str, Tensor]:
    """Return what distinguishes a trained network from its base, by the names in `tiepoint.matching.adapters`.

    Args:
        network: Trained network with updates.
        base: Network from which the training started.
    """
    trained, start = dict(network.named_parameters()), base.state_dict()
    tensors = dict[str, Tensor]()
    for name, parameter in trained.items():
        if name.endswith(ORIGINAL):
            continue
        if UPDATE in name:
            tensors[name.replace(UPDATE, f"{WEIGHT}.")] = parameter.detach()
        elif not torch.equal(parameter.detach(), start[name]):
            tensors[f"{name}.delta"] = parameter.detach() - start[name]
    return tensors


def _update(module: nn.Module) -> Tensor:
    return module.get_parameter(f"{UPDATE}up") @ module.get_parameter(f"{UPDATE}down")
