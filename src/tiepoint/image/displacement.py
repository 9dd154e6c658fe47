"""Displacement field: offsets on a regular grid of a target, interpolated linearly between its nodes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, eq=False)
class DisplacementField:
    """Offsets that are added to positions in an image, for pixels of a target.

    Attributes:
        offsets: Offsets (x, y) in px of the image at the nodes, shape (rows, columns, 2), at least 2 x 2 nodes; node (0, 0)
            is at (0, 0) of the target.
        spacing: Distance between nodes in px of the target.
    """

    offsets: Float[np.ndarray, "rows columns 2"]
    spacing: float

    @property
    def max_gradient(self) -> float:
        """Largest change of the offsets in px of the image per px of the target, along x or y."""
        steps = [np.linalg.norm(np.diff(self.offsets, axis=axis), axis=-1).max() for axis in (0, 1)]
        return float(max(steps)) / self.spacing

    def at(
        self, x: Float[np.ndarray, "w"], y: Float[np.ndarray, "h"]
    ) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Return the offsets along x and y for a grid of target positions in px; constant beyond the last nodes."""
        rows, columns, _ = self.offsets.shape
        weights_y, weights_x = _weights(y / self.spacing, rows), _weights(x / self.spacing, columns)
        return weights_y @ self.offsets[..., 0] @ weights_x.T, weights_y @ self.offsets[..., 1] @ weights_x.T

    def at_points(self, x: Float[np.ndarray, "n"], y: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 2"]:
        """Return the offsets (x, y) at target positions in px; constant beyond the last nodes."""
        rows, columns, _ = self.offsets.shape
        weights_y, weights_x = _weights(y / self.spacing, rows), _weights(x / self.spacing, columns)
        return np.einsum("kr,rcd,kc->kd", weights_y, self.offsets, weights_x)


def _weights(position: Float[np.ndarray, "n"], num_nodes: int) -> Float[np.ndarray, "n nodes"]:
    """Return the weight of each node at each position, in units of the spacing: linear interpolation."""
    distances = np.abs(np.clip(position, 0, num_nodes - 1)[:, None] - np.arange(num_nodes))
    return np.maximum(1 - distances, 0)
