"""Bringing tensors to the device without making it wait."""

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on `device`; from the CPU to a GPU through pinned memory, in the order of the GPU's own work.

    Args:
        tensor: anywhere.
        device: where it shall be.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
