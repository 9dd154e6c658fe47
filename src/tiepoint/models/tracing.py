"""Whether a network is being traced by `torch.export` or `torch.compile`: a graph cannot contain every fast path.

Loops over chunks of rows, kernels that only some CPUs have, and results written into other tensors depend on sizes that
a graph leaves open. Where a function has such a path, it asks `is_tracing` and takes the plain one.
"""

import torch


def is_tracing() -> bool:
    """Return whether `torch.export` or `torch.compile` is tracing the caller."""
    return torch.compiler.is_compiling()


def is_exporting() -> bool:
    """Return whether `torch.export` is tracing the caller: one graph, without decisions that depend on values."""
    return torch.compiler.is_exporting()


def is_known(condition: bool) -> bool:
    """Return a condition on sizes; False if it depends on sizes that the graph being traced leaves open."""
    if not is_tracing():
        return condition
    from torch.fx.experimental.symbolic_shapes import guard_or_false

    return guard_or_false(condition)
