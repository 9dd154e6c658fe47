"""Values that shells complete: names of presets, weights, data sets, and other values of a fixed set.

Completion runs at every press of the Tab key, so names whose tables import torch are repeated here; a test compares them.
"""

from collections.abc import Callable

Complete = Callable[[str], list[str]]
"""Returns the values that begin with what was typed so far."""

DATASETS = (
    *("hpatches", "megadepth1500", "scannet1500", "oxford-affine", "homography-folder", "superglue-pairs"),
    *("strecha", "colmap", "pairs-jsonl"),
)
PROTOCOLS = ("tiepoint", "glue-factory-opencv", "glue-factory-poselib")
RECIPES = ("homography", "finetune", "distill")
EXTRACTORS = (
    *("aliked-t16", "aliked-n16", "aliked-n16rot", "aliked-n32"),
    *("disk", "superpoint", "superpoint-open", "xfeat"),
    *("raco-aliked", "dad-dedode-b", "loma-b128", "loma-b"),
)
PAIRS = ("exhaustive", "sequential:", "retrieval:", "spatial:", "covisible:", "list:")
EXECUTORS = ("serial", "processes:", "ray", "ray:")
DEVICES = ("auto", "cpu", "cuda", "mps")


def complete_from(*values: str) -> Complete:
    """Return a function that completes one of some values; a shell completes other words as files.

    Args:
        *values: Values of an option or argument.
    """

    def complete(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return complete


def complete_preset(incomplete: str) -> list[str]:
    """Complete the full or short name of a preset."""
    from tiepoint.presets import PRESETS, SHORT_NAMES

    return complete_from(*SHORT_NAMES, *PRESETS)(incomplete)


def complete_weights(incomplete: str) -> list[str]:
    """Complete the name of published weights."""
    from tiepoint.weights.table import WEIGHTS

    return complete_from(*WEIGHTS)(incomplete)
