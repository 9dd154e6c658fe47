"""The family of LightGlue: who trained which network for which features, and what their files look like.

Since 2023 many groups have trained LightGlue for other features or other images. Their checkpoints differ in the prefix of
the tensor names, in other networks in the same file, and in switches of the network (`LightGlueShape`). One row of
`FAMILIES` says how each differs from the official one; `recognition` finds the row of a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tiepoint.errors import WeightsError

NO_SWITCHES: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One row: the checkpoints of one project.

    Attributes:
        name: Name, as `tiepoint weights inspect` prints it and `--kind` takes it.
        files: Names of the published files, or description of the user's own.
        features: Local features that the networks were trained for.
        license: License of the published weights.
        source: Project with the code that the loader is tested against.
        prefixes: Prefixes of the matcher's tensors in these files, of which one identifies the family.
        others: Prefixes of the tensors of other networks in these files, which are ignored.
        switches: Fields of `LightGlueShape` that differ from the official network.
        max_layers: Number of layers that the project runs, where its files may contain more; None for all.
        shape: Input dimension and number of positional values of its networks, for those that only `kind` can tell
            from the official ones; None if files are recognized by their content.
        unit_descriptors: Whether descriptors have unit length.
    """

    name: str
    files: str
    features: str
    license: str
    source: str
    prefixes: tuple[str, ...] = ("",)
    others: tuple[str, ...] = ()
    switches: Mapping[str, Any] = field(default_factory=lambda: NO_SWITCHES)
    max_layers: int | None = None
    shape: tuple[int, int] | None = None
    unit_descriptors: bool = True


_LIGHTGLUE = "cvg/LightGlue"

FAMILIES: dict[str, Family] = {
    row.name: row
    for row in (
        Family(
            name="official",
            files="superpoint_, disk_, aliked_, sift_, doghardnet_lightglue.pth; also with the names of first releases",
            features="SuperPoint, DISK, ALIKED, SIFT, DoG-HardNet",
            license="Apache-2.0",
            source=_LIGHTGLUE,
            others=("keypoint_detector.",),
        ),
        Family(
            name="huggingface",
            files="model.safetensors of LightGlueForKeypointMatching, tiepoint train",
            features="those of the folder's config.json",
            license="of the folder",
            source="huggingface/transformers",
            others=("keypoint_detector.",),
        ),
        Family(
            name="glue-factory",
            files="checkpoint_best.tar",
            features="those that you trained for",
            license="yours",
            source="cvg/glue-factory",
            prefixes=("matcher.", "matcher.net."),
            others=("extractor.", "ground_truth.", "loss."),
        ),
        Family(
            name="lighterglue",
            files="xfeat-lighterglue.pt",
            features="XFeat",
            license="Apache-2.0",
            source="verlab/accelerated_features",
            prefixes=("matcher.",),
            others=("extractor.model.net.",),
        ),
        Family(
            name="gim",
            files="gim_lightglue_100h.ckpt",
            features="SuperPoint",
            license="MIT",
            source="xuelunshen/gim",
            prefixes=("model.",),
            others=("superpoint.",),
            switches=MappingProxyType({"size_order": "hw"}),
        ),
        Family(
            name="loma",
            files="loma_B128.pth, loma_B.pt, loma_R.pth, loma_L.pth, loma_G.pth",
            features="DaD keypoints with DeDoDe-B (B128) or DeDoDe-G descriptors",
            license="Apache-2.0",
            source="davnords/LoMa",
            others=("_detector.", "_descriptor."),
            switches=MappingProxyType(
                {"normalization": "per_axis", "token_confidence": False, "score_matchability": False}
            ),
            max_layers=9,
            unit_descriptors=False,
        ),
        Family(
            name="keynet",
            files="keynet_affnet_hardnet_lightglue.pth",
            features="KeyNet-AffNet-HardNet: network only, Features have no affine frames",
            license="Apache-2.0",
            source="kornia/kornia",
        ),
        Family(
            name="minima",
            files="minima_lightglue.pth",
            features="SuperPoint, images of different modalities",
            license="Apache-2.0",
            source="LSXI7/MINIMA",
            shape=(256, 2),
        ),
        Family(
            name="raco-aliked",
            files="raco_aliked_lightglue.pth (LightGlue+)",
            features="RaCo keypoints with ALIKED-n16 descriptors",
            license="Apache-2.0",
            source="cvg/RaCo",
            shape=(128, 2),
        ),
        Family(
            name="dedode",
            files="dedodeb_, dedodeg_lightglue.pth",
            features="DeDoDe-B or DeDoDe-G",
            license="Apache-2.0",
            source="kornia/kornia",
            shape=(256, 2),
        ),
        Family(
            name="rdd",
            files="rdd_lg.pth, RDD_lg-v2.pth",
            features="RDD",
            license="Apache-2.0",
            source="xtcpete/rdd",
            shape=(256, 2),
        ),
    )
}
"""Name -> row, in the order of the page "Which checkpoints load"."""


def family_of(name: str) -> Family:
    """Return the row of a name.

    Raises:
        WeightsError: If the name is unknown.
    """
    if name not in FAMILIES:
        raise WeightsError(f"unknown kind {name!r}; available: {', '.join(FAMILIES)}")
    return FAMILIES[name]
