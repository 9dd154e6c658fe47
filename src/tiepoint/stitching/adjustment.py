"""Robust bundle adjustment of cameras or homographies by the transfer errors of all pairs.

Levenberg-Marquardt on the Geman-McClure loss, whose scale decreases step by step (graduated non-convexity): false pairs,
such as those of repeated facades, lose their weight, where a squared loss would spread their errors over all images.

Source: Yang et al., Graduated non-convexity for robust spatial perception, RA-L 5 (2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

from tiepoint.stitching.pair_matches import PairMatch

State: TypeAlias = Float[np.ndarray, "n s"]
"""One row of numbers per image."""

Points: TypeAlias = Float[np.ndarray, "e k 2"]

MAX_POINTS = 150  # inliers per pair that are adjusted
SCALES = (0.1, 0.03, 0.01, 0.003, 0.003)  # of the loss, relative to the longer side of the images
ITERATIONS = 12  # per scale
DAMPING = 1e-3  # initial
MIN_IMPROVEMENT = 1e-5  # relative; a smaller one ends a scale
STEP = 1e-6  # of numeric derivatives
BEHIND = 1e6  # squared error from which on a point is behind a camera


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observations:
    """Corresponding points of e ordered pairs, in units of half the longer side from the image centers.

    Attributes:
        first: Number of image 0 of each pair.
        second: Number of image 1 of each pair.
        points0: Points of image 0.
        points1: Points of image 1.
        weights: 1, or 0 for padding.
    """

    first: Int[np.ndarray, "e"]
    second: Int[np.ndarray, "e"]
    points0: Float[np.ndarray, "e k 2"]
    points1: Float[np.ndarray, "e k 2"]
    weights: Float[np.ndarray, "e k"]


@runtime_checkable
class Parametrization(Protocol):
    """How images map to each other, as a function of their states."""

    num_parameters: int

    def updated(self, state: State, step: Float[np.ndarray, "n p"]) -> State:
        """Return states moved by a step."""
        ...

    def transferred(
        self, state0: Float[np.ndarray, "e s"], state1: Float[np.ndarray, "e s"], points: Points
    ) -> Points:
        """Map points of image 0 to image 1, for each pair."""
        ...

    def prior(self, state: State) -> tuple[Float[np.ndarray, "n p"], Float[np.ndarray, "n p"]]:
        """Return residuals of the parameters, and their weights."""
        ...


def observe(
    edges: Sequence[PairMatch], position: dict[int, int], sizes: Sequence[tuple[int, int]]
) -> Observations:
    """Return the inliers of all pairs, in both directions; at most `MAX_POINTS` random ones per pair.

    Args:
        edges: Pairs of images that overlap.
        position: Index of an image -> its number.
        sizes: Size (width, height) of each image in px.
    """
    points = np.zeros((2, len(edges), MAX_POINTS, 2))
    weights = np.zeros((len(edges), MAX_POINTS))
    numbers = np.array([[position[index] for index in edge.indices] for edge in edges]).T
    for row, edge in enumerate(edges):
        chosen = np.random.default_rng(0).permutation(edge.estimate.num_inliers)[:MAX_POINTS]
        weights[row, : len(chosen)] = 1
        for side, (index, own) in enumerate(zip(edge.indices, edge.inliers, strict=True)):
            points[side, row, : len(chosen)] = normalized(own[chosen], sizes[position[index]])
    return Observations(
        first=np.concatenate([numbers[0], numbers[1]]),
        second=np.concatenate([numbers[1], numbers[0]]),
        points0=np.concatenate([points[0], points[1]]),
        points1=np.concatenate([points[1], points[0]]),
        weights=np.concatenate([weights, weights]),
    )


def normalized(points: Float[np.ndarray, "k 2"], size: tuple[int, int]) -> Float[np.ndarray, "k 2"]:
    """Return px in units of half the longer side from the image center."""
    center = (np.array(size) - 1) / 2
    return (points - center) * (2 / max(size))


def adjust(
    model: Parametrization,
    state: State,
    seen: Observations,
    is_free: Bool[np.ndarray, "n p"],
    scales: Sequence[float] = SCALES,
) -> State:
    """Minimize the robust transfer errors.

    Args:
        model: Parametrization of the states.
        state: Initial states.
        seen: Corresponding points.
        is_free: Whether each parameter of each image changes.
        scales: Scales of the loss, one after the other.
    """
    free = is_free.ravel()
    for scale in scales:
        damping, cost = DAMPING, _cost(model, state, seen, scale)
        for _ in range(ITERATIONS):
            normal, gradient = _normal_equations(model, state, seen, scale)
            normal, gradient = normal[np.ix_(free, free)], gradient[free]
            damped = normal + damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(len(normal))
            step = np.zeros(len(free))
            step[free] = -np.linalg.solve(damped, gradient)
            candidate = model.updated(state, step.reshape(is_free.shape))
            new_cost = _cost(model, candidate, seen, scale)
            if not new_cost < cost:
                damping *= 10
                continue
            has_converged = cost - new_cost < MIN_IMPROVEMENT * cost
            state, cost, damping = candidate, new_cost, damping / 10
            if has_converged:
                break
    return state


def _normal_equations(
    model: Parametrization, state: State, seen: Observations, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of J^T W J and J^T W r over all pairs, with the weights of the loss at the current errors."""
    count = model.num_parameters
    errors = _errors(model, state[seen.first], state[seen.second], seen)  # (e, k, 2)
    loss = seen.weights * _loss_weights(errors, scale)
    jacobian = _jacobian(model, state, seen, errors)  # (e, k, 2, 2 p)
    blocks = np.einsum("ekip,ek,ekiq->epq", jacobian, loss, jacobian, optimize=True)
    slopes = np.einsum("ekip,ek,eki->ep", jacobian, loss, errors, optimize=True)
    residuals, weights = model.prior(state)
    normal, gradient = np.diag(weights.ravel()), (weights * residuals).ravel()
    for i, j, block, slope in zip(seen.first.tolist(), seen.second.tolist(), blocks, slopes, strict=True):
        columns = np.r_[count * i : count * (i + 1), count * j : count * (j + 1)]
        normal[np.ix_(columns, columns)] += block
        gradient[columns] += slope
    return normal, gradient


def _jacobian(
    model: Parametrization, state: State, seen: Observations, errors: Points
) -> Float[np.ndarray, "e k 2 q"]:
    """Numeric derivatives of the errors with respect to the parameters of image 0, then image 1."""
    count = model.num_parameters
    columns: list[np.ndarray] = []
    for parameter in range(2 * count):
        step = np.zeros((len(state), count))
        step[:, parameter % count] = STEP
        moved = model.updated(state, step)
        states = (moved, state) if parameter < count else (state, moved)
        changed = _errors(model, states[0][seen.first], states[1][seen.second], seen)
        columns.append((changed - errors) / STEP)
    return np.stack(columns, axis=-1)


def _errors(
    model: Parametrization,
    state0: Float[np.ndarray, "e s"],
    state1: Float[np.ndarray, "e s"],
    seen: Observations,
) -> Points:
    return model.transferred(state0, state1, seen.points0) - seen.points1


def _loss_weights(errors: Points, scale: float) -> Float[np.ndarray, "e k"]:
    """Weights of the Geman-McClure loss; 0 for points behind a camera."""
    squared = (errors**2).sum(axis=-1)
    return np.where(squared < BEHIND, (scale**2 / (scale**2 + squared)) ** 2, 0.0)


def _cost(model: Parametrization, state: State, seen: Observations, scale: float) -> float:
    residuals, weights = model.prior(state)
    squared = (_errors(model, state[seen.first], state[seen.second], seen) ** 2).sum(axis=-1)
    total = float(
        (weights * residuals**2).sum() + (seen.weights * scale**2 * squared / (scale**2 + squared)).sum()
    )
    return total if np.isfinite(total) else np.inf
