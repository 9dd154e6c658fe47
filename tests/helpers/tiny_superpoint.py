"""SuperPoint networks of a few channels with random weights."""

import torch
from torch import nn

from tiepoint.models.superpoint.network import SuperPoint, SuperPointShape

WIDTHS = (4, 4, 6, 6)
TINY = SuperPointShape(widths=WIDTHS, head_width=8, dim=12)
TINY_OPEN = SuperPointShape(widths=WIDTHS, head_width=8, dim=12, batch_norm=True)


def tiny(shape: SuperPointShape) -> SuperPoint:
    """Random weights and, where there are batch norms, random statistics."""
    torch.manual_seed(0)
    network = SuperPoint(shape)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight, layer.bias, layer.running_mean, layer.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
    return network.eval()
