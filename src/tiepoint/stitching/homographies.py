"""Homographies of images of a plane to the most central one, adjusted by the transfer errors of all pairs."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from tiepoint.stitching.adjustment import Points, State, adjust, observe
from tiepoint.stitching.inputs import StitchInput
from tiepoint.stitching.pair_matches import PairMatch
from tiepoint.stitching.views import PlanarView

Matrices = Float[np.ndarray, "n 3 3"]


def estimate_homographies(inputs: Sequence[StitchInput], edges: Sequence[PairMatch]) -> list[PlanarView]:
    """Estimate the homographies from all images to the plane of the most central one, which is not warped.

    Args:
        inputs: Images of a connected component.
        edges: Pairs of these images that overlap.

    Returns:
        Views in the order of the images; their w is 1 at the center of each image.
    """
    position = {each.index: number for number, each in enumerate(inputs)}
    sizes = [each.image_size for each in inputs]
    units = np.stack([_unit(size) for size in sizes])
    reference = _most_central(len(inputs), edges, position)
    matrices = _chain(len(inputs), edges, position, reference) @ units
    state = matrices.reshape(len(inputs), 9) / np.linalg.norm(matrices, axis=(1, 2))[:, None]
    is_free = np.tile(np.arange(len(inputs))[:, None] != reference, (1, 8))
    state = adjust(_Homographies(), state, observe(edges, position, sizes), is_free)
    adjusted = state.reshape(-1, 3, 3)
    to_reference = units[reference] @ np.linalg.inv(np.asarray(adjusted[reference]))
    matrices = np.asarray(to_reference @ adjusted @ np.linalg.inv(units))
    return [
        PlanarView(image_size=size, surface_from_image=_in_front(np.asarray(matrix), size))
        for matrix, size in zip(matrices, sizes, strict=True)
    ]


class _Homographies:
    """States are homographies from normalized coordinates to the plane, which change by H <- H (I + D)."""

    num_parameters = 8

    def updated(self, state: State, step: Float[np.ndarray, "n 8"]) -> State:
        change = np.concatenate([step, np.zeros((len(step), 1))], axis=1).reshape(-1, 3, 3) + np.eye(3)
        return (state.reshape(-1, 3, 3) @ change).reshape(len(state), 9)

    def transferred(
        self, state0: Float[np.ndarray, "e 9"], state1: Float[np.ndarray, "e 9"], points: Points
    ) -> Points:
        first, second = state0.reshape(-1, 3, 3), state1.reshape(-1, 3, 3)
        homogeneous = np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)
        projected = homogeneous @ np.swapaxes(np.linalg.inv(second) @ first, 1, 2)
        return projected[..., :2] / np.where(projected[..., 2:] == 0, 1e-9, projected[..., 2:])

    def prior(self, state: State) -> tuple[Float[np.ndarray, "n 8"], Float[np.ndarray, "n 8"]]:
        nothing = np.zeros((len(state), 8))
        return nothing, nothing


def _most_central(count: int, edges: Sequence[PairMatch], position: dict[int, int]) -> int:
    """Image with the fewest steps to the farthest other one; ties go to more inliers, then to the higher number."""
    steps = np.where(np.eye(count, dtype=bool), 0.0, np.inf)
    support = np.zeros(count)
    for edge in edges:
        i, j = position[edge.index0], position[edge.index1]
        steps[i, j] = steps[j, i] = 1.0
        support[[i, j]] += edge.estimate.num_inliers
    for middle in range(count):
        steps = np.minimum(steps, steps[:, middle, None] + steps[None, middle])
    return min(range(count), key=lambda number: (steps[number].max(), -support[number], -number))


def _chain(count: int, edges: Sequence[PairMatch], position: dict[int, int], reference: int) -> Matrices:
    """Concatenate homographies along the spanning tree with the largest supports."""
    matrices = np.tile(np.eye(3), (count, 1, 1))
    reached = {reference}
    left = sorted(edges, key=lambda edge: -edge.estimate.num_inliers)
    while len(reached) < count:
        edge = next(edge for edge in left if len({position[i] for i in edge.indices} & reached) == 1)
        i, j = position[edge.index0], position[edge.index1]
        H = edge.estimate.matrix
        assert H is not None, "edges have a homography"
        if j in reached:
            matrices[i] = matrices[j] @ H
        else:
            matrices[j] = matrices[i] @ np.linalg.inv(H)
        reached |= {i, j}
    return matrices


def _unit(size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """Matrix from normalized coordinates to px."""
    half = max(size) / 2
    return np.array([[half, 0, (size[0] - 1) / 2], [0, half, (size[1] - 1) / 2], [0, 0, 1.0]])


def _in_front(matrix: Float[np.ndarray, "3 3"], image_size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """Scale a homography so that w is 1 at the image center."""
    w = matrix[2] @ ((image_size[0] - 1) / 2, (image_size[1] - 1) / 2, 1.0)
    return matrix / w if w else matrix
