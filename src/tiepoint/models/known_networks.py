"""Networks whose checkpoints users take for those of another, recognized by parts of their tensor names."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownNetwork:
    """One row.

    Attributes:
        name: Name and kind, for messages.
        parts: Parts of tensor names that all occur in its checkpoints.
    """

    name: str
    parts: tuple[str, ...]


KNOWN_NETWORKS = (
    KnownNetwork("SuperGlue", ("bin_score", "gnn.layers.", "kenc.encoder.")),
    KnownNetwork("SuperPoint alone", ("conv1a.", "convPa.")),
    KnownNetwork("SuperPoint alone", ("backbone.0.0.conv.", "detector.0.conv.")),
    KnownNetwork("RaCo, a detector", ("match_dims.", "score_head.")),
    KnownNetwork("ALIKED, a detector", ("desc_head.", "score_head.")),
    KnownNetwork("DISK, a detector", ("unet.path_down.",)),
    KnownNetwork("XFeat, a detector", ("block_fusion.", "heatmap_head.")),
    KnownNetwork("LoFTR", ("loftr_coarse.",)),
    KnownNetwork(
        "LoMa, a matcher with detector and descriptor", ("_detector.encoder.", "_descriptor.encoder.")
    ),
    KnownNetwork("DeDoDe-G, a descriptor", ("encoder.vgg.layers.", "decoder.layers.14.")),
    KnownNetwork("DeDoDe-L, a detector", ("encoder.layers.36.", "decoder.layers.8.hidden_blocks.7.")),
    KnownNetwork("DeDoDe-B, a descriptor", ("encoder.layers.36.", "decoder.layers.8.")),
    KnownNetwork("DaD, a detector", ("encoder.layers.18.", "decoder.layers.8.hidden_blocks.2.")),
    KnownNetwork("DINOv2", ("cls_token", "patch_embed.", "blocks.0.")),
    KnownNetwork("LightGlue, a matcher", ("log_assignment.", "final_proj.")),
)
"""Rows in the order in which they are compared."""


def known_network(names: Iterable[str]) -> str | None:
    """Return the name and kind of a known network; None if the tensors are of none.

    Args:
        names: Names of the tensors.
    """
    names = list(names)
    for row in KNOWN_NETWORKS:
        if all(any(part in name for name in names) for part in row.parts):
            return row.name
    return None
