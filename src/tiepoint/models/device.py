"""Devices: choosing one by name, and copying tensors to it without blocking."""

import torch
from torch import Tensor

from tiepoint.errors import InvalidInput


def choose_device(device: str | torch.device) -> torch.device:
    """Return a device that works on this machine.

    Args:
        device: Name or device; "auto" chooses a CUDA GPU if there is one, otherwise the CPU.

    Raises:
        InvalidInput: If the device is unknown or not available.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(
            1, dtype=torch.uint8, device=chosen
        ).tolist()  # fails on "meta", which is a device but holds no values
    except (RuntimeError, AssertionError, ValueError, TypeError, NotImplementedError) as error:
        reason = (str(error).splitlines() or ["unknown"])[0]
        raise InvalidInput(f"cannot use device {device!r}: {reason}; use 'auto' or 'cpu'") from error
    return chosen


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on a device; the CPU does not wait for the copy to a GPU (pinned memory, non-blocking).

    Args:
        tensor: Tensor on any device.
        device: Target device.
    """
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished all its work; no effect on a CPU."""
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
