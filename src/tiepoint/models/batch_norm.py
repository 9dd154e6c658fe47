"""Batch norms in evaluation mode, folded into the convolutions in front of them."""

import copy
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


@torch.no_grad()
def fold_batch_norms(network: Network) -> Network:
    """Return a network without batch norms that computes the same function; only the order of rounding differs.

    A batch norm is folded if it follows its convolution: in a sequence or list of layers, or as `bn1` after `conv1`.

    Args:
        network: Network in evaluation mode, on its final device and in its final dtype.

    Returns:
        A copy whose folded convolutions have weights of their own, and which shares all other weights with `network`;
        `network` itself if it has no batch norms.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return network
    shared = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    folded = copy.deepcopy(network, shared)
    for parent in list(folded.modules()):
        for conv, norm in list(_followed_convolutions(parent)):
            setattr(parent, conv, _folded(parent.get_submodule(conv), parent.get_submodule(norm)))
            setattr(parent, norm, nn.Identity())
    return folded


def scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return the factor and the offset of each channel that a batch norm in evaluation mode applies, in float64.

    Args:
        norm: Batch norm of d channels.

    Returns:
        Factors and offsets, both of shape (d,).
    """
    mean, variance = cast(Tensor, norm.running_mean).double(), cast(Tensor, norm.running_var).double()
    factor = norm.weight.double() / (variance + norm.eps).sqrt()
    return factor, norm.bias.double() - mean * factor


def _followed_convolutions(parent: nn.Module) -> Iterator[tuple[str, str]]:
    """Yield the names of a convolution and its batch norm among the children of a module."""
    children = dict(parent.named_children())
    if isinstance(parent, nn.Sequential | nn.ModuleList):
        pairs = pairwise(children)
    else:
        pairs = ((f"conv{name.removeprefix('bn')}", name) for name in children if name.startswith("bn"))
    for conv, norm in pairs:
        if isinstance(children.get(norm), nn.BatchNorm2d) and isinstance(children.get(conv), nn.Conv2d):
            yield conv, norm


def _folded(conv: nn.Module, norm: nn.Module) -> nn.Conv2d:
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    factor, shift = scale_and_shift(norm)
    bias = shift if conv.bias is None else conv.bias.double() * factor + shift
    folded = copy.deepcopy(conv)
    weight = conv.weight.double() * factor[:, None, None, None]
    folded.weight, folded.bias = (
        nn.Parameter(value.to(conv.weight.dtype), requires_grad=False) for value in (weight, bias)
    )
    return folded
